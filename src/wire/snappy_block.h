// SPDX-License-Identifier: Apache-2.0
// The elements of a snappy block, undone. What claims which length is compression.cc's business.
#pragma once

#include <cstddef>
#include <string_view>

namespace varve::wire {

// Writes what `elements` (a snappy block behind its length) stand for to [out, out + size), and
// nothing beyond. False: they are broken, or stand for another number of bytes; what is in `out`
// then is of no use. Cost: about 3 ns an element. The library, as Debian builds it, calls memmove
// for each.
bool snappy_undo(std::string_view elements, char* out, std::size_t size);

}  // namespace varve::wire
