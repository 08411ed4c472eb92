// SPDX-License-Identifier: Apache-2.0
// Numbers under printf's verbs and flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve::templates {

struct FormatFlags {
  bool plus = false, minus = false, sharp = false, space = false, zero = false;
  std::optional<std::int64_t> width, precision;
};

// Verbs b o O d x X; the sign is apart so that uint64 fits.
std::string format_integer(std::uint64_t magnitude, bool negative, char verb,
                           const FormatFlags& flags);
// Verbs e E f F g G x X; without a precision the shortest digits for g, six for e and f.
std::string format_float(double value, char verb, const FormatFlags& flags);
// Pads with spaces (or zeros) to the width in characters.
std::string padded(std::string text, const FormatFlags& flags);

}  // namespace varve::templates
