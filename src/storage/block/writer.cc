// SPDX-License-Identifier: Apache-2.0
// Writing: hashes and chunks go to the two files as series come; what is small and needs to be
// known whole is gathered, and written behind the hashes at the end.
#include "storage/block/writer.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/memory_account.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/format.h"
#include "storage/block/interner.h"
#include "storage/block/label_table.h"
#include "storage/block/layout.h"
#include "storage/block/packed.h"
#include "storage/block/paged_file.h"
#include "storage/codec/times.h"
#include "storage/index/id_table.h"

namespace varve::storage::block {
namespace {

class FileWriter final : public Writer {
 public:
  FileWriter(fs::FileSystem& files, std::string directory, std::unique_ptr<PagedWriter> index,
             std::unique_ptr<PagedWriter> data)
      : files_(files),
        directory_(std::move(directory)),
        index_(std::move(index)),
        data_(std::move(data)),
        hashes_at_(index_->position()) {}

  ColumnId add_times(std::string_view encoded, TimeRange range, std::uint32_t count) override {
    VARVE_CHECK(!encoded.empty());
    return add_column(encoded, range, count);
  }
  ColumnId add_bounds(TimeRange range, std::uint32_t count) override {
    return add_column({}, range, count);
  }

  Status add_series(const Labels& labels, const index::SeriesHash& hash,
                    std::span<const ChunkToWrite> chunks) override {
    if (failed_) return *failed_;
    Status done = try_add_series(labels, hash, chunks);
    if (!done.ok()) failed_ = done.error();
    return done;
  }

  Result<BlockMeta> finish(BlockMeta meta) override {
    if (failed_) return *failed_;
    auto done = try_finish(std::move(meta));
    if (!done.ok()) failed_ = done.error();
    return done;
  }

 private:
  ColumnId add_column(std::string_view encoded, TimeRange range, std::uint32_t count) {
    const std::uint64_t seed = static_cast<std::uint64_t>(range.min_ms) * 3 +
                               static_cast<std::uint64_t>(range.max_ms) * 5 + count;
    const XXH128_hash_t hash = XXH3_128bits_withSeed(encoded.data(), encoded.size(), seed);
    const std::uint32_t known = column_ids_.find(hash.low64, [&](std::uint32_t id) {
      const ColumnRecord& column = columns_[id];
      return column_hashes_[id] == hash.high64 && column.min_ms == range.min_ms &&
             column.max_ms == range.max_ms && column.count == count &&
             column.times_bytes == encoded.size();
    });
    if (known != index::IdTable::kNone) return ColumnId{known};
    const auto id = static_cast<std::uint32_t>(columns_.size());
    columns_.push_back({range.min_ms, range.max_ms, encoded.empty() ? 0 : data_->position(),
                        static_cast<std::uint32_t>(encoded.size()), count});
    column_hashes_.push_back(hash.high64);
    column_ids_.insert(hash.low64, id);
    if (const Status written = data_->append(encoded); !written.ok() && !failed_) {
      failed_ = written.error();
    }
    return ColumnId{id};
  }

  Status try_add_series(const Labels& labels, const index::SeriesHash& hash,
                        std::span<const ChunkToWrite> chunks) {
    // A bug upstream must not become a block that answers wrongly.
    if (series_ > 0 && !(last_labels_ < labels)) {
      return bug(fmt::format("series out of order: {} after {}", labels.to_string(),
                             last_labels_.to_string()));
    }
    if (chunks.empty()) return bug("a series without chunks: " + labels.to_string());
    VARVE_TRY(set_list(labels, chunks));
    directory_bytes_.clear();
    append_uvarint(directory_bytes_, list_id_);
    std::size_t distinct_end = chunks.size();  // from here on all chunks are as the one before
    while (distinct_end > 1 && chunks[distinct_end - 1].bytes == chunks[distinct_end - 2].bytes) {
      --distinct_end;
    }
    for (std::size_t i = 0; i < distinct_end; ++i) {
      const bool same = i > 0 && chunks[i].bytes == chunks[i - 1].bytes;
      append_uvarint(directory_bytes_, same ? kLengthSame : chunks[i].bytes.size());
    }
    if (distinct_end < chunks.size()) append_uvarint(directory_bytes_, kLengthAllSame);
    starts_.push(data_->position());
    VARVE_TRY(data_->append(directory_bytes_));
    for (std::size_t i = 0; i < distinct_end; ++i) {
      if (i > 0 && chunks[i].bytes == chunks[i - 1].bytes) continue;
      VARVE_TRY(data_->append(chunks[i].bytes));
    }
    VARVE_TRY(index_->append({reinterpret_cast<const char*>(&hash.low), 8}));
    VARVE_TRY(index_->append({reinterpret_cast<const char*>(&hash.high), 8}));
    labels_.add(series_++, labels);
    last_labels_ = labels;
    return {};
  }

