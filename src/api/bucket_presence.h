// SPDX-License-Identifier: Apache-2.0
// Series whose samples have gone still exist where buckets of them are left.
#pragma once

#include <cstddef>

#include "storage/querier.h"

namespace varve::api {

// Whether a series of the selection has a bucket that covers some of the range. Buckets that cannot
// be read count as none. Precondition: selected with buckets allowed.
bool has_bucket(const storage::Selection& selection, std::size_t series, TimeRange range);

}  // namespace varve::api
