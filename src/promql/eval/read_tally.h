// SPDX-License-Identifier: Apache-2.0
// How many samples one task of a query reads, and at which of its steps if somebody wants to know.
// Counts without a lock; the state of the query learns the sum at the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "promql/eval/query_state.h"

namespace varve::promql {

class ReadTally {
 public:
  explicit ReadTally(QueryState& state) : state_(state), at_step_(state.steps_counted()) {}
  ~ReadTally() { state_.count_read(total_, at_step_); }
  ReadTally(const ReadTally&) = delete;
  ReadTally& operator=(const ReadTally&) = delete;

  void add(std::size_t step, std::uint64_t samples) {
    total_ += samples;
    if (!at_step_.empty()) at_step_[step] += samples;
  }
  // The windows [lo[i], hi[i]) of all steps, of together `total` samples.
  void add_windows(std::span<const std::uint32_t> lo, std::span<const std::uint32_t> hi,
                   std::uint64_t total) {
    total_ += total;
    if (at_step_.empty()) return;
    for (std::size_t step = 0; step < lo.size(); ++step) at_step_[step] += hi[step] - lo[step];
  }

 private:
  QueryState& state_;
  std::uint64_t total_ = 0;
  std::vector<std::uint64_t> at_step_;  // empty: nobody wants to know
};

}  // namespace varve::promql
