// SPDX-License-Identifier: Apache-2.0
#include "server/commands.h"

#include <cstdio>
#include <cstdlib>

#include "config/config.h"
#include "fs/real_fs.h"
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
    for (const std::string& warning : config->warnings) {
      std::printf("  WARNING: %s\n", warning.c_str());
    }
    std::printf(" SUCCESS: %s is valid configuration file syntax\n", path.c_str());
  }
  return ok ? kExitOk : kExitFailure;
}

}  // namespace

bool is_command(const std::vector<std::string>& arguments) {
  return !arguments.empty() && (arguments[0] == "test" || arguments[0] == "check");
}

int run_command(const std::vector<std::string>& arguments) {
  if (arguments.size() >= 3) {
    const std::vector<std::string> paths(arguments.begin() + 2, arguments.end());
    if (arguments[0] == "check" && arguments[1] == "config") return check_config(paths);
  }
  std::fputs(kUsage, stderr);
  return kExitUsage;
}

}  // namespace varve::server
