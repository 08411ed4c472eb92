// SPDX-License-Identifier: Apache-2.0
#include "storage/block_merge.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/block_cursor.h"
#include "storage/chunk_assembler.h"
#include "storage/directory.h"

namespace varve::storage {
namespace {

// Adds the chunks of the series at hand. `columns` is where the source's columns are remembered.
Status add_chunks(const BlockCursor& cursor, std::uint32_t rank, std::vector<ColumnSlot>& columns,
                  std::vector<block::ChunkView>& views, ChunkAssembler& out) {
  views.clear();
  VARVE_TRY(cursor.block()->chunks(cursor.ordinal(), TimeRange::all(), views));
  const std::span<const TimeRange> deleted = cursor.tombstones().of(cursor.ordinal());
  for (const block::ChunkView& view : views) {
    VARVE_TRY_ASSIGN(const block::Column column, cursor.block()->column(view.column));
    ChunkPiece piece;
    piece.kind = view.kind;
    piece.range = column.range;
    piece.count = column.count;
    piece.bytes = view.bytes;
    piece.times = column.times;
    piece.column = view.column < columns.size() ? &columns[view.column] : nullptr;
    piece.rank = rank;
    piece.deleted = deleted;
    out.add(piece);
  }
  return {};
}

block::BlockMeta meta_of(const MergeRequest& request) {
  block::BlockMeta meta;
  meta.ulid = request.ulid;
  meta.window_begin_ms = request.window_begin_ms;
  meta.window_end_ms = request.window_end_ms;
  meta.out_of_order = true;
  meta.level = 0;
  meta.resolution_ms = request.sources.front()->meta().resolution_ms;
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
  std::vector<BlockCursor> cursors;
  std::vector<std::vector<ColumnSlot>> columns;
  std::vector<block::ChunkView> views;
  cursors.reserve(request.sources.size());
  for (const auto& source : request.sources) {
    columns.emplace_back(source->column_count(), kNoColumn);
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
    VARVE_TRY_ASSIGN(BlockCursor* const best, smallest_series(cursors));
    if (best == nullptr) break;
    VARVE_TRY_ASSIGN(const Labels* const labels, best->labels());
    const Labels series = *labels;
    const index::SeriesHash hash = best->hash();
    const bool left_out = request.leave_out && request.leave_out(series);
    for (std::uint32_t rank = 0; rank < cursors.size(); ++rank) {
      BlockCursor& cursor = cursors[rank];
      if (cursor.done() || cursor.hash() != hash) continue;
      Status added;
      if (!left_out) added = add_chunks(cursor, rank, columns[rank], views, assembler);
      if (added.ok()) added = cursor.advance();
      if (!added.ok()) return std::move(added).error().with(cursor.block()->directory());
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
