// SPDX-License-Identifier: Apache-2.0
// From the head into blocks: the cut of a whole window when it has ended. Stops neither writers nor
// readers. (Series that leave early are idle_series.h.)
#pragma once

#include <optional>
#include <vector>

#include "base/metrics.h"
#include "storage/engine.h"
#include "storage/head_blocks.h"
#include "varve/result.h"

namespace varve::storage {

// When a window may be cut. Precondition: there are in-order samples, and the oldest that no block
// has lies at `min_ms`.
struct CutChoice {
  Timestamp min_ms = 0;
  Timestamp max_ms = 0;                    // the newest sample
  std::int64_t out_of_order_window_ms = 0;
  bool asked = false;                      // by somebody, not by the clock
};
// Up to where to cut; nullopt: not yet. By the clock: when the head spans a window and a half, so
// that a cut never comes before what may still be appended in order. On demand: as soon as the
// window has ended, if what then comes in order is taken as late.
std::optional<Timestamp> choose_cut(const CutChoice& choice);

// By one thread at a time (maintenance).
class Flush {
 public:
  explicit Flush(const Engine& engine);

  // Cuts the oldest window there is if it is due; whether it did. `asked`: see CutChoice.
  Result<bool> cut_window(bool asked);
  // Takes what has come late for time that is in blocks already into blocks of its own;
  // kUnavailable: a reader holds the cut before back. What comes late for the time since goes with
  // its window.
  Status cut_late();
  // Gives back what a cut has moved into a block, once no reader needs it; false: some still do.
  bool trim();

 private:
  Status cut(Timestamp before_ms, bool late_only);

  const Engine engine_;
  std::optional<Timestamp> trim_before_ms_;  // a cut that readers may still need the head for
  base::Counter& truncations_;
  base::Counter& truncations_failed_;
  base::Counter& chunks_lost_;
};

}  // namespace varve::storage
