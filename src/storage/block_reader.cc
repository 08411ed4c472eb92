// SPDX-License-Identifier: Apache-2.0
#include "storage/block_reader.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/codec/times.h"
#include "storage/sample_merge.h"

namespace varve::storage {
namespace {

std::string time_text(Timestamp time_ms) {
  const std::time_t seconds = time_ms / 1000;
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return std::to_string(time_ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

}  // namespace

std::string describe(const block::BlockMeta& meta) {
  return fmt::format("block {} ({} to {})", meta.ulid, time_text(meta.range.min_ms),
                     time_text(meta.range.max_ms));
}

BlockReader::BlockReader(std::shared_ptr<block::Block> block, ReadContext& context)
    : block_(std::move(block)),
      tombstones_(block_->tombstones()),
      column_count_(block_->column_count()),
      context_(context),
      columns_(static_cast<std::atomic<const TimesNode*>*>(
          std::calloc(column_count_ + 1, sizeof(std::atomic<const TimesNode*>)))) {
  VARVE_CHECK(columns_ != nullptr);
}

BlockReader::~BlockReader() {
  for (const TimesNode* node = nodes_.load(std::memory_order_acquire); node != nullptr;) {
    delete std::exchange(node, node->next);
  }
  context_.memory().release(charged_.load(std::memory_order_relaxed));
}

void BlockReader::damaged(const Error& error) const {
  context_.damaged(describe(block_->meta()), error);
}

Result<const DecodedTimes*> BlockReader::times(std::uint32_t column) const {
  if (column >= column_count_) {
    return Error(ErrorCode::kCorruption,
                 fmt::format("{}: there is no column {}", block_->directory(), column));
  }
  std::atomic<const TimesNode*>& slot = columns_[column];
  if (const TimesNode* known = slot.load(std::memory_order_acquire)) return &known->decoded;
  VARVE_TRY_ASSIGN(const block::Column stored, block_->column(column));
  if (stored.count == 0 || stored.count > codec::kTimesMax) {
    return Error(ErrorCode::kCorruption, fmt::format("{}: column {} has {} times",
                                                     block_->directory(), column, stored.count));
  }
  auto node = std::make_unique<TimesNode>();
  VARVE_TRY_ASSIGN(node->decoded,
                   decode_times_of({reinterpret_cast<const std::uint8_t*>(stored.times.data()),
                                    stored.times.size()},
                                   stored.count));
  const TimesNode* expected = nullptr;
  if (!slot.compare_exchange_strong(expected, node.get(), std::memory_order_acq_rel)) {
    return &expected->decoded;  // another thread was first
  }
  node->next = nodes_.load(std::memory_order_relaxed);
  while (!nodes_.compare_exchange_weak(node->next, node.get(), std::memory_order_acq_rel)) {
  }
  const auto held = static_cast<std::int64_t>(sizeof(TimesNode) + stored.count * sizeof(Timestamp));
  charged_.fetch_add(held, std::memory_order_relaxed);
  context_.memory().charge(held);
  return &node.release()->decoded;
}

Status BlockReader::append_chunk(const block::ChunkView& chunk, TimeRange range,
                                 SeriesSamples& out) const {
  if (chunk.kind == block::ChunkKind::kHistograms) {
    return append_histograms(
        {reinterpret_cast<const std::uint8_t*>(chunk.bytes.data()), chunk.bytes.size()}, range,
        out);
  }
  VARVE_TRY_ASSIGN(const DecodedTimes* column, times(chunk.column));
  return append_floats(chunk.bytes, *column, range, out);
}

bool BlockReader::append(std::uint32_t ordinal, TimeRange range, SeriesSamples& out) const {
  static thread_local std::vector<block::ChunkView> chunks;
  chunks.clear();
  const std::size_t floats_before = out.float_times.size();
  const std::size_t histograms_before = out.histogram_times.size();
  bool known = true;
  const auto check = [&](const Status& status) {
    if (status.ok()) return;
    damaged(status.error());
    known = false;
  };
  check(block_->chunks(ordinal, range, chunks));
  for (const block::ChunkView& chunk : chunks) check(append_chunk(chunk, range, out));
  if (!tombstones_->empty() &&
      erase_ranges(tombstones_->of(ordinal), floats_before, histograms_before, out)) {
    known = false;
  }
  return known;
}

void BlockReader::read_last(std::uint32_t ordinal, TimeRange range, LastSample& last) const {
  static thread_local std::vector<block::ChunkView> chunks;
  static thread_local SeriesSamples samples;
  chunks.clear();
  if (Status found = block_->chunks(ordinal, range, chunks); !found.ok()) damaged(found.error());
  for (std::size_t i = chunks.size(); i-- > 0;) {
    samples.clear();
    if (Status read = append_chunk(chunks[i], range, samples); !read.ok()) damaged(read.error());
    if (!tombstones_->empty()) erase_ranges(tombstones_->of(ordinal), 0, 0, samples);
    if (samples.float_times.empty() && samples.histogram_times.empty()) continue;
    take_newest(samples, last);
    return;
  }
}

}  // namespace varve::storage
