// SPDX-License-Identifier: Apache-2.0
// Bounds and task splitting of one query.
#include "promql/eval/query_state.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/memory_account.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "promql/query_memory.h"

namespace varve::promql {
namespace {
// A value and its kind; what a held point costs at least.
constexpr std::int64_t kPointBytes = 9;
}  // namespace

QueryState::~QueryState() {
  if (memory_ != nullptr) memory_->release(held_bytes());
}

std::int64_t QueryState::held_bytes() const {
  return static_cast<std::int64_t>(samples_held_.load()) * kPointBytes + other_bytes_.load();
}

Status QueryState::charge_bytes(std::uint64_t bytes) {
  VARVE_TRY(charge_account(static_cast<std::int64_t>(bytes)));
  other_bytes_.fetch_add(static_cast<std::int64_t>(bytes));
  return {};
}

Status QueryState::charge_account(std::int64_t bytes) {
  return charge_query_memory(memory_, bytes, held_bytes(), settings_.memory_max_bytes);
}

Status QueryState::charge(std::uint64_t samples) {
  VARVE_TRY(charge_account(static_cast<std::int64_t>(samples) * kPointBytes));
  const std::uint64_t held = samples_held_.fetch_add(samples) + samples;
  std::uint64_t peak = samples_peak_.load(std::memory_order_relaxed);
  while (held > peak && !samples_peak_.compare_exchange_weak(peak, held)) {
  }
  if (held > settings_.samples_max) {
    return Error(ErrorCode::kLimitExceeded,
                 "query processing would load too many samples into memory in query execution "
                 "(--query.max-samples=" +
                     std::to_string(settings_.samples_max) + ")");
  }
  return {};
}

void QueryState::release(std::uint64_t samples) {
  samples_held_.fetch_sub(samples);
  if (memory_ != nullptr) memory_->release(static_cast<std::int64_t>(samples) * kPointBytes);
}

Status QueryState::poll() {
  if (clock_.monotonic() >= settings_.deadline) {
    return Error(ErrorCode::kTimeout, "query timed out in expression evaluation");
  }
  if (canceled_) {
    const std::lock_guard lock(canceled_mutex_);
    if (canceled_()) {
      return Error(ErrorCode::kCanceled, "query was canceled in expression evaluation");
    }
  }
  return {};
}

void QueryState::count_read(std::uint64_t samples, std::span<const std::uint64_t> at_step) {
  samples_read_.fetch_add(samples, std::memory_order_relaxed);
  if (at_step.empty()) return;
  const std::lock_guard lock(read_mutex_);
  for (std::size_t step = 0; step < at_step.size(); ++step) read_at_step_[step] += at_step[step];
}

void QueryState::note_levels(const LevelNotes& notes) {
  if (notes.empty()) return;
  const std::lock_guard lock(level_notes_mutex_);
  level_notes_.merge(notes);
}

LevelNotes QueryState::take_level_notes() {
  const std::lock_guard lock(level_notes_mutex_);
  return std::exchange(level_notes_, {});
}

std::size_t QueryState::task_count(std::size_t items, std::uint64_t item_work) {
  const std::size_t by_items = (items + kTaskItems - 1) / kTaskItems;
  const std::size_t by_work = std::min<std::uint64_t>(
      {items, items * std::min(item_work, kTaskWork) / kTaskWork, kFewTasks});
  return std::clamp<std::size_t>(std::max(by_items, by_work), 1, kTasksMax);
}

Status QueryState::run_tasks(std::size_t items, std::size_t tasks, const TaskBody& body) {
  if (items == 0) return poll();
  if (tasks == 1 || pool_ == nullptr) {
    for (std::size_t task = 0; task < tasks; ++task) {
      VARVE_TRY(poll());
      VARVE_TRY(body(task, items * task / tasks, items * (task + 1) / tasks, annotations_));
    }
    return {};
  }
  std::vector<AnnotationSink> sinks(tasks);
  std::vector<Status> outcomes(tasks);
  std::atomic<bool> failed{false};
  pool_->parallel_for(tasks, [&](std::size_t task) {
    if (failed.load(std::memory_order_relaxed)) return;
    Status status = poll();
    if (status.ok()) {
      status = body(task, items * task / tasks, items * (task + 1) / tasks, sinks[task]);
    }
    if (!status.ok()) failed.store(true, std::memory_order_relaxed);
    outcomes[task] = std::move(status);
  });
  for (std::size_t task = 0; task < tasks; ++task) {
    annotations_.merge(sinks[task]);
    if (!outcomes[task].ok()) return std::move(outcomes[task]);
  }
  return {};
}

}  // namespace varve::promql
