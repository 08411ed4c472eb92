// SPDX-License-Identifier: Apache-2.0
// gzip for the JSON of range queries, whose points PointsMatcher knows.
//
// Of a point of 17 digits, 34 bytes, libdeflate at level 1 makes 13 bytes in 90 to 150 ns; this
// makes 10 to 12 in 50. Short numbers are a tenth to a quarter smaller too, in about the same time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/content_coding.h"

namespace varve::http {

// Holds 32 KiB of what it was given besides the piece at hand, and 40 KB of tables. Text without
// points arrives as it was, too, but libdeflate is better at that.
std::unique_ptr<StreamCompressor> make_points_gzip();

// Compress a whole body into `out`, replacing it. For short ones: the thread keeps the tables and
// as much memory as the longest one took.
void points_gzip(std::string_view plain, std::string& out);

}  // namespace varve::http
