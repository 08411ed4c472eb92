// SPDX-License-Identifier: Apache-2.0
// The chunks of a series: a directory and bytes, side by side in `data`. See FORMAT.md, "Series".
#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/file_block.h"
#include "storage/block/format.h"
#include "storage/codec/times.h"

namespace varve::storage::block {

Result<const ColumnRecord*> FileBlock::column_records() const {
  const ColumnRecord* records = column_records_.load(std::memory_order_acquire);
  if (records != nullptr) return records;
  // Once for all of them: they are asked for with every chunk. Layout has checked the alignment.
  VARVE_TRY_ASSIGN(const std::string_view bytes, layout_.extent(*index_, Section::kColumns).all());
  records = reinterpret_cast<const ColumnRecord*>(bytes.data());
  column_records_.store(records, std::memory_order_release);
  return records;
}

Result<Column> FileBlock::column(std::uint32_t id) const {
  VARVE_CHECK(id < layout_.columns);
  VARVE_TRY_ASSIGN(const ColumnRecord* records, column_records());
  const ColumnRecord& record = records[id];
  Column column;
  column.range = {record.min_ms, record.max_ms};
  column.count = record.count;
  if (record.count == 0 || (record.times_bytes != 0 && record.count > codec::kTimesMax)) {
    return index_->corrupt(layout_.at(Section::kColumns).at + id * kColumnRecordBytes,
                           "column: impossible number of times");
  }
  VARVE_TRY_ASSIGN(column.times, data_->read(record.times_at, record.times_bytes));
  return column;
}

namespace {

// The part of a series' directory behind the list: a length for each chunk.
class Lengths {
 public:
  explicit Lengths(std::string_view bytes) : reader_(unsigned_bytes(bytes)) {}

  // Of the next chunk's bytes that are its own; 0 if it has those of the one before.
  std::uint64_t next() {
    if (all_same_) return 0;
    const std::uint64_t length = reader_.uvarint();
    all_same_ = length == kLengthAllSame;
    return all_same_ ? 0 : length;
  }
  bool all_same() const { return all_same_; }
  bool failed() const { return reader_.failed(); }
  std::size_t taken() const { return reader_.taken(); }

 private:
  codec::ByteReader reader_;
  bool all_same_ = false;
};

}  // namespace

bool FileBlock::forget(std::uint32_t begin, std::uint32_t end, std::uint64_t bytes_min) const {
  VARVE_CHECK(begin <= end && end <= count_);
  if (begin == end) return false;
  const auto first = series_starts_.bounds(begin, data_->content_bytes());
  const auto last = series_starts_.bounds(end - 1, data_->content_bytes());
  if (!first.ok() || !last.ok() || last->end < first->begin + bytes_min) return false;
  data_->forget(first->begin, last->end);
  return true;
}

Status FileBlock::chunks(std::uint32_t ordinal, TimeRange range,
                         std::vector<ChunkView>& out) const {
  VARVE_CHECK(ordinal < count_);
  VARVE_TRY_ASSIGN(const ColumnRecord* records, column_records());
  VARVE_TRY_ASSIGN(const PackedArray::Bounds place,
                   series_starts_.bounds(ordinal, data_->content_bytes()));
  VARVE_TRY_ASSIGN(std::string_view bytes, data_->read(place.begin, place.end - place.begin));
  const auto malformed = [&] { return data_->corrupt(place.begin, "series: malformed directory"); };
  codec::ByteReader reader(unsigned_bytes(bytes));
  const std::uint64_t list = reader.uvarint();
  if (reader.failed() || list >= layout_.lists) return malformed();
  bytes.remove_prefix(reader.taken());

  const Extent lists = layout_.extent(*index_, Section::kLists);
  VARVE_TRY_ASSIGN(const PackedArray::Bounds list_place, list_starts_.bounds(list, lists.size));
  VARVE_TRY_ASSIGN(
      const std::string_view list_head,
      lists.read(list_place.begin, std::min<std::uint64_t>(codec::kVarintBytesMax,
                                                           list_place.end - list_place.begin)));
  codec::ByteReader list_reader(unsigned_bytes(list_head));
  const std::uint64_t count = list_reader.uvarint();
  const PackedArray columns({index_.get(), lists.at + list_place.begin + list_reader.taken(),
                             list_place.end - list_place.begin - list_reader.taken()},
                            count);
  // A group takes two bytes at least.
  if (list_reader.failed() || count == 0 || columns.groups() > columns.extent().size) {
    return lists.corrupt(list_place.begin, "list of columns: malformed");
  }

  // Where the bytes of chunks begin is known once all lengths are read.
  Lengths skipped(bytes);
  for (std::uint64_t i = 0; i < count && !skipped.all_same() && !skipped.failed(); ++i) {
    skipped.next();
  }
  if (skipped.failed()) return malformed();
  const std::string_view directory = bytes.substr(0, skipped.taken());
  bytes.remove_prefix(skipped.taken());
  Lengths lengths(directory);
  std::string_view chunk;
  PackedGroup group;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t length = lengths.next();
    if (length > bytes.size()) return malformed();
    if (length > 0) {
      chunk = bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
    if (chunk.empty()) return malformed();  // the first one cannot be as the one before
    if (i % kGroupSize == 0) VARVE_TRY(columns.group(i / kGroupSize, group));
    const auto column = static_cast<std::uint64_t>(group.values[i % kGroupSize]);
    if (column >= layout_.columns) {
      return lists.corrupt(list_place.begin, "list of columns: no such column");
    }
    const ColumnRecord& record = records[column];
    if (record.min_ms > range.max_ms) break;
    if (record.max_ms < range.min_ms) continue;
    out.push_back({record.times_bytes != 0 ? ChunkKind::kFloats : ChunkKind::kHistograms,
                   static_cast<std::uint32_t>(column), chunk});
  }
  return {};
}

}  // namespace varve::storage::block
