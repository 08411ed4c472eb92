// SPDX-License-Identifier: Apache-2.0
// A data directory for commands to look at.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "storage/db.h"

namespace varve::cli {

// A database that is open to be filled: nothing runs in the background, and it is always `now`.
struct DataDirectory {
  DataDirectory(const std::string& path, Timestamp now, storage::Options options = {})
      : clock(now) {
    options.path = path;
    options.background = false;
    db = std::move(storage::Db::open(options, files, clock, log, metrics)).value();
  }

  fs::RealFs files;
  base::FakeClock clock;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock};
  base::MetricsRegistry metrics;
  std::unique_ptr<storage::Db> db;
};

}  // namespace varve::cli
