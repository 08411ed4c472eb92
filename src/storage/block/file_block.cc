// SPDX-License-Identifier: Apache-2.0
#include "storage/block/file_block.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/format.h"

namespace varve::storage::block {
namespace {

// Fewer ordinals than one in so many values: their distinct ids are sorted instead of marked.
constexpr std::size_t kMarkedPerOrdinal = 8;

// Replaces ids (0: none) by numbers of those that occur, from 1 on, and returns these, ascending.
std::vector<std::uint32_t> renumber(std::vector<std::uint32_t>& ids, std::uint32_t id_max) {
  std::vector<std::uint32_t> distinct;
  if (ids.size() < id_max / kMarkedPerOrdinal) {
    distinct = ids;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (!distinct.empty() && distinct.front() == 0) distinct.erase(distinct.begin());
    for (std::uint32_t& id : ids) {
      if (id == 0) continue;
      const auto at = std::lower_bound(distinct.begin(), distinct.end(), id);
      id = static_cast<std::uint32_t>(at - distinct.begin()) + 1;
    }
    return distinct;
  }
  std::vector<std::uint32_t> numbers(id_max + std::size_t{1}, 0);
  for (const std::uint32_t id : ids) numbers[id] = 1;
  numbers[0] = 0;
  for (std::uint32_t id = 1; id <= id_max; ++id) {
    if (numbers[id] == 0) continue;
    distinct.push_back(id);
    numbers[id] = static_cast<std::uint32_t>(distinct.size());
  }
  for (std::uint32_t& id : ids) id = numbers[id];
  return distinct;
}

// The strings of some ids, one after the other.
struct Strings {
  std::string text;
  std::vector<std::size_t> ends;

