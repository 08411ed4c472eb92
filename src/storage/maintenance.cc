// SPDX-License-Identifier: Apache-2.0
#include "storage/maintenance.h"

#include <chrono>
#include <utility>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/db_snapshot.h"
#include "storage/deletes.h"

namespace varve::storage {
namespace {

// How often it is looked whether there is something to do. Queries leave expired samples out at
// once, so this only decides when memory and disk are freed.
constexpr std::chrono::seconds kInterval{30};
// How often it is looked whether the log has grown enough for a snapshot of the head: under load it
// grows by tens of megabytes a second.
constexpr std::chrono::seconds kSnapshotInterval{1};
// How long somebody who asked for everything waits for readers of the head, in all; what they still
// hold then goes with a later round.
constexpr std::chrono::seconds kTrimWait{10};

// The first error of several steps that are all taken.
class FirstError {
 public:
  void note(Status status) {
    if (first_.ok() && !status.ok()) first_ = std::move(status);
  }
  Status take() { return std::move(first_); }

 private:
  Status first_;
};

}  // namespace

Maintenance::Maintenance(const Engine& engine)
    : engine_(engine),
      retention_(engine),
      flush_(engine),
      compaction_(engine),
      rollup_(engine),
      trim_(engine, rollup_),
      idle_(
          {engine.files, engine.head, engine.write_path, engine.blocks, engine.clock, engine.log}),
      reserve_(engine.files, engine.directory.reserve, engine.options.reserve_bytes, engine.log) {}

Maintenance::~Maintenance() { stop(); }

void Maintenance::start() {
  rounds_ = std::jthread([this](const std::stop_token& stop) { run_rounds(stop); });
  snapshots_ = std::jthread([this](const std::stop_token& stop) { run_snapshots(stop); });
}

void Maintenance::stop() {
  rounds_.request_stop();
  snapshots_ = {};
  rounds_ = {};
  // What somebody asked for gives up when Engine::stop is set.
  const std::lock_guard lock(work_mutex_);
}

void Maintenance::run_rounds(const std::stop_token& stop) {
  base::name_this_thread("maintenance");
  std::unique_lock lock(wake_mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, kInterval, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    report(round());
    lock.lock();
  }
}

void Maintenance::run_snapshots(const std::stop_token& stop) {
  base::name_this_thread("head-snapshots");
  std::unique_lock lock(wake_mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_for(lock, stop, kSnapshotInterval, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    report(snapshot_head());
    lock.lock();
  }
}

void Maintenance::report(const Status& status) const {
  if (status.ok() || status.error().code() == ErrorCode::kCanceled) return;
  engine_.log.error("storage: maintenance", {{"err", status.error().message()}});
}

Status Maintenance::snapshot_head() {
  const std::lock_guard lock(head_mutex_);
  return engine_.head_snapshots.due() ? engine_.head_snapshots.take() : Status();
}

Status Maintenance::round() {
  const std::lock_guard lock(work_mutex_);
  reserve_.hold();
  Status status = round_locked();
  if (!status.ok() && status.error().code() == ErrorCode::kLimitExceeded && reserve_.release()) {
    {
      const std::lock_guard head_lock(head_mutex_);
      engine_.head_snapshots.retry_now();
    }
    status = round_locked();
  }
  return status;
}

// Retention first: on a full disk it makes the room that the rest needs.
Status Maintenance::round_locked() {
  FirstError first;
  {
    const std::lock_guard lock(head_mutex_);
    // Nothing goes by a configuration before it is known what that will be made of.
    Status adopted = rollup_.adopt();
    if (adopted.ok()) {
      first.note(retention_.run());
    } else {
      first.note(std::move(adopted));
    }
    flush_.trim();
    first.note(idle_.run(engine_.options.idle_after, &engine_.stop));
  }
  first.note(cut_and_compact(false));
  first.note(snapshot_head());
  return first.take();
}

Status Maintenance::cut_and_compact(bool asked) {
  // A cut that fails does not keep blocks from being merged, and never the other way round: between
  // merges it is looked for cuts again, as a large merge takes its time.
  FirstError first;
  const auto wait_until = std::chrono::steady_clock::now() + kTrimWait;
  const auto cut = [&] {
    const std::lock_guard lock(head_mutex_);
    for (;;) {
      Result<bool> done = flush_.cut_window(asked);
      if (!done.ok()) return first.note(std::move(done).error());
      if (!*done) return;
      if (asked) wait_for_trim(wait_until);
    }
  };
  cut();
  if (asked) {
    const std::lock_guard lock(head_mutex_);
    wait_for_trim(wait_until);
    first.note(flush_.cut_late());
  }
  for (;;) {
    Result<bool> merged = compaction_.merge_next(asked);
    if (!merged.ok()) {
      first.note(std::move(merged).error());
      break;
    }
    if (!*merged) {
      if (asked) first.note(compaction_.waiting());
      break;
    }
    cut();
  }
  // Likewise: what one of them cannot do does not keep the others waiting.
  const auto all = [&](const auto& next) {
    for (;;) {
      Result<bool> done = next();
      if (!done.ok()) return first.note(std::move(done).error());
      if (!*done) return;
      cut();
    }
  };
  all([&] { return rollup_.next(); });
  if (!retention_.waits()) all([&] { return trim_.next(); });
  return first.take();
}

void Maintenance::wait_for_trim(std::chrono::steady_clock::time_point until) {
  while (!flush_.trim() && std::chrono::steady_clock::now() < until && !engine_.stop.load()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Status Maintenance::open() const {
  return engine_.stop.load() ? Error(ErrorCode::kCanceled, "storage is closing") : Status();
}

Status Maintenance::delete_series(std::span<const std::vector<model::Matcher>> selectors,
                                  TimeRange range) {
  const std::lock_guard lock(work_mutex_);
  VARVE_TRY(open());
  const std::lock_guard head_lock(head_mutex_);
  return delete_samples(engine_, selectors, range);
}

Status Maintenance::clean_tombstones() {
  const std::lock_guard lock(work_mutex_);
  VARVE_TRY(open());
  VARVE_TRY(compaction_.clean_tombstones());
  return rollup_.clean_tombstones();
}

Result<std::string> Maintenance::snapshot(bool skip_head) {
  const std::lock_guard lock(work_mutex_);
  VARVE_TRY(open());
  const std::lock_guard head_lock(head_mutex_);
  return take_db_snapshot(engine_, skip_head);
}

Status Maintenance::compact() {
  const std::lock_guard lock(work_mutex_);
  VARVE_TRY(open());
  FirstError first;
  first.note(cut_and_compact(true));
  first.note(snapshot_head());
  return first.take();
}

void Maintenance::settle() {
  const std::lock_guard lock(work_mutex_);
  if (const Status adopted = rollup_.adopt(); !adopted.ok()) {
    engine_.log.warn("storage: what is held will be noted later",
                     {{"err", adopted.error().message()}});
  }
}

}  // namespace varve::storage
