// SPDX-License-Identifier: Apache-2.0
#include "storage/block_merge.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/chunk_assembler.h"
#include "storage/directory.h"

namespace varve::storage {
namespace {

// One source and where the merge stands in it.
class Cursor {
 public:
  explicit Cursor(std::shared_ptr<block::Block> block)
      : block_(std::move(block)),
        tombstones_(block_->tombstones()),
        columns_(block_->column_count(), kNoColumn) {}

  Status start() { return load(); }
  bool done() const { return ordinal_ == block_->series_count(); }
  const index::SeriesHash& hash() const { return hashes_[ordinal_ - batch_begin_]; }

  Status advance() {
    ++ordinal_;
    labels_.reset();
    return !done() && ordinal_ == batch_begin_ + hashes_.size() ? load() : Status();
  }

  // Of the series at hand; read once.
  Result<const Labels*> labels() {
    if (!labels_) {
      VARVE_TRY_ASSIGN(labels_, block_->labels(ordinal_));
    }
    return &*labels_;
  }

  // Adds the chunks of the series at hand.
  Status add_chunks(std::uint32_t rank, ChunkAssembler& out) {
    views_.clear();
    VARVE_TRY(block_->chunks(ordinal_, TimeRange::all(), views_));
    const std::span<const TimeRange> deleted = tombstones_->of(ordinal_);
    for (const block::ChunkView& view : views_) {
      VARVE_TRY_ASSIGN(const block::Column column, block_->column(view.column));
      ChunkPiece piece;
      piece.kind = view.kind;
      piece.range = column.range;
      piece.count = column.count;
      piece.bytes = view.bytes;
      piece.times = column.times;
      piece.column = view.column < columns_.size() ? &columns_[view.column] : nullptr;
      piece.rank = rank;
      piece.deleted = deleted;
      out.add(piece);
    }
    return {};
  }

  const block::Block& block() const { return *block_; }

 private:
  static constexpr std::size_t kBatch = 1024;

  Status load() {
    batch_begin_ = ordinal_;
    const std::size_t count = std::min(kBatch, block_->series_count() - ordinal_);
    ordinals_.resize(count);
    hashes_.resize(count);
    for (std::size_t i = 0; i < count; ++i) ordinals_[i] = static_cast<std::uint32_t>(ordinal_ + i);
    return block_->hashes(ordinals_, hashes_);
  }

  std::shared_ptr<block::Block> block_;
  std::shared_ptr<const block::Tombstones> tombstones_;
  std::vector<ColumnSlot> columns_;
  std::uint32_t ordinal_ = 0;
  std::uint32_t batch_begin_ = 0;
  block::Ordinals ordinals_;
  std::vector<index::SeriesHash> hashes_;
  std::optional<Labels> labels_;
  std::vector<block::ChunkView> views_;
};

// The cursor with the smallest labels. Labels are compared only where hashes differ.
Result<Cursor*> smallest(std::vector<Cursor>& cursors) {
  Cursor* best = nullptr;
  for (Cursor& cursor : cursors) {
    if (cursor.done()) continue;
    if (best == nullptr) {
      best = &cursor;
      continue;
    }
    if (cursor.hash() == best->hash()) continue;
    VARVE_TRY_ASSIGN(const Labels* ours, cursor.labels());
    VARVE_TRY_ASSIGN(const Labels* theirs, best->labels());
    if (*ours < *theirs) best = &cursor;
  }
  return best;
}

block::BlockMeta meta_of(const MergeRequest& request) {
  block::BlockMeta meta;
  meta.ulid = request.ulid;
  meta.window_begin_ms = request.window_begin_ms;
  meta.window_end_ms = request.window_end_ms;
  meta.out_of_order = true;
  meta.level = 0;
  std::set<std::string> sources;
  for (const auto& source : request.sources) {
    const block::BlockMeta& from = source->meta();
    meta.level = std::max(meta.level, from.level);
    meta.out_of_order = meta.out_of_order && from.out_of_order;
    meta.hash_fingerprint = from.hash_fingerprint;
    sources.insert(from.sources.begin(), from.sources.end());
  }
  if (request.sources.size() > 1) ++meta.level;
  meta.sources.assign(sources.begin(), sources.end());
  return meta;
}

}  // namespace

Result<std::optional<block::BlockMeta>> merge_blocks(fs::FileSystem& files, MergeRequest request) {
  std::sort(request.sources.begin(), request.sources.end(), [](const auto& a, const auto& b) {
    return block::counts_before(a->meta(), b->meta());
  });
  std::vector<Cursor> cursors;
  cursors.reserve(request.sources.size());
  for (const auto& source : request.sources) {
    Status started = cursors.emplace_back(source).start();
    if (!started.ok()) return std::move(started).error().with(source->directory());
  }
  VARVE_TRY_ASSIGN(const std::unique_ptr<block::Writer> writer,
                   block::Writer::create(files, request.directory));
  ChunkAssembler assembler(*writer, request.repack);
  bool any = false;
  for (;;) {
    if (request.stop != nullptr && request.stop->load(std::memory_order_relaxed)) {
      return Error(ErrorCode::kCanceled, "compaction was stopped");
    }
    VARVE_TRY_ASSIGN(Cursor* const best, smallest(cursors));
    if (best == nullptr) break;
    VARVE_TRY_ASSIGN(const Labels* const labels, best->labels());
    const Labels series = *labels;
    const index::SeriesHash hash = best->hash();
    for (std::uint32_t rank = 0; rank < cursors.size(); ++rank) {
      Cursor& cursor = cursors[rank];
      if (cursor.done() || cursor.hash() != hash) continue;
      Status added = cursor.add_chunks(rank, assembler);
      if (added.ok()) added = cursor.advance();
      if (!added.ok()) return std::move(added).error().with(cursor.block().directory());
    }
    VARVE_TRY_ASSIGN(const auto chunks, assembler.finish());
    if (chunks.empty()) continue;
    VARVE_TRY(writer->add_series(series, hash, chunks));
    any = true;
  }
  if (!any) {
    VARVE_TRY(remove_tree(files, request.directory));
    return std::optional<block::BlockMeta>();
  }
  VARVE_TRY_ASSIGN(block::BlockMeta meta, writer->finish(meta_of(request)));
  return std::optional<block::BlockMeta>(std::move(meta));
}

}  // namespace varve::storage
