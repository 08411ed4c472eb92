// SPDX-License-Identifier: Apache-2.0
#include "storage/block/tombstones.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/format.h"

namespace varve::storage::block {
namespace {

// Larger files are refused: 10 bytes a range would be more ranges than a block has series.
constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 30;
constexpr std::size_t kHeaderBytes = 16;   // magic, version, generation
constexpr std::size_t kChecksumBytes = 8;  // of all before it
// None is written that often; so the next number never wraps.
constexpr std::uint64_t kGenerationMax = std::uint64_t{1} << 62;

void append_varint(std::string& out, std::int64_t value) {
  append_uvarint(out, codec::to_zigzag(value));
}

}  // namespace

void Tombstones::add(std::uint32_t ordinal, TimeRange range) {
  if (range.empty()) return;
  std::vector<TimeRange>& ranges = by_ordinal_[ordinal];
  // Those that end right before it or later, and begin right behind it or earlier, become one.
  const auto ends_before = [&](const TimeRange& other) {
    return other.max_ms < range.min_ms && other.max_ms + 1 < range.min_ms;
  };
  const auto begins_behind = [&](const TimeRange& other) {
    return other.min_ms > range.max_ms && other.min_ms - 1 > range.max_ms;
  };
  const auto first = std::partition_point(ranges.begin(), ranges.end(), ends_before);
  const auto last = std::find_if(first, ranges.end(), begins_behind);
  if (first != last) {
    range.min_ms = std::min(range.min_ms, first->min_ms);
    range.max_ms = std::max(range.max_ms, std::prev(last)->max_ms);
  }
  ranges.insert(ranges.erase(first, last), range);
}

std::span<const TimeRange> Tombstones::of(std::uint32_t ordinal) const {
  const auto found = by_ordinal_.find(ordinal);
  if (found == by_ordinal_.end()) return {};
  return found->second;
}

Result<Tombstones> Tombstones::read(fs::FileSystem& files, const std::string& directory,
                                    std::uint64_t generation_min) {
  const std::string path = fs::join(directory, kTombstonesFile);
  const auto content = files.read_file(path, kFileBytesMax);
  if (!content.ok() && content.error().code() == ErrorCode::kNotFound) {
    if (generation_min == 0) return Tombstones();
    return Error(ErrorCode::kCorruption,
                 fmt::format("{}: missing, though samples of the block were deleted", path));
  }
  if (!content.ok()) return content.error();
  const auto corrupt = [&](std::size_t at, std::string_view what) {
    return Error(ErrorCode::kCorruption, fmt::format("{} at {}: {}", path, at, what));
  };
  if (content->size() < kHeaderBytes + kChecksumBytes) return corrupt(0, "too short");
  std::uint32_t header[2];
  std::memcpy(header, content->data(), sizeof header);
  if (header[0] != kTombstonesMagic) return corrupt(0, "wrong magic");
  const std::size_t checksum_at = content->size() - kChecksumBytes;
  std::uint64_t stored = 0;
  std::memcpy(&stored, content->data() + checksum_at, sizeof stored);
  if (XXH3_64bits(content->data(), checksum_at) != stored) {
    return corrupt(checksum_at, "checksum mismatch");
  }
  if (header[1] != kTombstonesVersion) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: has format version {}, this Varve reads version {} only", path,
                             header[1], kTombstonesVersion));
  }
  codec::ByteReader reader(
      unsigned_bytes(std::string_view(*content).substr(0, checksum_at)).subspan(kHeaderBytes));
  Tombstones tombstones;
  std::memcpy(&tombstones.generation_, content->data() + sizeof header, sizeof generation_min);
  if (tombstones.generation_ == 0 || tombstones.generation_ > kGenerationMax) {
    return corrupt(sizeof header, "malformed");
  }
  if (tombstones.generation_ < generation_min) {
    return corrupt(sizeof header, fmt::format("an older file: deletes were written {} times, this "
                                              "has the first {}",
                                              generation_min, tombstones.generation_));
  }
  while (reader.left() > 0) {
    const std::uint64_t ordinal = reader.uvarint();
    const std::uint64_t ranges = reader.uvarint();
    if (ordinal > std::numeric_limits<std::uint32_t>::max()) reader.mark_failed();
    for (std::uint64_t i = 0; i < ranges && !reader.failed(); ++i) {
      TimeRange range;
      range.min_ms = static_cast<Timestamp>(reader.varint());
      range.max_ms = static_cast<Timestamp>(reader.varint());
      if (!reader.failed()) tombstones.add(static_cast<std::uint32_t>(ordinal), range);
    }
    if (reader.failed()) return corrupt(kHeaderBytes + reader.taken(), "malformed");
  }
  return tombstones;
}

Status Tombstones::write(fs::FileSystem& files, const std::string& directory) const {
  std::string content;
  const std::uint32_t header[2] = {kTombstonesMagic, kTombstonesVersion};
  content.append(reinterpret_cast<const char*>(header), sizeof header);
  content.append(reinterpret_cast<const char*>(&generation_), sizeof generation_);
  for (const auto& [ordinal, ranges] : by_ordinal_) {
    append_uvarint(content, ordinal);
    append_uvarint(content, ranges.size());
    for (const TimeRange& range : ranges) {
      append_varint(content, range.min_ms);
      append_varint(content, range.max_ms);
    }
  }
  const std::uint64_t checksum = XXH3_64bits(content.data(), content.size());
  content.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return files.write_file_atomically(fs::join(directory, kTombstonesFile), content);
}

}  // namespace varve::storage::block
