// SPDX-License-Identifier: Apache-2.0
// The part of a selection that the head answers; by itself a whole Selection when no block is
// involved. A short copy under the shard's lock pins what a series has, and everything else (head
// files, decoding) happens without locks.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/head/head.h"
#include "storage/querier.h"
#include "storage/read_context.h"
#include "storage/selection_cache.h"

namespace varve::storage {

// The head as one querier sees it. The head must outlive what is made of it.
struct HeadView {
  explicit HeadView(const head::Head& all, Timestamp from_ms)
      : head(&all), index(all.index()), bound(index->bound()), in_order_from_ms(from_ms) {}

  const head::Head* head;
  std::shared_ptr<const index::HeadIndex> index;
  SeriesId bound;
  // BlockSet::head_from_ms: what came in order before this is read from blocks.
  Timestamp in_order_from_ms;
};

// The series that match and may have samples in the range, ascending.
Result<index::Ids> find_in_head(const HeadView& view, std::span<const model::Matcher> matchers,
                                TimeRange range);

// Thread-safe. Series are named by their position in the ids.
class HeadSelection final : public Selection {
 public:
  HeadSelection(HeadView view, index::Ids ids, TimeRange range, ReadContext& context,
                std::shared_ptr<SelectionCache> cache);

  std::size_t size() const override { return ids_.size(); }
  Labels labels(std::size_t series) const override { return view_.index->labels(ids_[series]); }
  LabelColumn label_column(std::string_view name) const override {
    return view_.index->label_column(ids_, name);
  }
  Status read(std::size_t series, TimeRange range, SeriesSamples& out) const override;
  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<LastSample> out) const override;

  // For a selection that has more than the head. -------------------------------------------------
  const index::Ids& ids() const { return ids_; }
  // A column of some of the series.
  LabelColumn label_column(index::IdSpan ids, std::string_view name) const {
    return view_.index->label_column(ids, name);
  }
  // Appends the samples that came in order to what is in `out`, all of which must be older than
  // max(range.min_ms, in_order_from_ms). False if `out.times_id` no longer stands for the times.
  bool append_in_order(std::size_t series, TimeRange range, SeriesSamples& out) const;
  // Then, on the same thread: puts the late ones of the same series in between.
  void merge_late_of_last(SeriesSamples& out) const;

 private:
  Status decode_closed(const head::ChunkRef& chunk, TimeRange range, SeriesSamples& out) const;
  void decode_open(TimeRange range, SeriesSamples& out) const;
  // Some of the newest samples in the range, if there are any.
  void read_newest(std::size_t series, TimeRange range, SeriesSamples& out) const;

  const HeadView view_;
  const index::Ids ids_;
  const TimeRange range_;
  ReadContext& context_;
  const std::shared_ptr<SelectionCache> cache_;
};

}  // namespace varve::storage
