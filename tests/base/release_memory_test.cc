// SPDX-License-Identifier: Apache-2.0
#include "base/release_memory.h"

#include <catch2/catch.hpp>
#include <deque>
#include <string>
#include <vector>

namespace varve::base {
namespace {

TEST_CASE("release_memory: what was large keeps nothing", "[base]") {
  std::string text(1000, 'x');
  std::vector<std::string> strings(1000);
  std::deque<int> queue(1000);
  release_memory(text, strings, queue);
  CHECK(text.empty());
  CHECK(text.capacity() == std::string().capacity());
  CHECK(strings.capacity() == 0);
  CHECK(queue.empty());
}

}  // namespace
}  // namespace varve::base
