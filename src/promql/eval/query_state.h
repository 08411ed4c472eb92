// SPDX-License-Identifier: Apache-2.0
// What all parts of one running query share: settings, the pinned storage, and its bounds (samples
// held, time, cancellation).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "promql/value/level_notes.h"
#include "promql/value/annotations.h"
#include "promql/value/function_impl.h"
#include "promql/features.h"
#include "promql/ast.h"
#include "storage/levels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::base {
class Clock;
class MemoryAccount;
class ThreadPool;
}  // namespace varve::base
namespace varve::storage {
class Querier;
}

namespace varve::promql {

struct QuerySettings {
  Features features;
  std::int64_t lookback_ms = 300'000;
  std::int64_t default_subquery_step_ms = 60'000;
  std::uint64_t samples_max = 50'000'000;
  std::int64_t max_source_resolution_ms = 0;  // as SelectHints has it
  storage::LevelReach level_reach;
  std::int64_t memory_max_bytes = 0;  // of all queries together, in the account; 0: no bound
  std::chrono::nanoseconds deadline{0};  // on the clock's monotonic axis
  DurationScope scope;                   // the query's own start, end and step
};

// What a histogram takes in memory, by Prometheus's reckoning.
inline std::uint64_t bytes_in(const Histogram& histogram) {
  constexpr std::size_t kFixedBytes = 176;
  return kFixedBytes + 8 * (histogram.positive_spans.size() + histogram.negative_spans.size() +
                            histogram.positive_counts.size() + histogram.negative_counts.size() +
                            histogram.custom_bounds.size());
}
// How many samples a histogram counts for in statistics.
inline std::uint64_t samples_in(const Histogram& histogram) { return bytes_in(histogram) / 16; }

// charge(), charge_bytes(), release(), poll(), count_read(), steps_counted() and note_levels() may
// be called by any task; the rest belongs to the thread that runs the query.
class QueryState final : public MemoryBudget {
 public:
  QueryState(QuerySettings settings, const base::Clock& clock, base::ThreadPool* pool,
             base::MemoryAccount* memory, std::function<bool()> canceled)
      : settings_(settings), clock_(clock), pool_(pool), memory_(memory),
        canceled_(std::move(canceled)) {}
  ~QueryState() override;
  QueryState(const QueryState&) = delete;
  QueryState& operator=(const QueryState&) = delete;

  const QuerySettings& settings() const { return settings_; }
  const Features& features() const { return settings_.features; }
  void set_querier(storage::Querier* querier) { querier_ = querier; }
  storage::Querier& querier() const { return *querier_; }
  AnnotationSink& annotations() { return annotations_; }

  // Accounts for points now held. kLimitExceeded beyond samples_max, or if this query alone needs
  // more than memory_max_bytes; kUnavailable if it would fit were it not for other queries.
  // Whatever the query holds leaves the account when the state is destroyed.
  Status charge(std::uint64_t samples);
  void release(std::uint64_t samples);
  Status charge_bytes(std::uint64_t bytes) override;
  std::int64_t held_bytes() const;
  // kTimeout or kCanceled if the query must end. Called once per node, task and kTaskItems series.
  Status poll();

  // From now on it is counted by step what is read; before anything is. ReadTally is how.
  void count_by_step(std::size_t steps) { read_at_step_.resize(steps); }
  // How many steps a task counts apart; 0: it need not.
  std::size_t steps_counted() const { return scales_ == 0 ? read_at_step_.size() : 0; }
  // `at_step` is empty or has an entry for each of these steps.
  void count_read(std::uint64_t samples, std::span<const std::uint64_t> at_step);
  // What is read while one lives counts as if it were read at each of the first `times` steps of
  // the query: an expression with one value for all of them, whose steps are not theirs, and of a
  // subquery only the points count that the function around it looks at (0), as in Prometheus. For
  // the query's own thread, while no task runs.
  class ReadScale {
   public:
    ReadScale(QueryState& state, std::uint64_t times)
        : state_(state), times_(times), before_(state.samples_read()) {
      ++state_.scales_;
    }
    ~ReadScale() {
      const std::uint64_t read = state_.samples_read() - before_;
      state_.samples_read_ = before_ + read * times_;
      if (--state_.scales_ > 0) return;
      for (std::size_t step = 0; step < std::min<std::size_t>(times_, state_.read_at_step_.size());
           ++step) {
        state_.read_at_step_[step] += read;
      }
    }
    ReadScale(const ReadScale&) = delete;
    ReadScale& operator=(const ReadScale&) = delete;

   private:
    QueryState& state_;
    const std::uint64_t times_;
    const std::uint64_t before_;
  };
  void count_series(std::uint64_t series) { series_count_ += series; }
  std::uint64_t samples_read() const { return samples_read_.load(std::memory_order_relaxed); }
  // By step; empty if nobody wanted to know.
  const std::vector<std::uint64_t>& read_at_step() const { return read_at_step_; }
  std::uint64_t samples_peak() const { return samples_peak_.load(std::memory_order_relaxed); }
  std::uint64_t series_count() const { return series_count_; }

  // Whether buckets of levels may answer instead of samples.
  bool levels_allowed() const { return settings_.max_source_resolution_ms != 0; }
  void note_levels(const LevelNotes& notes);
  // All notes so far, which are then forgotten.
  LevelNotes take_level_notes();

  // How many tasks so many items of so much work each (about nanoseconds; 0: little) are worth: one
  // for kTaskItems, and some more where even a few items keep a core busy.
  static std::size_t task_count(std::size_t items, std::uint64_t item_work = 0);
  // Splits [0, items) into so many tasks of equal size and runs body(task, begin, end, sink) for
  // each, on the caller and on the pool. The split depends on these numbers alone, sinks are merged
  // in task order, and of several errors the one of the first task is returned: the outcome does
  // not depend on how many threads ran. Polls before each task; after an error the rest is skipped.
  static constexpr std::size_t kTaskItems = 64;  // series: what fits in L2 with its samples
  static constexpr std::size_t kTasksMax = 64;
  static constexpr std::uint64_t kTaskWork = 64'000;  // many times what handing a task over costs
  static constexpr std::size_t kFewTasks = 8;
  using TaskBody = std::function<Status(std::size_t task, std::size_t begin, std::size_t end,
                                        AnnotationSink& sink)>;
  Status run_tasks(std::size_t items, std::size_t tasks, const TaskBody& body);

 private:
  Status charge_account(std::int64_t bytes);

  const QuerySettings settings_;
  const base::Clock& clock_;
  base::ThreadPool* pool_;
  base::MemoryAccount* memory_;
  storage::Querier* querier_ = nullptr;
  std::mutex canceled_mutex_;  // guards canceled_: callers need not make it thread-safe
  std::function<bool()> canceled_;
  AnnotationSink annotations_;
  std::mutex level_notes_mutex_;  // guards level_notes_
  LevelNotes level_notes_;
  std::atomic<std::uint64_t> samples_held_{0};  // those that are in the account
  std::atomic<std::int64_t> other_bytes_{0};  // in the account besides samples
  std::atomic<std::uint64_t> samples_peak_{0};
  std::atomic<std::uint64_t> samples_read_{0};
  std::mutex read_mutex_;  // guards read_at_step_ while tasks run
  std::vector<std::uint64_t> read_at_step_;
  std::size_t scales_ = 0;  // ReadScales that live; changes while no task runs
  std::uint64_t series_count_ = 0;
};

}  // namespace varve::promql
