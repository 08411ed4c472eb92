// SPDX-License-Identifier: Apache-2.0
// The constants of the log's files; FORMAT.md says what they mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace varve::storage::wal {

// "VWL1", little-endian. The last byte is the format's version.
inline constexpr std::uint32_t kFrameMagic = 0x314c5756;
inline constexpr std::size_t kFrameHeaderBytes = 40;
inline constexpr std::size_t kFrameChecksumAt = 32;  // covers the bytes before it, and the payload
inline constexpr std::size_t kSectionHeaderBytes = 8;
inline constexpr std::size_t kFramePayloadMax = std::size_t{1} << 30;

enum class SectionKind : std::uint8_t { kSeries = 1, kRun = 2 };

enum class RecordKind : std::uint8_t {
  kSeries = 1,
  kMetadata = 2,
  kFloats = 16,
  kHistogram = 17,
  kExemplar = 18,
  kTombstone = 19,
  kRetired = 20,
  kLateFloat = 21,
};

// A float run: kind u8 | samples u32 | bytes u32 | first timestamp i64 | samples.
inline constexpr std::size_t kFloatRunHeaderBytes = 17;
// tag + id delta + timestamp delta + value.
inline constexpr std::size_t kFloatSampleBytesMax = 1 + 5 + 10 + 8;

// All other records: kind u8 | bytes u32 | body.
inline constexpr std::size_t kRecordHeaderBytes = 5;

// "VWS1", little-endian: the file beside the segments. Two slots, so far apart that no disk writes
// both with one sector.
inline constexpr std::uint32_t kLogStateMagic = 0x31535756;
inline constexpr std::size_t kLogStateBytes = 56;
inline constexpr std::size_t kLogStateSlotBytes = 4096;
inline constexpr std::size_t kLogStateSlots = 2;
inline constexpr std::size_t kLogStateFileBytes = kLogStateSlots * kLogStateSlotBytes;

struct FrameHeader {
  std::uint32_t payload_bytes = 0;
  std::uint32_t segment = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t seq = 0;
  std::uint64_t checksum = 0;
};
// XXH3-64 of the frame up to its checksum and behind it. The first part begins with the header.
std::uint64_t checksum_of(std::span<const std::string_view> parts);
// Fills kFrameHeaderBytes bytes. The checksum covers the bytes before it and the payload.
void encode_frame_header(const FrameHeader& header, char* out);
// nullopt if the magic is another one or there are too few bytes; nothing else is checked.
std::optional<FrameHeader> decode_frame_header(std::string_view bytes);

// "00000012.wal".
std::string segment_name(std::uint32_t segment);
std::optional<std::uint32_t> parse_segment_name(std::string_view name);
// A zeroed (or recycled) file waiting to become a segment: "spare-0" to "spare-15".
inline constexpr std::uint32_t kSparesMax = 16;
std::string spare_name(std::uint32_t index);

}  // namespace varve::storage::wal
