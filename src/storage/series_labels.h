// SPDX-License-Identifier: Apache-2.0
// Which labels a series may have.
#pragma once

#include <cstddef>

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage {

// Of Labels::bytes(). The index relies on it (index::kLabelsMax), and one series in the log and in
// answers stays within reason. No protocol's own limit is larger.
inline constexpr std::size_t kSeriesLabelsBytesMax = std::size_t{1} << 20;

// kInvalidArgument unless there is a label, all names and values are UTF-8, names not empty, and
// all together take at most kSeriesLabelsBytesMax.
Status check_series_labels(const Labels& labels);

}  // namespace varve::storage
