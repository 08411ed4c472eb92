// SPDX-License-Identifier: Apache-2.0
// How a query gets out: a querier pins the blocks of its time and the head's index, its selections
// join what they have of each series.
#pragma once

#include <memory>

#include "storage/block_set.h"
#include "storage/head/head.h"
#include "storage/keeping.h"
#include "storage/querier.h"
#include "storage/read_context.h"

namespace varve::storage {

// How long what is kept, as of the beginning of a query.
struct ReadRules {
  std::shared_ptr<const Keeping> keeping;
  Timestamp newest_ms = TimeRange::all().min_ms;  // see Keeping::plan_input()
  std::int64_t raw_retention_ms = 0;              // default
};

// A querier that sees nothing outside `range`. The head must outlive it and its selections.
// `blocks` must have been taken before the call: what it says to be in blocks is not looked for in
// the head.
std::unique_ptr<Querier> make_querier(const head::Head& head,
                                      std::shared_ptr<const BlockSet> blocks, TimeRange range,
                                      ReadRules rules, ReadObservers observers);

}  // namespace varve::storage
