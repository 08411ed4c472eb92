// SPDX-License-Identifier: Apache-2.0
// A directory opened by the database itself, over a file system that keeps all changes in memory:
// so what a tool reads is what a query would.
#include <algorithm>
#include <mutex>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/try.h"
#include "fs/overlay_fs.h"
#include "storage/db.h"
#include "storage/inspect.h"

namespace varve::storage {
namespace {

// A running database removes files now and then, for good reasons: then it is opened anew.
constexpr int kAttempts = 3;

class OpenArchive final : public Archive {
 public:
  explicit OpenArchive(fs::FileSystem& files)
      : overlay_(files),
        log_(base::LogLevel::kWarn, base::LogFormat::kLogfmt, clock_,
             [this](std::string_view line) {
               while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
               const std::lock_guard lock(mutex_);
               warnings_.emplace_back(line);
             }) {}
  ~OpenArchive() override { db_.reset(); }

  Status open(const std::string& path, bool repair) {
    Options options;
    options.path = path;
    options.sync = SyncMode::kOff;
    options.retention = std::chrono::milliseconds(0);
    options.background = false;
    options.lock_directory = false;
    options.repair = repair;
    VARVE_TRY_ASSIGN(db_, Db::open(options, overlay_, clock_, log_, metrics_));
    return {};
  }

  const Queryable& samples() const override { return *db_; }
  HeadListing head() const override {
    const HeadStats stats = db_->stats(1);
    const Db::RecoveryReport& report = db_->recovery();
    HeadListing head;
    head.series = stats.series_count;
    head.chunks = stats.chunk_count;
    head.range = {stats.min_time_ms, stats.max_time_ms};
    head.log_segments = report.segments;
    head.log_samples = report.samples;
    head.log_samples_lost = report.samples_lost;
    return head;
  }
  std::vector<std::string> warnings() const override {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }

 private:
  fs::OverlayFs overlay_;
  base::SystemClock clock_;
  mutable std::mutex mutex_;  // guards warnings_
  std::vector<std::string> warnings_;
  base::Logger log_;
  base::MetricsRegistry metrics_;
  std::unique_ptr<Db> db_;
};

}  // namespace

Result<std::unique_ptr<Archive>> Archive::open(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const bool there, files.exists(fs::join(path, "varve")));
  if (!there) {
    return Error(ErrorCode::kNotFound, path + ": no data directory of Varve's: it has no varve/");
  }
  for (int attempt = 1;; ++attempt) {
    auto archive = std::make_unique<OpenArchive>(files);
    // What is damaged is left out, in memory, only once it turned out to stay so.
    const Status opened = archive->open(path, attempt == kAttempts);
    if (opened.ok()) return std::unique_ptr<Archive>(std::move(archive));
    if (attempt == kAttempts) return opened.error();
  }
}

}  // namespace varve::storage
