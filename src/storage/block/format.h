// SPDX-License-Identifier: Apache-2.0
// The constants of a block's files; FORMAT.md says what they mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace varve::storage::block {

inline constexpr std::string_view kIndexFile = "index";
inline constexpr std::string_view kDataFile = "data";
inline constexpr std::string_view kTombstonesFile = "tombstones";

// "VBIX", "VBDT" and "VBTS", little-endian.
inline constexpr std::uint32_t kIndexMagic = 0x58494256;
inline constexpr std::uint32_t kDataMagic = 0x54444256;
inline constexpr std::uint32_t kTombstonesMagic = 0x53544256;
inline constexpr std::uint32_t kFormatVersion = 1;      // of index and data
inline constexpr std::uint32_t kTombstonesVersion = 2;  // of tombstones

// Of index and data: header, pages, table of their checksums, footer.
inline constexpr std::size_t kPageBytes = 64 << 10;
inline constexpr std::size_t kFileHeaderBytes = 8;  // magic, version
inline constexpr std::size_t kFooterBytes = 48;
inline constexpr std::size_t kFooterChecksumAt = 40;

// Numbers in packed arrays stand in groups, each an integer block of the codecs.
inline constexpr std::size_t kGroupSize = 128;
// Of those that are asked for one by one: the places of series. 16 take 0.4 B more than 128 and are
// read in a fifth of the time, which is half of what finding the chunks of a series takes.
inline constexpr std::size_t kSmallGroupSize = 16;
// Strings of a dictionary between two that are stored whole.
inline constexpr std::size_t kDictionaryGroup = 16;

inline constexpr std::size_t kHashBytes = 16;
inline constexpr std::size_t kColumnRecordBytes = 32;

// Sections of the index, in the order in which the root lists them.
enum class Section : std::uint8_t {
  kMeta,           // JSON
  kHashes,         // 16 bytes per series
  kSeriesStarts,   // packed array: where in `data` each series begins, and the end
  kColumns,        // records of 32 bytes
  kLists,          // lists of columns
  kListStarts,     // packed array
  kShapes,         // sets of label names
  kShapeStarts,    // packed array
  kShapeOfSeries,  // id column
  kNames,          // records: a name and where its parts are
  kCount,
};

enum class OrdinalsKind : std::uint8_t { kRuns = 0, kBlocks = 1, kBitmap = 2, kOneRun = 3 };
// A list of ordinals of so many bytes or fewer is a single one.
inline constexpr std::size_t kSingleOrdinalBytesMax = 4;

enum class IdColumnKind : std::uint8_t { kPacked = 0, kRuns = 1 };

// Lengths of chunks as a series' directory has them: the two lowest have a meaning of their own,
// and no chunk is that short.
inline constexpr std::uint64_t kLengthSame = 0;     // the bytes of the chunk before
inline constexpr std::uint64_t kLengthAllSame = 1;  // so for all that follow

}  // namespace varve::storage::block
