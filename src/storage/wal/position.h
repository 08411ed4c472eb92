// SPDX-License-Identifier: Apache-2.0
// Where a frame stands in the log.
#pragma once

#include <cstdint>

namespace varve::storage::wal {

// Frames are numbered from 1 without gaps for the life of a database; segments too, and an id is
// never used again, which is how stale bytes of a recycled file are told from frames.
struct FramePosition {
  std::uint64_t seq = 1;
  std::uint32_t segment = 1;
  friend bool operator==(const FramePosition&, const FramePosition&) = default;
};

}  // namespace varve::storage::wal
