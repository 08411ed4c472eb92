// SPDX-License-Identifier: Apache-2.0
// promql_test_runner [-v] PATH…: runs PromQL test scripts, files or folders. Exit code 1 if a case
// fails, 2 if a script cannot be read. -v shows what was expected and what came.
#include <cstdio>
#include <string>
#include <vector>

#include "fs/real_fs.h"
#include "promql/test_language.h"

int main(int argc, char** argv) {
  using namespace varve;
  bool verbose = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "-v") {
      verbose = true;
    } else {
      paths.push_back(argument);
    }
  }
  if (paths.empty()) {
    std::fputs("usage: promql_test_runner [-v] PATH…\n", stderr);
    return 2;
  }
  fs::RealFs files;
  const auto reports = promql::test_language::run_paths(files, paths);
  if (!reports.ok()) {
    std::fprintf(stderr, "%s\n", reports.error().message().c_str());
    return 2;
  }
  std::fputs(promql::test_language::render(*reports, verbose).c_str(), stdout);
  for (const auto& report : *reports) {
    if (report.cases_failed > 0) return 1;
  }
  return 0;
}
