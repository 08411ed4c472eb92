// SPDX-License-Identifier: Apache-2.0
#include "storage/block/layout.h"

#include <algorithm>

#include "base/try.h"
#include "storage/block/bytes.h"

namespace varve::storage::block {
namespace {

// Ordinals, ids of values, lists and columns are 32 bits.
constexpr std::uint64_t kCountMax = 0xffff'fff0;

Result<Name> read_name(codec::ByteReader& reader, const PagedFile& file, const Layout& layout,
                       std::uint64_t section_at) {
  const auto malformed = [&] {
    return file.corrupt(section_at + reader.taken(), "label names: malformed record");
  };
  Name name;
  name.name = take_string(reader);
  NameRecord record;
  const std::uint64_t values = reader.uvarint();
  const std::uint64_t series = reader.uvarint();
  for (std::uint64_t* field :
       {&record.at, &record.strings_bytes, &record.starts_bytes, &record.column_bytes,
        &record.postings_bytes, &record.postings_starts_bytes}) {
    *field = reader.uvarint();
  }
  if (reader.failed() || name.name.empty() || values == 0 || series < values ||
      series > layout.series) {
    return malformed();
  }
  const Extent whole{&file, 0, file.content_bytes()};
  std::uint64_t at = record.at;
  const auto next = [&](std::uint64_t bytes) -> Result<Extent> {
    if (bytes > file.content_bytes()) return malformed();
    auto part = whole.part(at, bytes);
    at += bytes;
    return part;
  };
  VARVE_TRY_ASSIGN(const Extent strings, next(record.strings_bytes));
  VARVE_TRY_ASSIGN(const Extent starts, next(record.starts_bytes));
  VARVE_TRY_ASSIGN(const Extent column, next(record.column_bytes));
  VARVE_TRY_ASSIGN(name.postings, next(record.postings_bytes));
  VARVE_TRY_ASSIGN(const Extent postings_starts, next(record.postings_starts_bytes));
  name.dictionary_bytes = record.strings_bytes + record.starts_bytes;
  name.column_bytes = record.column_bytes;
  name.postings_bytes = record.postings_bytes + record.postings_starts_bytes;
  const auto count = static_cast<std::uint32_t>(values);
  name.series = static_cast<std::uint32_t>(series);
  name.values = Dictionary(strings, starts, count);
  VARVE_TRY_ASSIGN(name.column,
                   IdColumn::open(column, static_cast<std::uint32_t>(layout.series), count));
  name.postings_starts = PackedArray(postings_starts, values + 1);
  return name;
}

}  // namespace

std::string Layout::encode() const {
  std::string out(reinterpret_cast<const char*>(&data_content_bytes), sizeof data_content_bytes);
  out.append(reinterpret_cast<const char*>(&data_identity), sizeof data_identity);
  for (const SectionPlace& place : sections) {
    append_uvarint(out, place.at);
    append_uvarint(out, place.size);
  }
  for (const std::uint64_t count : {series, columns, lists, shapes, names}) {
    append_uvarint(out, count);
  }
  return out;
}

Result<Layout> Layout::read(const PagedFile& file) {
  VARVE_TRY_ASSIGN(const std::string_view bytes, file.read(file.root_at(), file.root_bytes()));
  codec::ByteReader reader(unsigned_bytes(bytes));
  Layout layout;
  layout.data_content_bytes = reader.word();
  layout.data_identity = reader.word();
  bool good = true;
  for (SectionPlace& place : layout.sections) {
    place.at = reader.uvarint();
    place.size = reader.uvarint();
    good =
        good && place.at <= file.content_bytes() && place.size <= file.content_bytes() - place.at;
  }
  for (std::uint64_t* count :
       {&layout.series, &layout.columns, &layout.lists, &layout.shapes, &layout.names}) {
    *count = reader.uvarint();
    good = good && *count <= kCountMax;
  }
  good = good && !reader.failed() &&
         layout.at(Section::kHashes).size == layout.series * kHashBytes &&
         layout.at(Section::kColumns).size == layout.columns * kColumnRecordBytes &&
         layout.at(Section::kColumns).at % alignof(ColumnRecord) == 0 &&
         // Each is used by a series at least.
         layout.lists <= layout.series && layout.shapes <= layout.series &&
         layout.names <= layout.at(Section::kNames).size;
  if (!good) return file.corrupt(file.root_at(), "the index's root is malformed");
  return layout;
}

void NameRecord::encode(std::string_view name, std::string& out) const {
  append_uvarint(out, name.size());
  out += name;
  for (const std::uint64_t field :
       {std::uint64_t{values}, std::uint64_t{series}, at, strings_bytes, starts_bytes, column_bytes,
        postings_bytes, postings_starts_bytes}) {
    append_uvarint(out, field);
  }
}

Result<std::vector<Name>> read_names(const PagedFile& file, const Layout& layout) {
  const Extent section = layout.extent(file, Section::kNames);
  VARVE_TRY_ASSIGN(const std::string_view bytes, section.all());
  codec::ByteReader reader(unsigned_bytes(bytes));
  std::vector<Name> names;
  names.reserve(layout.names);
  for (std::uint64_t i = 0; i < layout.names; ++i) {
    VARVE_TRY_ASSIGN(Name name, read_name(reader, file, layout, section.at));
    if (!names.empty() && names.back().name >= name.name) {
      return section.corrupt(reader.taken(), "label names do not ascend");
    }
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace varve::storage::block
