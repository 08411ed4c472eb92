// SPDX-License-Identifier: Apache-2.0
#include "storage/head_blocks.h"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "storage/chunk_assembler.h"
#include "storage/codec/gorilla.h"
#include "storage/codec/histogram.h"
#include "storage/compaction_plan.h"

namespace varve::storage {
namespace {

using head::ChunkRef;
using head::SpillPlace;
using head::SpillStore;

constexpr std::uint32_t kInOrderRank = 0;
constexpr std::uint32_t kLateRank = 1;

// Bytes of the spill store, by mapping its files where that is possible.
class SpillReader {
 public:
  explicit SpillReader(const SpillStore& spill) : spill_(spill) {}

  // Lives until forget().
  Result<std::string_view> bytes(SpillPlace place) {
    const std::string_view found = mapped(place);
    if (found.data() == nullptr) return spill_.read(place, copies_.emplace_back());
    return SpillStore::verify(place, found);
  }
  void forget() {
    copies_.clear();
    outgrown_.clear();
  }

 private:
  std::string_view mapped(SpillPlace place) {
    const std::uint64_t number = place.offset() / SpillStore::kFileBytes;
    const std::uint64_t at = place.offset() % SpillStore::kFileBytes;
    std::shared_ptr<const fs::MappedFile>& file = files_[number];
    if (file == nullptr || file->bytes().size() < at + place.stored_length()) {
      // What was found in the shorter mapping is still in use.
      if (file != nullptr) outgrown_.push_back(std::move(file));
      file = spill_.map(place);
      if (file == nullptr) return {};
    }
    return file->bytes().substr(at, place.stored_length());
  }

  const SpillStore& spill_;
  std::unordered_map<std::uint64_t, std::shared_ptr<const fs::MappedFile>> files_;
  std::vector<std::shared_ptr<const fs::MappedFile>> outgrown_;
  std::deque<std::vector<char>> copies_;
};

// One block being written.
struct Window {
  FinishedBlock block;
  std::unique_ptr<block::Writer> writer;
  std::unique_ptr<ChunkAssembler> assembler;
  std::unordered_map<head::TimeColumnId, ColumnSlot> columns;
};

class HeadBlocksWriter {
 public:
  HeadBlocksWriter(fs::FileSystem& files, const head::Head& head, const HeadBlocksRequest& request,
                   base::Logger& log)
      : files_(files), head_(head), request_(request), log_(log), spill_(head.spill()) {}

  Result<HeadBlocks> run() {
    Status status;
    do {
      later_.clear();
      status = pass();
      if (status.ok()) status = finish_windows();
      done_.insert(open_begins_.begin(), open_begins_.end());
      open_begins_.clear();
    } while (status.ok() && !later_.empty());
    if (status.ok()) return std::move(result_);
    for (const auto& [begin, window] : windows_) remove(window.block.directory);
    windows_.clear();
    for (const FinishedBlock& block : result_.blocks) remove(block.directory);
    return std::move(status).error();
  }

 private:
  Status pass() {
    const std::shared_ptr<const index::HeadIndex> index = head_.index();
    const bool first = done_.empty();
    if (first) result_.series.reserve(request_.ids.size());
    for (const SeriesId id : request_.ids) {
      if (request_.stop != nullptr && request_.stop->load(std::memory_order_relaxed)) {
        return Error(ErrorCode::kCanceled, "the cut was stopped");
      }
      take(id);
      if (first) result_.series.push_back({id, taken_.state});
      VARVE_TRY(spread());
      VARVE_TRY(write(id, *index));
      spill_.forget();
    }
    return {};
  }

  // What the series has, copied under its shard's lock.
  void take(SeriesId id) {
    head::Shard& shard = head_.shard(id);
    const std::lock_guard lock(shard.mutex);
    head::HotSeries& series = head_.series(id);
    if (!request_.copy) {
      shard.take(series, id, request_.before_ms, request_.late, taken_);
      return;
    }
    taken_.state = shard.state(series, id);
    shard.snapshot(series, id, TimeRange::all(), snapshot_);
    taken_.chunks.assign(snapshot_.chunks.rbegin(), snapshot_.chunks.rend());
    taken_.deleted = snapshot_.deleted;
    taken_.late_floats = snapshot_.late_floats;
    taken_.late_histograms = snapshot_.late_histograms;
  }

  // To the windows they belong to.
  Status spread() {
    for (const ChunkRef& chunk : taken_.chunks) VARVE_TRY(add_chunk(chunk));
    if (request_.copy) VARVE_TRY(add_open());
    VARVE_TRY(add_samples<Sample>(taken_.late_floats, kLateRank));
    return add_samples<HistogramPoint>(taken_.late_histograms, kLateRank);
  }

  Status add_chunk(const ChunkRef& chunk) {
    const head::TimeColumn& column = head_.columns()[chunk.column];
    VARVE_TRY_ASSIGN(Window* const window, window_of(column.range.min_ms));
    if (window == nullptr) return {};
    ChunkPiece piece;
    piece.rank = kInOrderRank;
    piece.range = column.range;
    piece.count = column.count;
    piece.deleted = taken_.deleted;
    auto bytes = spill_.bytes(chunk.place);
    if (!bytes.ok()) return lost(std::move(bytes).error());
    piece.bytes = *bytes;
    if (chunk.place.tag() == ChunkRef::kHistograms) {
      piece.kind = block::ChunkKind::kHistograms;
    } else {
      auto times = spill_.bytes(column.place);
      if (!times.ok()) return lost(std::move(times).error());
      piece.times = *times;
      piece.column = &window->columns.try_emplace(chunk.column, kNoColumn).first->second;
    }
    window->block.meta.out_of_order = false;
    window->assembler->add(piece);
    return {};
  }

