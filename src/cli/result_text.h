// SPDX-License-Identifier: Apache-2.0
// Answers of the HTTP API as promtool prints them.
#pragma once

#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::cli {

enum class ResultFormat : std::uint8_t { kPromql, kJson };

// `body` is what /api/v1/query, query_range, series or label values answered. The text ends with a
// newline, or is empty for an empty list. kUnavailable: the server's error, or no answer of this
// API.
Result<std::string> value_text(std::string_view body, ResultFormat format);
Result<std::string> series_text(std::string_view body, ResultFormat format);
Result<std::string> label_values_text(std::string_view body, ResultFormat format);

}  // namespace varve::cli
