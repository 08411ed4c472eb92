// SPDX-License-Identifier: Apache-2.0
// Floats as text, the way Prometheus (Go's strconv) writes and reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace varve::model {

// Result JSON: shortest digits that round-trip, positional, but with an exponent below 1e-6 and
// from 1e21 ("1e-07", "1e+21"). NaN, +Inf, -Inf.
std::string format_float(double value);
void append_float(std::string& out, double value);
// The same to where there are kFloatTextMax bytes, all of which it may change; where the text ends.
inline constexpr std::size_t kFloatTextMax = 48;
char* write_float(char* at, double value);

// Shortest round-trip digits, always positional (Go's 'f'): count_values, `le` labels in PromQL.
std::string format_float_positional(double value);

// Go's %g and %v: shortest digits, exponent below 1e-4 and from 1e6 ("1e+06"). In annotations and
// printed histograms.
std::string format_float_g(double value);
// Go's %.<digits>g (of two significant digits in one annotation).
std::string format_float_g(double value, int digits);
// Go's %f: six decimals.
std::string format_float_fixed(double value);

// What Go's ParseFloat(s, 64) accepts, without its underscores: decimal and hexadecimal floats (hex
// numbers need a `p` exponent), inf and infinity with an optional sign, nan without; case does not
// matter; no spaces. A value
// beyond the range of double is nullopt (Go: an error); parse_float_or_inf gives ±Inf for it.
std::optional<double> parse_float(std::string_view text);
std::optional<double> parse_float_or_inf(std::string_view text);

}  // namespace varve::model
