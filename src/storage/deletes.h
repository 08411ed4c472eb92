// SPDX-License-Identifier: Apache-2.0
// Hides samples on request: by the log and marks in the head, by tombstone files in blocks.
#pragma once

#include <span>
#include <vector>

#include "model/matcher.h"
#include "storage/engine.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

// See Db::delete_series(). By one thread at a time, and not beside a cut or a compaction: what
// those carry over would not know of it.
Status delete_samples(const Engine& engine,
                      std::span<const std::vector<model::Matcher>> selectors, TimeRange range);

}  // namespace varve::storage
