// SPDX-License-Identifier: Apache-2.0
#include "storage/head/chunk_list.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace varve::storage::head {

namespace {

// An entry: a byte of widths, then column, offset and length, low bytes first. The widths are the
// bytes of the column less one, of the offset (never 0, so that a byte of zero ends a block) and of
// the length less one; the highest bit stands for a chunk of histograms.
constexpr unsigned kOffsetShift = 2, kLengthShift = 5;
constexpr unsigned kHistogramBit = 0x80;
constexpr std::size_t kEntryBytesMax = 1 + 4 + 5 + 3;
constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << 40) - 1;

using Entry = std::array<std::byte, kEntryBytesMax>;

unsigned width(std::uint64_t number) {
  return number == 0 ? 1 : (static_cast<unsigned>(std::bit_width(number)) + 7) / 8;
}

// The length of the entry that says where `chunk` is, after `before`.
std::size_t encode(const ChunkRef& before, const ChunkRef& chunk, Entry& out) {
  const TimeColumnId column = chunk.column - before.column;  // both wrap
  const std::uint64_t offset = (chunk.place.offset() - before.place.offset()) & kOffsetMask;
  const std::uint64_t length = chunk.place.length();
  const unsigned tag = chunk.place.tag();
  VARVE_CHECK(tag == ChunkRef::kFloats || tag == ChunkRef::kHistograms);
  std::size_t size = 1;
  const auto put = [&](std::uint64_t number, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) out[size++] = static_cast<std::byte>(number >> (8 * i));
  };
  const unsigned column_bytes = width(column), offset_bytes = width(offset);
  const unsigned length_bytes = width(length);
  out[0] = static_cast<std::byte>((column_bytes - 1) | offset_bytes << kOffsetShift |
                                  (length_bytes - 1) << kLengthShift |
                                  (tag == ChunkRef::kHistograms ? kHistogramBit : 0U));
  put(column, column_bytes);
  put(offset, offset_bytes);
  put(length, length_bytes);
  return size;
}

}  // namespace

ListBlock::ListBlock(const Block& block) {
  // A number is read as eight bytes of which some count: of a copy, as those behind the block are
  // another's. The zeros end it if the block is full.
  std::array<std::byte, sizeof block.bytes + sizeof(std::uint64_t)> bytes{};
  std::memcpy(bytes.data(), block.bytes.data(), sizeof block.bytes);
  const auto take = [&](unsigned count) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data() + used_, sizeof number);
    used_ += count;
    return number & ((std::uint64_t{1} << (8 * count)) - 1);
  };
  ChunkRef ref;
  while (bytes[used_] != std::byte{0}) {
    const auto widths = static_cast<unsigned>(bytes[used_++]);
    ref.column += static_cast<TimeColumnId>(take((widths & 3) + 1));
    const std::uint64_t offset =
        (ref.place.offset() + take(widths >> kOffsetShift & 7)) & kOffsetMask;
    const std::uint64_t length = take((widths >> kLengthShift & 3) + 1);
    ref.place = SpillPlace::make(
        offset, length, (widths & kHistogramBit) != 0 ? ChunkRef::kHistograms : ChunkRef::kFloats);
    refs_[count_++] = ref;
  }
}

void push_chunks(BlockArena& arena, HotSeries& series, std::span<const ChunkRef> newest_first) {
  std::size_t used = sizeof(Block::bytes);
  ChunkRef before;
  if (series.chunks != 0) {
    const ListBlock newest(arena.at(series.chunks));
    used = newest.used_bytes();
    before = newest.refs().back();
  }
  for (std::size_t i = newest_first.size(); i-- > 0;) {
    Entry entry;
    std::size_t size = encode(before, newest_first[i], entry);
    if (used + size > sizeof(Block::bytes)) {
      series.chunks = arena.allocate(series.chunks);
      used = 0;
      size = encode({}, newest_first[i], entry);
    }
    Block& block = arena.at(series.chunks);
    std::memcpy(block.bytes.data() + used, entry.data(), size);
    used += size;
    if (used < sizeof block.bytes) block.bytes[used] = std::byte{0};
    before = newest_first[i];
  }
}

void release_chunks(BlockArena& arena, HotSeries& series) {
  arena.release(series.chunks);
  series.chunks = 0;
}

}  // namespace varve::storage::head
