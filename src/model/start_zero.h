// SPDX-License-Identifier: Apache-2.0
// What a series that tells when it began had at that time: nothing.
#pragma once

#include "varve/sample.h"

namespace varve::model {

// An empty histogram of the kind and resolution of `first`, so that the two can be subtracted.
inline Histogram start_zero(const Histogram& first) {
  Histogram zero;
  zero.schema = first.schema;
  zero.integer = first.integer;
  zero.zero_threshold = first.zero_threshold;
  zero.custom_bounds = first.custom_bounds;
  zero.counter_reset_hint = CounterResetHint::kReset;
  return zero;
}

}  // namespace varve::model
