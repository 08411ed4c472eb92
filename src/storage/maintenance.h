// SPDX-License-Identifier: Apache-2.0
// Everything that happens to the database beside writing and reading, one piece of work at a time:
// by the clock on a thread of low priority, or because somebody asked.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "model/matcher.h"
#include "storage/compaction.h"
#include "storage/disk_reserve.h"
#include "storage/engine.h"
#include "storage/flush.h"
#include "storage/idle_series.h"
#include "storage/retention.h"
#include "varve/result.h"

namespace varve::storage {

// Thread-safe. Owned by the database, which sets Engine::stop before it destroys this.
class Maintenance {
 public:
  explicit Maintenance(const Engine& engine);
  ~Maintenance();

  // Begins the thread.
  void start();
  void stop();

  // See Db for what these do.
  Status round();
  Status delete_series(std::span<const std::vector<model::Matcher>> selectors, TimeRange range);
  Status clean_tombstones();
  Result<std::string> snapshot(bool skip_head);
  Status compact();

 private:
  void run(const std::stop_token& stop);
  Status open() const;  // kCanceled when the database closes
  Status round_locked();
  Status snapshot_head();
  Status cut_and_compact(bool asked);
  // Lets readers of what a cut replaced finish, so that the head can be trimmed.
  void wait_for_trim();

  const Engine engine_;
  std::mutex work_mutex_;  // held by the work under way; guards what follows
  Retention retention_;
  Flush flush_;
  Compaction compaction_;
  IdleSeries idle_;
  DiskReserve reserve_;

  std::mutex wake_mutex_;  // only for the condition
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace varve::storage