  Status add_open() {
    std::vector<Sample> floats;
    if (snapshot_.open.count > 0) {
      std::vector<Timestamp> times(snapshot_.open.count);
      std::vector<double> values(snapshot_.open.count);
      codec::gorilla_decode(snapshot_.open, snapshot_.words.data(), times.data(), values.data());
      for (std::size_t i = 0; i < times.size(); ++i) floats.push_back({times[i], values[i]});
    }
    std::vector<HistogramPoint> histograms;
    if (!snapshot_.open_histograms.empty()) {
      std::vector<Timestamp> times;
      std::vector<HistogramPtr> values;
      VARVE_TRY(codec::decode_histograms(snapshot_.open_histograms, times, values));
      for (std::size_t i = 0; i < times.size(); ++i) histograms.push_back({times[i], values[i]});
    }
    const auto is_deleted = [this](const auto& point) {
      return std::any_of(
          taken_.deleted.begin(), taken_.deleted.end(),
          [&point](const TimeRange& range) { return range.contains(point.timestamp_ms); });
    };
    std::erase_if(floats, is_deleted);
    std::erase_if(histograms, is_deleted);
    VARVE_TRY(add_samples<Sample>(floats, kInOrderRank));
    return add_samples<HistogramPoint>(histograms, kInOrderRank);
  }

  // A window at a time; `points` ascend.
  template <typename Point>
  Status add_samples(std::span<const Point> points, std::uint32_t rank) {
    while (!points.empty()) {
      const Timestamp end_ms = head::chunk_range_end(points.front().timestamp_ms);
      std::size_t count = 1;
      while (count < points.size() && points[count].timestamp_ms < end_ms) ++count;
      VARVE_TRY_ASSIGN(Window* const window, window_of(points.front().timestamp_ms));
      if (window != nullptr) {
        window->assembler->add(points.first(count), rank);
        if (rank == kInOrderRank) window->block.meta.out_of_order = false;
      }
      points = points.subspan(count);
    }
    return {};
  }

  // The block for a time; null if it is written in another pass.
  Result<Window*> window_of(Timestamp t) {
    const Timestamp begin = window_begin(t, head::kChunkRangeMs);
    const auto found = windows_.find(begin);
    if (found != windows_.end()) return &found->second;
    if (done_.count(begin) > 0) return static_cast<Window*>(nullptr);
    if (windows_.size() >= request_.windows_at_once) {
      later_.insert(begin);
      return static_cast<Window*>(nullptr);
    }
    Window window;
    block::BlockMeta& meta = window.block.meta;
    meta.ulid = block::make_ulid(request_.now_ms);
    meta.window_begin_ms = begin;
    meta.window_end_ms = head::chunk_range_end(t);
    meta.out_of_order = true;  // until something came in order
    meta.sources = {meta.ulid};
    meta.hash_fingerprint = head_.keys().hasher().fingerprint();
    window.block.directory = request_.path(meta.ulid);
    auto writer = block::Writer::create(files_, window.block.directory);
    if (!writer.ok()) {
      remove(window.block.directory);
      return std::move(writer).error();
    }
    window.writer = std::move(*writer);
    window.assembler = std::make_unique<ChunkAssembler>(*window.writer, false);
    return &windows_.emplace(begin, std::move(window)).first->second;
  }

  Status write(SeriesId id, const index::HeadIndex& index) {
    Labels labels;
    index::SeriesHash hash;
    for (auto& [begin, window] : windows_) {
      if (window.assembler->empty()) continue;
      VARVE_TRY_ASSIGN(const auto chunks, window.assembler->finish());
      if (chunks.empty()) continue;
      if (labels.empty()) {
        labels = index.labels(id);
        hash = head_.keys().hasher().labels(labels.bytes());
      }
      VARVE_TRY(window.writer->add_series(labels, hash, chunks));
      window.block.meta.series = 1;  // there is something; finish() counts
    }
    return {};
  }

  Status finish_windows() {
    while (!windows_.empty()) {
      Window& window = windows_.begin()->second;
      if (window.block.meta.series == 0) {
        window.writer.reset();
        remove(window.block.directory);  // all of it was deleted
      } else {
        VARVE_TRY_ASSIGN(window.block.meta, window.writer->finish(window.block.meta));
        result_.blocks.push_back(window.block);
      }
      open_begins_.insert(windows_.begin()->first);
      windows_.erase(windows_.begin());
    }
    return {};
  }

  // What is damaged is left out: no later cut could do better. A disk that fails may recover.
  Status lost(Error error) {
    if (error.code() != ErrorCode::kCorruption && error.code() != ErrorCode::kNotFound)
      return error;
    if (result_.chunks_lost++ == 0) {
      log_.error("storage: a chunk of the head is lost", {{"err", error.message()}});
    }
    return {};
  }

  void remove(const std::string& directory) {
    Status removed = remove_tree(files_, directory);
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound) {
      log_.warn("storage: cannot remove an unfinished block", {{"err", removed.error().message()}});
    }
  }

  fs::FileSystem& files_;
  const head::Head& head_;
  const HeadBlocksRequest& request_;
  base::Logger& log_;
  SpillReader spill_;
  head::CutSeries taken_;
  head::SeriesSnapshot snapshot_;
  std::map<Timestamp, Window> windows_;  // by begin
  std::set<Timestamp> open_begins_;      // finished in this pass
  std::set<Timestamp> done_;             // finished in passes before
  std::set<Timestamp> later_;
  HeadBlocks result_;
};

}  // namespace

Result<HeadBlocks> write_head_blocks(fs::FileSystem& files, const head::Head& head,
                                     const HeadBlocksRequest& request, base::Logger& log) {
  return HeadBlocksWriter(files, head, request, log).run();
}

}  // namespace varve::storage
