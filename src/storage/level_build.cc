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
  // Old blocks first, in time order; then sources: of samples so that the first one of a time
  // stays, of buckets, which are apart, by time: one made later may be of an earlier time.
  Status start() {
    std::sort(request_.old.begin(), request_.old.end(), [](const auto& a, const auto& b) {
      return a->meta().range.min_ms < b->meta().range.min_ms;
    });
    std::size_t count = request_.old.size();
    for (LevelSource& source : request_.sources) {
      const bool buckets = source.resolution_ms != 0;
      std::sort(source.blocks.begin(), source.blocks.end(),
                [buckets](const auto& a, const auto& b) {
                  return buckets ? a->meta().range.min_ms < b->meta().range.min_ms
                                 : block::counts_before(a->meta(), b->meta());
                });
      count += source.blocks.size();
    }
    cursors_.reserve(count);
    for (const auto& block : request_.old) {
      Status started = cursors_.emplace_back(block).start();
      if (!started.ok()) return std::move(started).error().with(block->directory());
    }
    for (std::size_t s = 0; s < request_.sources.size(); ++s) {
      for (const auto& block : request_.sources[s].blocks) {
        const Status started = cursors_.emplace_back(block).start();
        readers_.push_back(std::make_unique<BlockReader>(block, context_));
        source_of_.push_back(s);
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

  // A block that has the series at hand.
  struct Source {
    BlockCursor* cursor = nullptr;
    const BlockReader* reader = nullptr;
    std::size_t source = 0;  // of the request
  };
  using Sources = std::vector<Source>;

  Status series(const Labels& labels, const index::SeriesHash hash) {
    std::vector<BlockCursor*> old;
    Sources sources;
    for (std::size_t c = 0; c < cursors_.size(); ++c) {
      BlockCursor& cursor = cursors_[c];
      if (cursor.done() || cursor.hash() != hash) continue;
      if (c < request_.old.size()) {
        old.push_back(&cursor);
      } else {
        const std::size_t at = c - request_.old.size();
        sources.push_back({&cursor, readers_[at].get(), source_of_[at]});
      }
    }
    if (!request_.leave_out || !request_.leave_out(labels)) {
      TimeRange rest = kAll;
      if (request_.pieces) {
        for (const LevelPiece& piece : request_.pieces(labels)) {
          VARVE_TRY(keep(old, {rest.min_ms, piece.ends.min_ms - 1}));
          VARVE_TRY(make_or_keep(old, sources, piece));
          rest.min_ms = piece.ends.max_ms + 1;
        }
      }
      VARVE_TRY(keep(old, rest));
    }
    VARVE_TRY(writer_->finish_series(labels, hash));
    for (BlockCursor* cursor : old) VARVE_TRY(cursor->advance());
    for (const Source& source : sources) advance(*source.cursor, *source.reader);
    return {};
  }

  Status keep(const std::vector<BlockCursor*>& old, TimeRange ends) {
    if (ends.empty()) return {};
    for (const BlockCursor* cursor : old) {
      Status added = writer_->add(*cursor->block(), cursor->tombstones(), cursor->ordinal(), ends);
      if (!added.ok()) return std::move(added).error().with(cursor->block()->directory());
    }
    return {};
  }

  // Old buckets say more than what is left of samples that are damaged, or have gone in part.
  Status make_or_keep(const std::vector<BlockCursor*>& old, const Sources& sources,
                      const LevelPiece& piece) {
    const std::size_t damages = context_.damages();
    FoldedSeries made = make(sources, piece);
    if (!piece.whole || context_.damages() != damages) {
      FoldedSeries before;
      for (const BlockCursor* cursor : old) {
        Status read = read_level(*cursor->block(), cursor->tombstones(), cursor->ordinal(),
                                 piece.ends, before);
        if (!read.ok()) return std::move(read).error().with(cursor->block()->directory());
      }
      if (!before.empty()) made = std::move(before);
    }
    writer_->add(std::move(made));
    return {};
  }

  // A day at a time: what is decoded at once has a bound, however long the stretch.
  FoldedSeries make(const Sources& sources, const LevelPiece& piece) {
    const std::int64_t resolution_ms = request_.fold.resolution_ms;
    const std::int64_t part_ms =
        std::max(kPieceMs / resolution_ms, std::int64_t{1}) * resolution_ms;
    FoldedSeries all;
    TimeRange ends = piece.ends;
    while (!ends.empty()) {
      LevelPiece part = piece;
      part.ends = {ends.min_ms, std::min(ends.max_ms, bucket_end(ends.min_ms, part_ms))};
      make_part(sources, part);
      std::move(folded_.floats.begin(), folded_.floats.end(), std::back_inserter(all.floats));
      std::move(folded_.histograms.begin(), folded_.histograms.end(),
                std::back_inserter(all.histograms));
      if (part.ends.max_ms == ends.max_ms) break;
      ends.min_ms = part.ends.max_ms + resolution_ms;
    }
    return all;
  }

  // Replaces folded_.
  void make_part(const Sources& sources, const LevelPiece& part) {
    const TimeRange ends = part.ends;
    const std::int64_t resolution_ms = request_.fold.resolution_ms;
    const std::int64_t source_resolution_ms = request_.sources[part.source].resolution_ms;
    folded_.clear();
    if (source_resolution_ms == 0) {
      samples_.clear();
      const TimeRange range{ends.min_ms - resolution_ms + 1, ends.max_ms};
      for (const auto& [cursor, reader, source] : sources) {
        if (source != part.source) continue;
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
      const TimeRange range{ends.min_ms - resolution_ms + source_resolution_ms, ends.max_ms};
      finer_.clear();
      for (const auto& [cursor, reader, source] : sources) {
        if (source != part.source) continue;
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
  std::vector<std::size_t> source_of_;                 // which of the request's, likewise
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