  static Result<Strings> of(const Dictionary& dictionary, std::span<const std::uint32_t> ids) {
    Strings strings;
    strings.ends.reserve(ids.size());
    VARVE_TRY(dictionary.visit(ids, [&](std::uint32_t, std::string_view value) {
      strings.text += value;
      strings.ends.push_back(strings.text.size());
      return true;
    }));
    return strings;
  }
  std::string_view at(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
};

}  // namespace

Result<std::shared_ptr<Block>> Block::open(fs::FileSystem& files, std::string directory,
                                           std::uint64_t hash_fingerprint,
                                           std::uint64_t deletes_min) {
  return FileBlock::open(files, std::move(directory), hash_fingerprint, deletes_min);
}

Result<std::shared_ptr<Block>> FileBlock::open(fs::FileSystem& files, std::string directory,
                                               std::uint64_t hash_fingerprint,
                                               std::uint64_t deletes_min) {
  std::shared_ptr<FileBlock> block(new FileBlock());
  block->directory_ = std::move(directory);
  VARVE_TRY_ASSIGN(block->index_,
                   PagedFile::open(files, fs::join(block->directory_, kIndexFile), kIndexMagic));
  VARVE_TRY_ASSIGN(block->data_,
                   PagedFile::open(files, fs::join(block->directory_, kDataFile), kDataMagic));
  const PagedFile& index = *block->index_;
  VARVE_TRY_ASSIGN(block->layout_, Layout::read(index));
  const Layout& layout = block->layout_;
  if (layout.data_identity != block->data_->identity() ||
      layout.data_content_bytes != block->data_->content_bytes()) {
    return index.corrupt(index.root_at(),
                         fmt::format("belongs to other data than {}", block->data_->path()));
  }
  VARVE_TRY_ASSIGN(const std::string_view json, layout.extent(index, Section::kMeta).all());
  auto meta = meta_from_json(json);
  if (!meta.ok()) return index.corrupt(layout.at(Section::kMeta).at, meta.error().message());
  block->meta_ = std::move(*meta);
  block->meta_.bytes = index.file_bytes() + block->data_->file_bytes();
  if (block->meta_.series != layout.series) {
    return index.corrupt(layout.at(Section::kMeta).at, "metadata: another number of series");
  }
  if (hash_fingerprint != 0 && block->meta_.hash_fingerprint != hash_fingerprint) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: the block is of another database", block->directory_));
  }
  block->count_ = static_cast<std::uint32_t>(layout.series);
  block->series_starts_ =
      PackedArray(layout.extent(index, Section::kSeriesStarts), layout.series + 1, kSmallGroupSize);
  block->list_starts_ = PackedArray(layout.extent(index, Section::kListStarts), layout.lists + 1);
  block->shape_starts_ =
      PackedArray(layout.extent(index, Section::kShapeStarts), layout.shapes + 1);
  VARVE_TRY_ASSIGN(
      block->shape_of_series_,
      IdColumn::open(layout.extent(index, Section::kShapeOfSeries), block->count_,
                     layout.shapes == 0 ? 0 : static_cast<std::uint32_t>(layout.shapes - 1)));
  VARVE_TRY_ASSIGN(Tombstones tombstones, Tombstones::read(files, block->directory_, deletes_min));
  block->tombstones_ = std::make_shared<const Tombstones>(std::move(tombstones));
  return std::shared_ptr<Block>(std::move(block));
}

Result<std::vector<BlockPart>> FileBlock::parts() const {
  const auto section = [&](std::initializer_list<Section> sections) {
    std::uint64_t bytes = 0;
    for (const Section one : sections) bytes += layout_.at(one).size;
    return bytes;
  };
  BlockPart dictionaries{"index: label values"};
  BlockPart columns{"index: label columns"};
  BlockPart postings{"index: postings"};
  VARVE_TRY_ASSIGN(const std::vector<Name>* names, this->names());
  for (const Name& name : *names) {
    dictionaries.bytes += name.dictionary_bytes;
    columns.bytes += name.column_bytes;
    postings.bytes += name.postings_bytes;
  }
  std::vector<BlockPart> parts = {
      {"index: hashes", section({Section::kHashes})},
      {"index: label names", section({Section::kNames, Section::kShapes, Section::kShapeStarts,
                                      Section::kShapeOfSeries})},
      dictionaries,
      columns,
      postings,
      {"index: places of series", section({Section::kSeriesStarts})},
      {"index: time columns and lists",
       section({Section::kColumns, Section::kLists, Section::kListStarts})},
  };
  BlockPart rest{"index: checksums and metadata", index_->file_bytes()};
  for (const BlockPart& part : parts) rest.bytes -= part.bytes;
  parts.push_back(rest);
  BlockPart times{"data: times"};
  VARVE_TRY_ASSIGN(const ColumnRecord* records, column_records());
  for (std::uint64_t i = 0; i < layout_.columns; ++i) times.bytes += records[i].times_bytes;
  times.bytes = std::min(times.bytes, data_->content_bytes());
  parts.push_back(times);
  parts.push_back({"data: chunks", data_->content_bytes() - times.bytes});
  parts.push_back({"data: checksums", data_->file_bytes() - data_->content_bytes()});
  return parts;
}

Result<const std::vector<Name>*> FileBlock::names() const {
  if (!names_made_.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex_);
    if (!names_made_.load(std::memory_order_relaxed)) {
      VARVE_TRY_ASSIGN(names_, read_names(*index_, layout_));
      names_made_.store(true, std::memory_order_release);
    }
  }
  return &names_;
}

Result<const Name*> FileBlock::find_name(std::string_view name) const {
  VARVE_TRY_ASSIGN(const std::vector<Name>* names, this->names());
  const auto at = std::lower_bound(
      names->begin(), names->end(), name,
      [](const Name& known, std::string_view wanted) { return known.name < wanted; });
  if (at == names->end() || at->name != name) return static_cast<const Name*>(nullptr);
  return &*at;
}

