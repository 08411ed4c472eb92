// SPDX-License-Identifier: Apache-2.0
// Which labels a series may have.
#pragma once

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage {

// kInvalidArgument unless there is a label and all names and values are UTF-8, names not empty.
Status check_series_labels(const Labels& labels);

}  // namespace varve::storage
