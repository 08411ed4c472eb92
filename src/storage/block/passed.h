// SPDX-License-Identifier: Apache-2.0
// What a block can be besides (block.h), for walks through all of its series.
#pragma once

#include <cstdint>

namespace varve::storage::block {

class Passed {
 public:
  virtual ~Passed() = default;
  // The chunks of the series [begin, end) were read and are not wanted soon: what memory their
  // pages take is given back. False, and nothing done, while that would be less than `bytes_min`.
  // Views stay valid.
  virtual bool forget(std::uint32_t begin, std::uint32_t end, std::uint64_t bytes_min) const = 0;
};

}  // namespace varve::storage::block
