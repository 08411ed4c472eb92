// SPDX-License-Identifier: Apache-2.0
// Everything that happens to the database beside writing and reading, by the clock or because
// somebody asked: one piece of work at a time, but for snapshots of the head, which do not wait for
// merges. What keeps the log and the head bounded runs at normal priority, merges at a low one: on
// a busy machine the log would outgrow what recovery can replay in time.
#pragma once

#include <chrono>
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
#include "storage/rollup.h"
#include "storage/trim.h"
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
  // Returns when the work under way, which may go by what held before the call, has ended, and what
  // has gone by now is noted with new holds: older ones may be released at once.
  void settle();

 private:
  void run_rounds(const std::stop_token& stop);
  void run_snapshots(const std::stop_token& stop);
  void report(const Status& status) const;
  Status open() const;  // kCanceled when the database closes
  Status round_locked();
  Status snapshot_head();
  Status cut_and_compact(bool asked);
  // Lets readers of what a cut replaced finish, so that the head can be trimmed.
  void wait_for_trim(std::chrono::steady_clock::time_point until);

  const Engine engine_;
  std::mutex work_mutex_;  // held by the work under way; guards what follows
  // Also held by what takes from the head or copies it, never over a merge; guards flush_ and the
  // head's snapshots. Taken after work_mutex_.
  std::mutex head_mutex_;
  Retention retention_;
  Flush flush_;
  Compaction compaction_;
  Rollup rollup_;
  Trim trim_;
  IdleSeries idle_;
  DiskReserve reserve_;

  std::mutex wake_mutex_;  // only for the condition
  std::condition_variable_any wake_;
  std::jthread rounds_;
  std::jthread snapshots_;
};

}  // namespace varve::storage
