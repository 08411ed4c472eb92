// SPDX-License-Identifier: Apache-2.0
// scrape_failure_log_file: why scrapes failed, a JSON object a line, as Prometheus writes them.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.h"
#include "varve/result.h"

namespace varve::fs {
class File;
class FileSystem;
}  // namespace varve::fs

namespace varve::scrape {

// Thread-safe. A line that cannot be written is lost: the scrape goes on.
class FailureLog {
 public:
  // Appends to what is there. kIo.
  static Result<std::shared_ptr<FailureLog>> open(fs::FileSystem& files, const std::string& path,
                                                  const base::Clock& clock);
  FailureLog(std::unique_ptr<fs::File> file, const base::Clock& clock);
  ~FailureLog();

  void write(std::string_view job_name, std::string_view target, std::string_view error);

 private:
  std::mutex mutex_;  // guards file_
  std::unique_ptr<fs::File> file_;
  base::Logger log_;
};

}  // namespace varve::scrape