Result<index::SeriesHash> FileBlock::hash(std::uint32_t ordinal) const {
  index::SeriesHash hash;
  VARVE_TRY(hashes(std::span(&ordinal, 1), std::span(&hash, 1)));
  return hash;
}

Status FileBlock::hashes(OrdinalSpan ordinals, std::span<index::SeriesHash> out) const {
  VARVE_CHECK(ordinals.size() == out.size());
  const Extent section = layout_.extent(*index_, Section::kHashes);
  for (std::size_t i = 0; i < ordinals.size(); ++i) {
    VARVE_CHECK(ordinals[i] < count_);
    VARVE_TRY_ASSIGN(const std::string_view bytes,
                     section.read(ordinals[i] * std::uint64_t{kHashBytes}, kHashBytes));
    std::memcpy(&out[i].low, bytes.data(), 8);
    std::memcpy(&out[i].high, bytes.data() + 8, 8);
  }
  return {};
}

Result<std::vector<std::uint32_t>> FileBlock::shape(std::uint32_t id) const {
  const Extent section = layout_.extent(*index_, Section::kShapes);
  VARVE_TRY_ASSIGN(const PackedArray::Bounds bounds, shape_starts_.bounds(id, section.size));
  VARVE_TRY_ASSIGN(const std::string_view bytes,
                   section.read(bounds.begin, bounds.end - bounds.begin));
  codec::ByteReader reader(unsigned_bytes(bytes));
  const std::uint64_t size = reader.uvarint();
  std::vector<std::uint32_t> ranks;
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < size; ++i) {
    next += reader.uvarint();
    if (reader.failed() || next >= layout_.names) {
      return section.corrupt(bounds.begin, "set of label names: malformed");
    }
    ranks.push_back(static_cast<std::uint32_t>(next++));
  }
  return ranks;
}

Status FileBlock::labels_of_shape(std::uint32_t shape_id, OrdinalSpan ordinals,
                                  std::span<const std::uint32_t> places,
                                  std::vector<Labels>& out) const {
  VARVE_TRY_ASSIGN(const std::vector<std::uint32_t> ranks, shape(shape_id));
  VARVE_TRY_ASSIGN(const std::vector<Name>* names, this->names());
  std::vector<std::string> bytes(ordinals.size());
  std::vector<std::uint32_t> ids(ordinals.size());
  for (const std::uint32_t rank : ranks) {
    const Name& name = (*names)[rank];
    VARVE_TRY(name.column.gather(ordinals, ids));
    const std::vector<std::uint32_t> distinct = renumber(ids, name.values.size());
    VARVE_TRY_ASSIGN(const Strings values, Strings::of(name.values, distinct));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::string_view value = ids[i] == 0 ? std::string_view() : values.at(ids[i] - 1);
      if (value.empty()) return index_->corrupt(0, "a series lacks a label of its set");
      append_uvarint(bytes[i], name.name.size());
      bytes[i] += name.name;
      append_uvarint(bytes[i], value.size());
      bytes[i] += value;
    }
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    out[places[i]] = Labels::from_bytes(std::move(bytes[i]));
  }
  return {};
}

Result<std::vector<Labels>> FileBlock::labels(OrdinalSpan ordinals) const {
  std::vector<std::uint32_t> shapes(ordinals.size());
  VARVE_TRY(shape_of_series_.gather(ordinals, shapes));
  // Where the series of each shape are, so that a name's column is gone through once for all.
  std::vector<std::uint32_t> places(ordinals.size());
  std::iota(places.begin(), places.end(), 0U);
  std::stable_sort(places.begin(), places.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return shapes[a] < shapes[b]; });
  std::vector<Labels> out(ordinals.size());
  Ordinals same;
  for (std::size_t begin = 0; begin < places.size();) {
    std::size_t end = begin;
    same.clear();
    for (; end < places.size() && shapes[places[end]] == shapes[places[begin]]; ++end) {
      same.push_back(ordinals[places[end]]);
    }
    VARVE_TRY(labels_of_shape(shapes[places[begin]], same,
                              std::span(places).subspan(begin, end - begin), out));
    begin = end;
  }
  return out;
}

