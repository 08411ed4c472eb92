// SPDX-License-Identifier: Apache-2.0
#include "storage/block/label_table.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/ordinals.h"
#include "storage/codec/times.h"

namespace varve::storage::block {
namespace {

// Pieces of an IdLog: a run (id, count) or a packed group of kGroupSize.
constexpr char kRunPiece = 0;
constexpr char kGroupPiece = 1;
// A repetition shorter than this stays in a group.
constexpr std::uint32_t kRunMin = kGroupSize;
// Postings are written to the file in pieces of about this size.
constexpr std::size_t kPieceBytes = 64 << 10;

void append_word(std::string& out, std::uint32_t word) {
  out.append(reinterpret_cast<const char*>(&word), sizeof word);
}

Status append_place(PagedWriter& file, std::string_view bytes, SectionPlace& place) {
  place = {file.position(), bytes.size()};
  return file.append(bytes);
}

}  // namespace

void IdLog::close_tail() {
  if (tail_count_ == 0) return;
  bytes_ += kRunPiece;
  append_word(bytes_, tail_id_);
  append_word(bytes_, tail_count_);
  tail_count_ = 0;
}

void IdLog::push_slow(std::uint32_t id) {
  if (staged_ == 0 && tail_count_ == 0 && bytes_.empty()) {
    tail_id_ = id;
    tail_count_ = 1;
    return;
  }
  if (group_ == nullptr) group_ = std::make_unique<std::int64_t[]>(kGroupSize);
  if (staged_ == 0 && tail_count_ > 0) {
    if (tail_count_ < kRunMin) {
      // Too short for a piece of its own.
      std::fill_n(group_.get(), tail_count_, std::int64_t{tail_id_});
      staged_ = tail_count_;
      tail_count_ = 0;
    } else {
      close_tail();
    }
  }
  group_[staged_++] = id;
  if (staged_ < kGroupSize) return;
  staged_ = 0;
  const bool constant = std::all_of(group_.get() + 1, group_.get() + kGroupSize,
                                    [this](std::int64_t other) { return other == group_[0]; });
  if (constant) {
    tail_id_ = id;
    tail_count_ = kGroupSize;
    return;
  }
  std::uint8_t block[codec::kTimesBytesMax];
  const std::size_t size = codec::encode_times({group_.get(), kGroupSize}, block);
  bytes_ += kGroupPiece;
  append_word(bytes_, static_cast<std::uint32_t>(size));
  bytes_.append(reinterpret_cast<const char*>(block), size);
}

void IdLog::pad(std::uint32_t count) {
  while (size_ < count) {
    if (staged_ == 0 && tail_count_ > 0 && tail_id_ == 0) {
      tail_count_ += count - size_;
      size_ = count;
      return;
    }
    push(0);
  }
}

std::vector<std::uint32_t> IdLog::take(std::uint32_t count) {
  pad(count);
  std::vector<std::uint32_t> ids;
  ids.reserve(count);
  const char* at = bytes_.data();
  const char* const end = at + bytes_.size();
  while (at != end) {
    const char kind = *at++;
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    at += 4;
    if (kind == kRunPiece) {
      std::uint32_t repeats = 0;
      std::memcpy(&repeats, at, 4);
      at += 4;
      ids.insert(ids.end(), repeats, word);
      continue;
    }
    std::array<std::int64_t, kGroupSize> group;
    const auto taken = codec::decode_times({reinterpret_cast<const std::uint8_t*>(at), word},
                                           kGroupSize, group.data());
    VARVE_CHECK(taken.ok());
    std::transform(group.begin(), group.end(), std::back_inserter(ids),
                   [](std::int64_t id) { return static_cast<std::uint32_t>(id); });
    at += word;
  }
  if (tail_count_ > 0) ids.insert(ids.end(), tail_count_, tail_id_);
  for (std::uint32_t i = 0; i < staged_; ++i) ids.push_back(static_cast<std::uint32_t>(group_[i]));
  VARVE_CHECK(ids.size() == count);
  *this = IdLog();
  return ids;
}

std::uint32_t LabelTable::column_of(std::string_view name, std::size_t position) {
  // Series in label order mostly have the names of the one before.
  if (position < shape_.size() && columns_[shape_[position]]->name == name) return shape_[position];
  const std::uint32_t id = names_.intern(name);
  if (id == columns_.size()) {
    columns_.push_back(std::make_unique<Column>());
    columns_.back()->name = name;
  }
  return id;
}

void LabelTable::add(std::uint32_t ordinal, const Labels& labels) {
  next_shape_.clear();
  for (const LabelView& label : labels) {
    const std::uint32_t number = column_of(label.name, next_shape_.size());
    next_shape_.push_back(number);
    Column& column = *columns_[number];
    if (column.last_id == 0 || column.last_value != label.value) {
      const std::uint32_t id = column.values.intern(label.value);
      column.last_id = id + 1;
      column.last_value = column.values.at(id);
    }
    ++column.series;
    column.ids.put(ordinal, column.last_id);
  }
  if (ordinal == 0 || next_shape_ != shape_) {
    shape_.swap(next_shape_);
    shape_id_ = shapes_.intern(
        {reinterpret_cast<const char*>(shape_.data()), shape_.size() * sizeof(std::uint32_t)});
  }
  shape_of_series_.put(ordinal, shape_id_);
}

Status LabelTable::write_column(Column& column, std::uint32_t series, PagedWriter& file,
                                std::string& records) {
  const std::uint32_t values = column.values.size();
  std::vector<std::uint32_t> order(values);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return column.values.at(a) < column.values.at(b);
  });
  NameRecord record;
  record.values = values;
  record.series = column.series;
  record.at = file.position();
  {
    DictionaryWriter dictionary;
    for (const std::uint32_t id : order) dictionary.push(column.values.at(id));
    std::string strings;
    std::string starts;
    dictionary.finish(strings, starts);
    record.strings_bytes = strings.size();
    record.starts_bytes = starts.size();
    VARVE_TRY(file.append(strings));
    VARVE_TRY(file.append(starts));
  }
  std::vector<std::uint32_t> ids = column.ids.take(series);
  {
    std::vector<std::uint32_t> ranks(values + 1);  // by 1 + the id; 0 stays 0
    for (std::uint32_t rank = 0; rank < values; ++rank) ranks[order[rank] + 1] = rank + 1;
    for (std::uint32_t& id : ids) id = ranks[id];
    std::string bytes;
    write_id_column(ids, bytes);
    record.column_bytes = bytes.size();
    VARVE_TRY(file.append(bytes));
  }
  // Ordinals sorted by value: `at` is where the next one of a value goes, at last where they end.
  std::vector<std::uint32_t> at(values + 2, 0);
  for (const std::uint32_t id : ids) {
    if (id != 0) ++at[id + 1];
  }
  std::partial_sum(at.begin(), at.end(), at.begin());
  std::vector<std::uint32_t> ordinals(column.series);
  for (std::uint32_t ordinal = 0; ordinal < series; ++ordinal) {
    if (ids[ordinal] != 0) ordinals[at[ids[ordinal]]++] = ordinal;
  }
  PackedWriter starts;
  std::string piece;
  std::uint32_t begin = 0;
  for (std::uint32_t id = 1; id <= values; ++id) {
    starts.push(record.postings_bytes + piece.size());
    write_ordinals(std::span(ordinals).subspan(begin, at[id] - begin), piece);
    begin = at[id];
    if (piece.size() < kPieceBytes && id < values) continue;
    VARVE_TRY(file.append(piece));
    record.postings_bytes += piece.size();
    piece.clear();
  }
  starts.push(record.postings_bytes);
  starts.finish(piece);
  record.postings_starts_bytes = piece.size();
  VARVE_TRY(file.append(piece));
  record.encode(column.name, records);
  return {};
}

