// SPDX-License-Identifier: Apache-2.0
// Numbers as the text formats write them, with the meaning of Go's strconv.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace varve::wire {

// A float as Go's ParseFloat reads it, without hexadecimal and underscores: a sign, decimal digits
// with an exponent, "Inf", "Infinity", "NaN" in any case. NaN becomes kNormalNanBits; a number too
// large for a double is nothing, one too small is zero.
std::optional<double> parse_exposition_float(std::string_view text);

// The same for what most samples are: digits with a point among them or none, at most 16 characters
// together, behind a minus sign or none, and digits that a double holds exactly. Whatever else is
// nothing here.
std::optional<double> parse_short_decimal(std::string_view text);

// A decimal int64 with an optional sign.
std::optional<std::int64_t> parse_exposition_int(std::string_view text);

}  // namespace varve::wire
