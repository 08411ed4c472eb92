// SPDX-License-Identifier: Apache-2.0
#include "storage/level_build.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/block_cursor.h"
#include "storage/block_reader.h"
#include "storage/directory.h"
#include "storage/level_block.h"
#include "storage/sample_merge.h"

namespace varve::storage {
namespace {

constexpr TimeRange kAll = TimeRange::all();
constexpr std::int64_t kPieceMs = 24LL * 60 * 60 * 1000;

class Build {
 public:
  Build(fs::FileSystem& files, LevelRequest request, ReadContext& context)
      : files_(files), request_(std::move(request)), context_(context) {}

  Result<std::optional<block::BlockMeta>> run() {
    VARVE_TRY(start());
    VARVE_TRY_ASSIGN(writer_, LevelWriter::create(files_, request_.directory));
    for (;;) {
      if (request_.stop != nullptr && request_.stop->load(std::memory_order_relaxed)) {
        return Error(ErrorCode::kCanceled, "writing a level was stopped");
      }
      const Result<BlockCursor*> next = smallest_series(cursors_);
      if (next.ok() && *next == nullptr) break;
      const Result<const Labels*> labels = next.ok() ? (*next)->labels() : next.error();
      if (!labels.ok()) {
        VARVE_TRY(pass_damage(labels.error()));
        continue;
      }
      VARVE_TRY(series(Labels(**labels), (*next)->hash()));
    }
    if (writer_->empty()) {
      writer_.reset();
      VARVE_TRY(remove_tree(files_, request_.directory));
      return std::optional<block::BlockMeta>();
    }
    VARVE_TRY_ASSIGN(block::BlockMeta meta, writer_->finish(this->meta()));
    return std::optional<block::BlockMeta>(std::move(meta));
  }

 private:
  // Old blocks first, in time order; then sources, so that the first sample of a time stays.
  Status start() {
    std::sort(request_.old.begin(), request_.old.end(), [](const auto& a, const auto& b) {
      return a->meta().range.min_ms < b->meta().range.min_ms;
    });
    std::sort(request_.sources.begin(), request_.sources.end(), [](const auto& a, const auto& b) {
      return block::counts_before(a->meta(), b->meta());
    });
    cursors_.reserve(request_.old.size() + request_.sources.size());
    for (const auto* blocks : {&request_.old, &request_.sources}) {
      for (const auto& block : *blocks) {
        Status started = cursors_.emplace_back(block).start();
        if (blocks == &request_.old) {
          if (!started.ok()) return std::move(started).error().with(block->directory());
          continue;
        }
        readers_.push_back(std::make_unique<BlockReader>(block, context_));
        if (!started.ok()) give_up(cursors_.back(), *readers_.back(), started.error());
      }
    }
    return {};
  }

  static void give_up(BlockCursor& cursor, const BlockReader& reader, const Error& error) {
    reader.damaged(error);
    cursor.stop();
  }
  static void advance(BlockCursor& cursor, const BlockReader& reader) {
    const Status advanced = cursor.advance();
    if (!advanced.ok()) give_up(cursor, reader, advanced.error());
  }

  // Of each source whose series at hand has no labels that can be read, that series is left out.
  // `error`, if no source is to blame for it.
  Status pass_damage(const Error& error) {
    bool found = false;
    for (std::size_t c = request_.old.size(); c < cursors_.size(); ++c) {
      if (cursors_[c].done()) continue;
      const Result<const Labels*> labels = cursors_[c].labels();
      if (labels.ok()) continue;
      const BlockReader& reader = *readers_[c - request_.old.size()];
      reader.damaged(labels.error());
      advance(cursors_[c], reader);
      found = true;
    }
    return found ? Status() : error;
  }

  // Which buckets of a series are made anew.
  TimeRange anew(const Labels& labels) const {
    TimeRange ends = request_.ends;
    if (ends.empty() || !request_.complete_after) return ends;
    const std::optional<Timestamp> after = request_.complete_after(labels);
    if (!after) return {0, -1};
    if (*after == kAll.min_ms) return ends;
    const std::int64_t resolution_ms = request_.fold.resolution_ms;
    ends.min_ms = std::max(ends.min_ms, bucket_end(*after, resolution_ms) + resolution_ms);
    return ends;
  }

  Status series(const Labels& labels, const index::SeriesHash hash) {
    const bool left_out = request_.leave_out && request_.leave_out(labels);
    const TimeRange ends = anew(labels);
    std::vector<BlockCursor*> old;
    std::vector<std::pair<BlockCursor*, const BlockReader*>> sources;
    for (std::size_t c = 0; c < cursors_.size(); ++c) {
      BlockCursor& cursor = cursors_[c];
      if (cursor.done() || cursor.hash() != hash) continue;
      if (c < request_.old.size()) {
        old.push_back(&cursor);
      } else {
        sources.emplace_back(&cursor, readers_[c - request_.old.size()].get());
      }
    }
    if (!left_out) {
      VARVE_TRY(keep(old, ends.empty() ? kAll : TimeRange{kAll.min_ms, ends.min_ms - 1}));
      if (!ends.empty()) {
        VARVE_TRY(make_or_keep(old, sources, ends));
        VARVE_TRY(keep(old, {ends.max_ms + 1, kAll.max_ms}));
      }
    }
    VARVE_TRY(writer_->finish_series(labels, hash));
    for (BlockCursor* cursor : old) VARVE_TRY(cursor->advance());
    for (const auto& [cursor, reader] : sources) advance(*cursor, *reader);
    return {};
  }

