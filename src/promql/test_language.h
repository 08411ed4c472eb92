// SPDX-License-Identifier: Apache-2.0
// Runs scripts of Prometheus's PromQL test language against the engine.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::promql::test_language {

inline constexpr std::size_t kScriptBytesMax = 64U << 20U;

struct CaseFailure {
  std::size_t line = 0;  // of the eval command
  std::string query;
  std::string check;   // "as written", "@ at 10m", "as a range query"
  std::string detail;  // expected and got
};

// A case is one eval command with all its extra checks; it has at most one failure, the first.
struct FileReport {
  std::string name;
  std::size_t cases_passed = 0;
  std::size_t cases_failed = 0;
  std::vector<CaseFailure> failures;
};

// kInvalidArgument if the text is no script; failing cases are no error.
Result<FileReport> run_script(std::string_view name, std::string_view text);
Result<FileReport> run_file(fs::FileSystem& files, const std::string& path);
// Files, and folders whose *.test files are run, subfolders too, in order of their names.
Result<std::vector<FileReport>> run_paths(fs::FileSystem& files,
                                          std::span<const std::string> paths);

// One line per failing case and a table of the files.
std::string render(std::span<const FileReport> reports, bool with_failures);

}  // namespace varve::promql::test_language
