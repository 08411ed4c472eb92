// SPDX-License-Identifier: Apache-2.0
#include "scrape/failure_log.h"

#include "base/try.h"
#include "fs/file_system.h"

namespace varve::scrape {

FailureLog::FailureLog(std::unique_ptr<fs::File> file, const base::Clock& clock)
    : file_(std::move(file)),
      log_(base::LogLevel::kError, base::LogFormat::kJson, clock, [this](std::string_view line) {
        const std::lock_guard lock(mutex_);
        static_cast<void>(file_->append(line));
      }) {}

FailureLog::~FailureLog() = default;

Result<std::shared_ptr<FailureLog>> FailureLog::open(fs::FileSystem& files, const std::string& path,
                                                     const base::Clock& clock) {
  VARVE_TRY_ASSIGN(const bool there, files.exists(path));
  VARVE_TRY_ASSIGN(std::unique_ptr<fs::File> file,
                   files.open(path, there ? fs::OpenMode::kExisting : fs::OpenMode::kCreate));
  return std::make_shared<FailureLog>(std::move(file), clock);
}

void FailureLog::write(std::string_view job_name, std::string_view target, std::string_view error) {
  log_.error(error, {{"job_name", job_name}, {"target", target}});
}

}  // namespace varve::scrape
