// SPDX-License-Identifier: Apache-2.0
// A selection over several blocks and the head: which series of them are one, and their samples in
// one row. A time that several places have is given back once; the sample that came first stays (in
// order before late, blocks before the head, of blocks the one that block::counts_before() others).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "storage/block_reader.h"
#include "storage/head_selection.h"
#include "storage/querier.h"
#include "storage/read_context.h"
#include "storage/series_join.h"

namespace varve::storage {

// What a block has of a selection.
struct BlockPart {
  std::shared_ptr<const BlockReader> reader;
  block::Ordinals ordinals;  // that match
  bool late = false;         // the block has what came behind a cut, else what came in order
};

// Joins the parts; `head` may be null. Parts whose hashes cannot be read are
// reported and left out.
class MergedSelection;
std::unique_ptr<MergedSelection> make_merged_selection(std::unique_ptr<HeadSelection> head,
                                                 const head::KeyTable& keys,
                                                 Timestamp head_from_ms,
                                                 std::vector<BlockPart> parts, TimeRange range,
                                                 ReadContext& context);

// Thread-safe.
class MergedSelection final : public Selection {
 public:
  static constexpr std::uint32_t kAbsent = SeriesJoin::kAbsent;

  // A source of series: the position or ordinal that each has in it. Short lists: the rest is
  // absent.
  struct Source {
    std::vector<std::uint32_t> at;
    std::uint32_t of(std::size_t series) const { return series < at.size() ? at[series] : kAbsent; }
  };
  struct BlockSource : Source {
    std::shared_ptr<const BlockReader> reader;
    bool late = false;
  };

  MergedSelection(std::unique_ptr<HeadSelection> head, Source in_head, Timestamp head_from_ms,
                  std::vector<BlockSource> blocks, std::vector<BlockSource> levels,
                  std::size_t size, TimeRange range, ReadContext& context);

  // Blocks of levels, by time: series have labels from them, but no samples.
  const std::vector<BlockSource>& levels() const { return levels_; }

  std::size_t size() const override { return size_; }
  Labels labels(std::size_t series) const override;
  LabelColumn label_column(std::string_view name) const override;
  Status read(std::size_t series, TimeRange range, SeriesSamples& out) const override;
  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<LastSample> out) const override;

 private:
  using Selection::levels;

  // Where the labels of series are looked up: the head for those it has, else the first block.
  struct LabelSource {
    const BlockSource* block = nullptr;  // null: the head
    std::vector<std::uint32_t> series;
  };

  // Adds what a block has to what is there.
  void add_block(const BlockSource& block, std::size_t series, TimeRange range, SeriesSamples& out,
                 bool& known) const;
  LabelColumn column_of(const LabelSource& source, std::string_view name) const;

  const std::unique_ptr<HeadSelection> head_;
  const Source in_head_;
  const Timestamp head_from_ms_;
  const std::vector<BlockSource> blocks_;  // in order ones, then late ones; see sort_for_reading()
  const std::vector<BlockSource> levels_;
  const std::size_t size_;
  const TimeRange range_;
  ReadContext& context_;
  std::vector<const BlockSource*> with_labels_;  // blocks_, then levels_
  std::vector<LabelSource> label_sources_;
  std::vector<std::uint32_t> newest_first_;  // indexes into blocks_, by the end of their time
  mutable std::mutex mutex_;                 // guards kept_
  mutable std::vector<std::shared_ptr<const void>> kept_;  // what handed out label values lie in
};

}  // namespace varve::storage