  Status keep(const std::vector<BlockCursor*>& old, TimeRange ends) {
    for (const BlockCursor* cursor : old) {
      Status added = writer_->add(*cursor->block(), cursor->tombstones(), cursor->ordinal(), ends);
      if (!added.ok()) return std::move(added).error().with(cursor->block()->directory());
    }
    return {};
  }

  // Old buckets say more than what is left of damaged samples.
  Status make_or_keep(const std::vector<BlockCursor*>& old,
                      const std::vector<std::pair<BlockCursor*, const BlockReader*>>& sources,
                      TimeRange ends) {
    const std::size_t damages = context_.damages();
    FoldedSeries made = make(sources, ends);
    if (context_.damages() != damages) {
      FoldedSeries before;
      for (const BlockCursor* cursor : old) {
        Status read = read_level(*cursor->block(), cursor->tombstones(), cursor->ordinal(), ends, before);
        if (!read.ok()) return std::move(read).error().with(cursor->block()->directory());
      }
      if (!before.empty()) made = std::move(before);
    }
    writer_->add(std::move(made));
    return {};
  }

  // A day at a time: what is decoded at once has a bound, however long the stretch.
  FoldedSeries make(const std::vector<std::pair<BlockCursor*, const BlockReader*>>& sources,
                    TimeRange ends) {
    const std::int64_t resolution_ms = request_.fold.resolution_ms;
    const std::int64_t piece_ms = std::max(kPieceMs / resolution_ms, std::int64_t{1}) * resolution_ms;
    FoldedSeries all;
    while (!ends.empty()) {
      TimeRange piece = ends;
      piece.max_ms = std::min(ends.max_ms, bucket_end(ends.min_ms, piece_ms));
      make_piece(sources, piece);
      std::move(folded_.floats.begin(), folded_.floats.end(), std::back_inserter(all.floats));
      std::move(folded_.histograms.begin(), folded_.histograms.end(),
                std::back_inserter(all.histograms));
      if (piece.max_ms == ends.max_ms) break;
      ends.min_ms = piece.max_ms + resolution_ms;
    }
    return all;
  }

  // Replaces folded_.
  void make_piece(const std::vector<std::pair<BlockCursor*, const BlockReader*>>& sources,
                  TimeRange ends) {
    const std::int64_t resolution_ms = request_.fold.resolution_ms;
    folded_.clear();
    if (request_.source_resolution_ms == 0) {
      samples_.clear();
      const TimeRange range{ends.min_ms - resolution_ms + 1, ends.max_ms};
      for (const auto& [cursor, reader] : sources) {
        more_.clear();
        reader->append(cursor->ordinal(), range, more_);
        if (more_.float_times.empty() && more_.histogram_times.empty()) continue;
        if (samples_.float_times.empty() && samples_.histogram_times.empty()) {
          std::swap(samples_, more_);
        } else if (oldest_time(more_) > newest_time(samples_)) {
          append_samples(samples_, more_);
        } else {
          merge_samples(samples_, more_);
        }
      }
      fold_samples(samples_, request_.fold, folded_);
    } else {
      const TimeRange range{ends.min_ms - resolution_ms + request_.source_resolution_ms, ends.max_ms};
      finer_.clear();
      for (const auto& [cursor, reader] : sources) {
        const Status read =
            read_level(*cursor->block(), cursor->tombstones(), cursor->ordinal(), range, finer_);
        if (!read.ok()) reader->damaged(read.error());
      }
      fold_buckets(finer_, request_.fold, folded_);
    }
  }

  block::BlockMeta meta() const {
    block::BlockMeta meta;
    meta.ulid = request_.ulid;
    meta.window_begin_ms = request_.window_begin_ms;
    meta.window_end_ms = request_.window_end_ms;
    meta.resolution_ms = request_.fold.resolution_ms;
    meta.hash_fingerprint = request_.hash_fingerprint;
    meta.level = 0;
    std::set<std::string> sources;
    for (const auto& block : request_.old) {
      meta.level = std::max(meta.level, block->meta().level);
      sources.insert(block->meta().sources.begin(), block->meta().sources.end());
    }
    if (request_.old.size() != 1) ++meta.level;
    if (sources.empty()) sources.insert(meta.ulid);
    meta.sources.assign(sources.begin(), sources.end());
    return meta;
  }

  fs::FileSystem& files_;
  LevelRequest request_;
  ReadContext& context_;
  std::vector<BlockCursor> cursors_;  // of old blocks, then of sources
  std::vector<std::unique_ptr<BlockReader>> readers_;  // of sources
  std::unique_ptr<LevelWriter> writer_;
  // Of the piece at hand.
  SeriesSamples samples_;
  SeriesSamples more_;
  FoldedSeries finer_;
  FoldedSeries folded_;
};

}  // namespace

Result<std::optional<block::BlockMeta>> build_level(fs::FileSystem& files, LevelRequest request,
                                                    ReadContext& context) {
  return Build(files, std::move(request), context).run();
}

}  // namespace varve::storage