  // Finds or adds the list of the chunks' columns, checks and counts.
  Status set_list(const Labels& labels, std::span<const ChunkToWrite> chunks) {
    next_list_.clear();
    Timestamp floats_end_ms = TimeRange::all().min_ms;
    Timestamp histograms_end_ms = TimeRange::all().min_ms;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const auto id = static_cast<std::uint32_t>(chunks[i].column);
      if (id >= columns_.size()) return bug("a column that was not added");
      const ColumnRecord& column = columns_[id];
      const bool floats = chunks[i].kind == ChunkKind::kFloats;
      if (floats != (column.times_bytes != 0))
        return bug("a chunk of another kind than its column");
      if (chunks[i].bytes.size() <= kLengthAllSame) return bug("a chunk without bytes");
      const bool after_last = i == 0 || column.min_ms >= columns_[next_list_.back()].min_ms;
      Timestamp& end_ms = floats ? floats_end_ms : histograms_end_ms;
      if (!after_last || (end_ms != TimeRange::all().min_ms && column.min_ms <= end_ms)) {
        return bug("chunks that overlap: " + labels.to_string());
      }
      end_ms = column.max_ms;
      (floats ? floats_ : histograms_) += column.count;
      range_.min_ms = std::min(range_.min_ms, column.min_ms);
      range_.max_ms = std::max(range_.max_ms, column.max_ms);
      next_list_.push_back(id);
    }
    chunks_ += chunks.size();
    if (next_list_ == list_) return {};
    list_.swap(next_list_);
    list_id_ = lists_.intern(
        {reinterpret_cast<const char*>(list_.data()), list_.size() * sizeof(std::uint32_t)});
    return {};
  }

  Status append_section(Section section, std::string_view bytes) {
    layout_.at(section) = {index_->position(), bytes.size()};
    return index_->append(bytes);
  }

  Status write_lists() {
    std::string bytes;
    PackedWriter starts;
    for (std::uint32_t id = 0; id < lists_.size(); ++id) {
      const std::string_view raw = lists_.at(id);
      const std::size_t count = raw.size() / sizeof(std::uint32_t);
      starts.push(bytes.size());
      append_uvarint(bytes, count);
      PackedWriter columns;
      for (std::size_t i = 0; i < count; ++i) {
        std::uint32_t column = 0;
        std::memcpy(&column, raw.data() + i * sizeof column, sizeof column);
        columns.push(column);
      }
      columns.finish(bytes);
    }
    starts.push(bytes.size());
    layout_.lists = lists_.size();
    VARVE_TRY(append_section(Section::kLists, bytes));
    bytes.clear();
    starts.finish(bytes);
    return append_section(Section::kListStarts, bytes);
  }

  Result<BlockMeta> try_finish(BlockMeta meta) {
    starts_.push(data_->position());
    VARVE_TRY(data_->finish(0, 0));
    layout_.series = series_;
    layout_.columns = columns_.size();
    layout_.at(Section::kHashes) = {hashes_at_, series_ * kHashBytes};
    std::string bytes;
    starts_.finish(bytes);
    VARVE_TRY(append_section(Section::kSeriesStarts, bytes));
    const std::string padding((0 - index_->position()) % alignof(ColumnRecord), '\0');
    VARVE_TRY(index_->append(padding));
    VARVE_TRY(append_section(Section::kColumns, {reinterpret_cast<const char*>(columns_.data()),
                                                 columns_.size() * sizeof(ColumnRecord)}));
    VARVE_TRY(write_lists());
    VARVE_TRY(labels_.finish(series_, *index_, layout_));
    meta.range = series_ > 0 ? range_ : TimeRange{0, -1};
    meta.series = series_;
    meta.chunks = chunks_;
    meta.floats = floats_;
    meta.histograms = histograms_;
    meta.bytes = 0;  // the index cannot know its own; who opens it sees the files
    VARVE_TRY(append_section(Section::kMeta, to_json(meta)));
    layout_.data_content_bytes = data_->content_bytes();
    layout_.data_identity = data_->identity();
    const std::string root = layout_.encode();
    const std::uint64_t root_at = index_->position();
    VARVE_TRY(index_->append(root));
    VARVE_TRY(index_->finish(root_at, root.size()));
    VARVE_TRY(files_.sync_directory(directory_));
    meta.bytes = data_->file_bytes() + index_->file_bytes();
    return meta;
  }

  Error bug(std::string_view what) const {
    return {ErrorCode::kInternal, fmt::format("{}: {}", directory_, what)};
  }

  fs::FileSystem& files_;
  const std::string directory_;
  const std::unique_ptr<PagedWriter> index_;
  const std::unique_ptr<PagedWriter> data_;
  const std::uint64_t hashes_at_;
  std::optional<Error> failed_;

  std::vector<ColumnRecord> columns_;
  std::vector<std::uint64_t> column_hashes_;  // the other half of the hash in the table
  base::MemoryAccount account_{"block_writer"};
  index::IdTable column_ids_{account_};

  Interner lists_;                   // column ids, as bytes
  std::vector<std::uint32_t> list_;  // of the newest series
  std::vector<std::uint32_t> next_list_;
  std::uint32_t list_id_ = 0;

  LabelTable labels_;
  PackedWriter starts_{kSmallGroupSize};
  Labels last_labels_;
  std::string directory_bytes_;
  Layout layout_;
  std::uint32_t series_ = 0;
  std::uint64_t chunks_ = 0, floats_ = 0, histograms_ = 0;
  TimeRange range_{TimeRange::all().max_ms, TimeRange::all().min_ms};
};

}  // namespace

Result<std::unique_ptr<Writer>> Writer::create(fs::FileSystem& files, std::string directory) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(directory));
  if (exists) return Error(ErrorCode::kAlreadyExists, directory + ": there already");
  VARVE_TRY(files.create_directories(directory));
  VARVE_TRY_ASSIGN(auto index,
                   PagedWriter::create(files, fs::join(directory, kIndexFile), kIndexMagic));
  VARVE_TRY_ASSIGN(auto data,
                   PagedWriter::create(files, fs::join(directory, kDataFile), kDataMagic));
  return std::unique_ptr<Writer>(
      std::make_unique<FileWriter>(files, std::move(directory), std::move(index), std::move(data)));
}

}  // namespace varve::storage::block
