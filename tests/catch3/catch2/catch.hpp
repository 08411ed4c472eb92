// SPDX-License-Identifier: Apache-2.0
// Where a distribution has Catch2 3 instead of 2: the header of version 2 by what version 3 offers,
// as far as these tests use it.
#pragma once

#include <catch2/catch_all.hpp>
#include <string>

namespace Catch {

inline auto Contains(const std::string& text) { return Matchers::ContainsSubstring(text); }
using Matchers::EndsWith;

}  // namespace Catch

using Catch::Approx;  // version 2 puts it there too