Result<Labels> FileBlock::labels(std::uint32_t ordinal) const {
  VARVE_CHECK(ordinal < count_);
  VARVE_TRY_ASSIGN(std::vector<Labels> one, labels(OrdinalSpan(&ordinal, 1)));
  return std::move(one.front());
}

Result<BlockLabelColumn> FileBlock::label_column(OrdinalSpan ordinals,
                                                 std::string_view name) const {
  BlockLabelColumn column;
  column.ids.resize(ordinals.size(), 0);
  column.values.emplace_back();
  VARVE_TRY_ASSIGN(const Name* found, find_name(name));
  if (found == nullptr) return column;
  VARVE_TRY(found->column.gather(ordinals, column.ids));
  const std::vector<std::uint32_t> distinct = renumber(column.ids, found->values.size());
  VARVE_TRY_ASSIGN(Strings read, Strings::of(found->values, distinct));
  const auto strings = std::make_shared<const Strings>(std::move(read));
  column.values.reserve(distinct.size() + 1);
  for (std::size_t i = 0; i < distinct.size(); ++i) column.values.push_back(strings->at(i));
  column.keeps = strings;
  return column;
}

Result<std::vector<std::string>> FileBlock::label_names() const {
  VARVE_TRY_ASSIGN(const std::vector<Name>* names, this->names());
  std::vector<std::string> out;
  out.reserve(names->size());
  for (const Name& name : *names) out.push_back(name.name);
  return out;
}

Result<std::vector<std::string>> FileBlock::label_names(OrdinalSpan ordinals) const {
  VARVE_TRY_ASSIGN(const std::vector<Name>* names, this->names());
  std::vector<std::uint32_t> shapes(ordinals.size());
  VARVE_TRY(shape_of_series_.gather(ordinals, shapes));
  std::sort(shapes.begin(), shapes.end());
  shapes.erase(std::unique(shapes.begin(), shapes.end()), shapes.end());
  std::vector<char> seen(names->size(), 0);
  for (const std::uint32_t id : shapes) {
    VARVE_TRY_ASSIGN(const std::vector<std::uint32_t> ranks, shape(id));
    for (const std::uint32_t rank : ranks) seen[rank] = 1;
  }
  std::vector<std::string> out;
  for (std::size_t rank = 0; rank < seen.size(); ++rank) {
    if (seen[rank] != 0) out.push_back((*names)[rank].name);
  }
  return out;
}

Result<std::vector<std::string>> FileBlock::label_values(std::string_view name) const {
  VARVE_TRY_ASSIGN(const Name* found, find_name(name));
  std::vector<std::string> out;
  if (found == nullptr) return out;
  out.reserve(found->values.size());
  VARVE_TRY(
      found->values.visit(1, found->values.size() + 1, [&](std::uint32_t, std::string_view value) {
        out.emplace_back(value);
        return true;
      }));
  return out;
}

Result<std::vector<std::string>> FileBlock::label_values(std::string_view name,
                                                         OrdinalSpan ordinals) const {
  VARVE_TRY_ASSIGN(const BlockLabelColumn column, label_column(ordinals, name));
  return std::vector<std::string>(column.values.begin() + 1, column.values.end());
}

std::shared_ptr<const Tombstones> FileBlock::tombstones() const {
  const std::lock_guard lock(mutex_);
  return tombstones_;
}

Status FileBlock::set_tombstones(fs::FileSystem& files, Tombstones tombstones) {
  tombstones.set_generation(this->tombstones()->generation() + 1);
  VARVE_TRY(tombstones.write(files, directory_));
  auto shown = std::make_shared<const Tombstones>(std::move(tombstones));
  const std::lock_guard lock(mutex_);
  tombstones_ = std::move(shown);
  return {};
}

}  // namespace varve::storage::block