Status LabelTable::write_shapes(std::span<const std::uint32_t> ranks, std::uint32_t series,
                                PagedWriter& file, Layout& layout) {
  std::string shapes;
  PackedWriter starts;
  for (std::uint32_t id = 0; id < shapes_.size(); ++id) {
    const std::string_view bytes = shapes_.at(id);
    std::vector<std::uint32_t> numbers(bytes.size() / sizeof(std::uint32_t));
    if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
    starts.push(shapes.size());
    append_uvarint(shapes, numbers.size());
    std::uint32_t next = 0;
    for (const std::uint32_t number : numbers) {
      append_uvarint(shapes, ranks[number] - next);
      next = ranks[number] + 1;
    }
  }
  starts.push(shapes.size());
  layout.shapes = shapes_.size();
  VARVE_TRY(append_place(file, shapes, layout.at(Section::kShapes)));
  shapes.clear();
  starts.finish(shapes);
  VARVE_TRY(append_place(file, shapes, layout.at(Section::kShapeStarts)));
  shapes.clear();
  write_id_column(shape_of_series_.take(series), shapes);
  return append_place(file, shapes, layout.at(Section::kShapeOfSeries));
}

Status LabelTable::finish(std::uint32_t series, PagedWriter& file, Layout& layout) {
  std::vector<std::uint32_t> order(columns_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return columns_[a]->name < columns_[b]->name;
  });
  std::vector<std::uint32_t> ranks(order.size());
  for (std::uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
  std::string records;
  for (const std::uint32_t number : order) {
    VARVE_TRY(write_column(*columns_[number], series, file, records));
    columns_[number].reset();
  }
  layout.names = order.size();
  VARVE_TRY(append_place(file, records, layout.at(Section::kNames)));
  return write_shapes(ranks, series, file, layout);
}

}  // namespace varve::storage::block
