// SPDX-License-Identifier: Apache-2.0
// Percent encoding (RFC 3986, 2.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::http {

enum class PlusIs : std::uint8_t { kPlus, kSpace };  // in paths, in forms

// kInvalidArgument names a broken escape.
Result<std::string> percent_decode(std::string_view encoded, PlusIs plus);

}  // namespace varve::http
