// SPDX-License-Identifier: Apache-2.0
#include "server/commands.h"

#include <cstdio>
#include <cstdlib>

#include "config/config.h"
#include "fs/real_fs.h"
#include "promql/test_language.h"
#include "server/daemon.h"

namespace varve::server {
namespace {

constexpr const char* kUsage =
    "usage: varve test promql <file or folder>...\n"
    "       varve check config <file>...\n";

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

int check_config(const std::vector<std::string>& paths) {
  fs::RealFs files;
  bool ok = true;
  for (const std::string& path : paths) {
    const auto config = config::load_file(files, path, environment);
    if (!config.ok()) {
      std::printf("Checking %s\n  FAILED: %s\n", path.c_str(), config.error().message().c_str());
      ok = false;
      continue;
    }
    std::printf("Checking %s\n", path.c_str());
    if (const Status found = config::check_files(files, *config); !found.ok()) {
      std::printf("  FAILED: %s\n", found.error().message().c_str());
      ok = false;
      continue;
    }
    for (const std::string& warning : config->warnings) {
      std::printf("  WARNING: %s\n", warning.c_str());
    }
    std::printf(" SUCCESS: %s is valid configuration file syntax\n", path.c_str());
  }
  return ok ? kExitOk : kExitFailure;
}

int test_promql(const std::vector<std::string>& paths) {
  fs::RealFs files;
  const auto reports = promql::test_language::run_paths(files, paths);
  if (!reports.ok()) {
    std::fprintf(stderr, "varve: error: %s\n", reports.error().message().c_str());
    return kExitUsage;
  }
  std::fputs(promql::test_language::render(*reports, true).c_str(), stdout);
  for (const auto& report : *reports) {
    if (report.cases_failed > 0) return kExitFailure;
  }
  return kExitOk;
}

}  // namespace

bool is_command(const std::vector<std::string>& arguments) {
  return !arguments.empty() && (arguments[0] == "test" || arguments[0] == "check");
}

int run_command(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 3) {
    const std::vector<std::string> paths(arguments.begin() + 2, arguments.end());
    if (arguments[0] == "check" && arguments[1] == "config") return check_config(paths);
    if (arguments[0] == "test" && arguments[1] == "promql") return test_promql(paths);
  }
  std::fputs(kUsage, stderr);
  return kExitUsage;
}

}  // namespace varve::server
