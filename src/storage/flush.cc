// SPDX-License-Identifier: Apache-2.0
#include "storage/flush.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/try.h"

namespace varve::storage {
namespace {

using head::kChunkRangeMs;

// How far behind the newest sample others are still taken in order (as Prometheus, half a window).
constexpr std::int64_t kInOrderMs = kChunkRangeMs / 2;

}  // namespace

std::optional<Timestamp> choose_cut(const CutChoice& choice) {
  const Timestamp end_ms = head::chunk_range_end(choice.min_ms);
  const bool late_is_taken = choice.out_of_order_window_ms >= kInOrderMs;
  const std::int64_t wait_ms = choice.asked && late_is_taken ? 0 : kInOrderMs;
  if (choice.max_ms < TimeRange::all().min_ms + wait_ms || choice.max_ms - wait_ms < end_ms) {
    return std::nullopt;
  }
  return end_ms;
}

Flush::Flush(const Engine& engine)
    : engine_(engine),
      truncations_(engine.metrics.counter("prometheus_tsdb_head_truncations_total",
                                          "Total number of head truncations attempted.")),
      truncations_failed_(engine.metrics.counter("prometheus_tsdb_head_truncations_failed_total",
                                                 "Total number of head truncations that failed.")),
      chunks_lost_(
          engine.metrics.counter("varve_head_chunks_lost_total",
                                 "Chunks of the head that could not be read when they were "
                                 "to go into a block.")) {}

Result<bool> Flush::cut_window(bool asked) {
  const head::Head& head = engine_.head;
  const std::optional<HeadCut>& last = engine_.blocks.cut();
  CutChoice choice;
  // Until a cut is trimmed the head still has what lies before it.
  choice.min_ms = std::max(head.min_time_ms(), last ? last->time_ms : TimeRange::all().min_ms);
  choice.max_ms = head.max_time_ms();
  choice.out_of_order_window_ms = engine_.limits.out_of_order_window_ms.load();
  choice.asked = asked;
  if (choice.min_ms > choice.max_ms) return false;
  const std::optional<Timestamp> before_ms = choose_cut(choice);
  if (!before_ms) return false;
  VARVE_TRY(cut(*before_ms, false));
  return true;
}

// A second cut at the same time: what a shard held of before that stands in frames up to a later
// one.
Status Flush::cut_late() {
  const std::optional<HeadCut>& last = engine_.blocks.cut();
  if (!last) return {};
  const bool trimmed = trim();
  const Timestamp before_ms = last->time_ms;
  const Timestamp oldest_ms = engine_.head.oldest_late_ms(TimeRange::all().min_ms, before_ms - 1);
  if (oldest_ms >= before_ms) return {};
  if (!trimmed) {
    return Error(ErrorCode::kUnavailable,
                 "late samples stay in memory as long as queries read what was cut from there "
                 "before; ask again once these have ended");
  }
  return cut(before_ms, true);
}

Status Flush::cut(Timestamp before_ms, bool late_only) {
  const head::Head& head = engine_.head;
  truncations_.add();
  const auto started = engine_.clock.monotonic();
  const auto fail = [&](Error error) {
    truncations_failed_.add();
    // As long as it is in no block, a snapshot of the head must not take it for something that is.
    for (unsigned shard = 0; late_only && shard < head::kShards; ++shard) {
      head::Shard& owner = engine_.head.shard_at(shard);
      const std::lock_guard lock(owner.mutex);
      owner.thaw();
    }
    return std::move(error).with("cutting the head");
  };
  HeadCut cut;
  cut.time_ms = before_ms;
  cut.seqs.assign(head::kShards, 0);
  Status frozen = engine_.write_path.visit_at_boundary(
      0, head::kShards, [&](unsigned shard, const wal::FramePosition& covered) {
        head::Shard& owner = engine_.head.shard_at(shard);
        if (late_only) {
          owner.freeze_late(before_ms);
        } else {
          owner.freeze(before_ms);
        }
        cut.seqs[shard] = covered.seq;
      });
  if (!frozen.ok()) return fail(std::move(frozen).error());
  // The MANIFEST must not name frames that a power cut could take back: their numbers would be
  // given again, to samples that count.
  Status durable = engine_.wal.wait_durable(*std::max_element(cut.seqs.begin(), cut.seqs.end()));
  if (!durable.ok()) return fail(std::move(durable).error());

  const std::shared_ptr<const index::HeadIndex> index = head.index();
  const index::Ids ids = index->label_order(index->all(index->bound()));
  HeadBlocksRequest request;
  request.ids = ids;
  request.before_ms = before_ms;
  request.late = head::TakeLate::kFrozen;
  request.path = [this](std::string_view ulid) { return engine_.blocks.creation_path(ulid); };
  request.now_ms = engine_.clock.now_ms();
  request.stop = &engine_.stop;
  auto written = write_head_blocks(engine_.files, head, request, engine_.log);
  if (!written.ok()) return fail(std::move(written).error());
  chunks_lost_.add(static_cast<double>(written->chunks_lost));
  std::uint64_t samples = 0;
  std::uint64_t bytes = 0;
  for (const FinishedBlock& block : written->blocks) {
    samples += block.meta.floats + block.meta.histograms;
    bytes += block.meta.bytes;
  }
  const std::size_t blocks = written->blocks.size();
  Status committed = engine_.blocks.commit({std::move(written->blocks), {}, cut, {}});
  if (!committed.ok()) return fail(std::move(committed).error());
  trim_before_ms_ = before_ms;
  engine_.log.info(
      late_only ? "storage: late samples cut" : "storage: head cut",
      {{"before_ms", before_ms},
       {"blocks", blocks},
       {"samples", samples},
       {"bytes", bytes},
       {"duration_s",
        std::chrono::duration<double>(engine_.clock.monotonic() - started).count()}});
  trim();
  return {};
}

bool Flush::trim() {
  if (!trim_before_ms_) return true;
  if (!engine_.blocks.sets().drained()) return false;
  engine_.head.trim(*trim_before_ms_);
  trim_before_ms_.reset();
  return true;
}

}  // namespace varve::storage
