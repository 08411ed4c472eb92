// SPDX-License-Identifier: Apache-2.0
// Emptying containers for good. `x = {}` looks as if it did, but assigns an empty list, and
// strings, vectors and deques keep their memory then; so does a string that is moved a short one.
#pragma once

#include <utility>

namespace varve::base {

// Leaves each empty and without memory of its own.
template <typename... Containers>
void release_memory(Containers&... containers) {
  ((void)Containers(std::move(containers)), ...);
  ((containers = Containers()), ...);  // whatever being moved from means
}

}  // namespace varve::base
