// SPDX-License-Identifier: Apache-2.0
// The root of an index: where its sections are, and what is known of the parts of each label name.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/block/dictionary.h"
#include "storage/block/format.h"
#include "storage/block/packed.h"
#include "storage/block/paged_file.h"
#include "varve/result.h"

namespace varve::storage::block {

struct SectionPlace {
  std::uint64_t at = 0;
  std::uint64_t size = 0;
};

struct Layout {
  std::array<SectionPlace, static_cast<std::size_t>(Section::kCount)> sections;
  std::uint64_t series = 0, columns = 0, lists = 0, shapes = 0, names = 0;
  std::uint64_t data_content_bytes = 0;
  std::uint64_t data_identity = 0;  // of the file the index belongs to

  SectionPlace& at(Section section) { return sections[static_cast<std::size_t>(section)]; }
  const SectionPlace& at(Section section) const {
    return sections[static_cast<std::size_t>(section)];
  }
  Extent extent(const PagedFile& file, Section section) const {
    return {&file, at(section).at, at(section).size};
  }

  std::string encode() const;
  // From the root of the file; everything is checked to lie within the file and to fit together.
  static Result<Layout> read(const PagedFile& file);
};

// What stands in the index for each column.
struct ColumnRecord {
  std::int64_t min_ms;
  std::int64_t max_ms;
  std::uint64_t times_at;     // in `data`
  std::uint32_t times_bytes;  // 0: the chunks hold their own
  std::uint32_t count;
};
static_assert(sizeof(ColumnRecord) == kColumnRecordBytes);

// Where the parts of a label name are: one after the other from `at` on.
struct NameRecord {
  std::uint32_t values = 0;  // distinct ones
  std::uint32_t series = 0;  // that have it
  std::uint64_t at = 0;
  std::uint64_t strings_bytes = 0, starts_bytes = 0, column_bytes = 0;
  std::uint64_t postings_bytes = 0, postings_starts_bytes = 0;

  void encode(std::string_view name, std::string& out) const;
};

// A label name, open for reading.
struct Name {
  std::string name;
  std::uint32_t series = 0;
  Dictionary values;
  IdColumn column;  // by ordinal: the value's id, 0 for none
  Extent postings;
  PackedArray postings_starts;  // by value id - 1, and the end
  std::uint64_t dictionary_bytes = 0, column_bytes = 0, postings_bytes = 0;  // with their places
};

// All of them, sorted by name.
Result<std::vector<Name>> read_names(const PagedFile& file, const Layout& layout);

}  // namespace varve::storage::block
