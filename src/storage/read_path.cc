// SPDX-License-Identifier: Apache-2.0
#include "storage/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/head_selection.h"
#include "storage/merged_selection.h"

namespace varve::storage {
namespace {

using Strings = std::vector<std::string>;

void unite(Strings& all, Strings more) {
  if (more.empty()) return;
  if (all.empty()) {
    all = std::move(more);
    return;
  }
  Strings both;
  both.reserve(std::max(all.size(), more.size()));
  std::set_union(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()),
                 std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()),
                 std::back_inserter(both));
  all = std::move(both);
}

class StorageQuerier final : public Querier {
 public:
  StorageQuerier(const head::Head& head, std::shared_ptr<const BlockSet> blocks, TimeRange range,
                 ReadObservers observers)
      : blocks_(std::move(blocks)),
        head_(head, blocks_->head_from_ms),
        range_(range),
        context_(observers) {
    for (const block::BlockMeta& meta : blocks_->unreadable) {
      if (!meta.range.overlaps(range_)) continue;
      context_.damaged(describe(meta), Error(ErrorCode::kCorruption, "it has been set aside"));
    }
  }

  Result<std::unique_ptr<Selection>> select(std::span<const model::Matcher> matchers,
                                            TimeRange range, const SelectHints& hints) override {
    range = intersection(range, range_);
    VARVE_TRY_ASSIGN(index::Ids ids, find_in_head(head_, matchers, range));
    VARVE_TRY(check_count(ids.size(), hints.series_max));
    std::vector<BlockPart> parts;
    for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
      if (!reads(*block, range)) continue;
      auto reader = std::make_unique<BlockReader>(block, static_cast<std::uint32_t>(parts.size()), context_);
      auto ordinals = block->select(matchers);
      if (!ordinals.ok()) {
        reader->damaged(ordinals.error());
        continue;
      }
      if (ordinals->empty()) continue;
      VARVE_TRY(check_count(ordinals->size(), hints.series_max));
      parts.push_back({std::move(reader), std::move(ordinals).value(), block->meta().out_of_order});
    }
    std::unique_ptr<HeadSelection> head;
    if (parts.empty() || !ids.empty()) {
      head = std::make_unique<HeadSelection>(head_, std::move(ids), range, context_);
    }
    if (parts.empty()) return std::unique_ptr<Selection>(std::move(head));
    std::unique_ptr<Selection> all = make_merged_selection(
        std::move(head), head_.head->keys(), head_.in_order_from_ms, std::move(parts), range, context_);
    VARVE_TRY(check_count(all->size(), hints.series_max));
    return all;
  }

  Result<Names> label_names(std::span<const model::Matcher> matchers, TimeRange range,
                            std::size_t limit) override {
    return names(
        matchers, range, limit, [&] { return head_.index->label_names(head_.bound); },
        [&](index::IdSpan ids) { return head_.index->label_names(ids); },
        [&](const block::Block& block) { return block.label_names(); },
        [&](const block::Block& block, block::OrdinalSpan ordinals) {
          return block.label_names(ordinals);
        });
  }

  Result<Names> label_values(std::string_view label, std::span<const model::Matcher> matchers,
                             TimeRange range, std::size_t limit) override {
    return names(
        matchers, range, limit, [&] { return head_.index->label_values(label, head_.bound); },
        [&](index::IdSpan ids) { return head_.index->label_values(label, ids); },
        [&](const block::Block& block) { return block.label_values(label); },
        [&](const block::Block& block, block::OrdinalSpan ordinals) {
          return block.label_values(label, ordinals);
        });
  }

  Strings warnings() const override { return context_.warnings(); }

 private:
  static Status check_count(std::size_t count, std::size_t series_max) {
    if (series_max == 0 || count <= series_max) return {};
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("the selector matches {} series, more than the limit of {}", count,
                             series_max));
  }
  static bool reads(const block::Block& block, TimeRange range) {
    return !range.empty() && block.meta().range.overlaps(range);
  }

  // Strings of all series (of the head, of a block), or of those that match.
  template <typename OfHead, typename OfIds, typename OfBlock, typename OfOrdinals>
  Result<Names> names(std::span<const model::Matcher> matchers, TimeRange range, std::size_t limit,
                      const OfHead& of_head, const OfIds& of_ids, const OfBlock& of_block,
                      const OfOrdinals& of_ordinals) {
    range = intersection(range, range_);
    Strings all;
    if (matchers.empty()) {
      const head::Head& head = *head_.head;
      if (!range.empty() && range.overlaps({head.min_time_ms(), head.max_time_ms()})) all = of_head();
    } else {
      VARVE_TRY_ASSIGN(const index::Ids ids, find_in_head(head_, matchers, range));
      all = of_ids(ids);
    }
    for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
      if (!reads(*block, range)) continue;
      const auto read = [&]() -> Result<Strings> {
        if (matchers.empty()) return of_block(*block);
        VARVE_TRY_ASSIGN(const block::Ordinals ordinals, block->select(matchers));
        return of_ordinals(*block, ordinals);
      };
      Result<Strings> more = read();
      if (!more.ok()) {
        context_.damaged(describe(block->meta()), more.error());
        continue;
      }
      unite(all, std::move(more).value());
    }
    Names result;
    result.truncated = limit != 0 && all.size() > limit;
    if (result.truncated) all.resize(limit);
    result.names = std::move(all);
    return result;
  }

  const std::shared_ptr<const BlockSet> blocks_;
  const HeadView head_;
  const TimeRange range_;
  ReadContext context_;
};

}  // namespace

std::unique_ptr<Querier> make_querier(const head::Head& head, std::shared_ptr<const BlockSet> blocks,
                                      TimeRange range, ReadObservers observers) {
  return std::make_unique<StorageQuerier>(head, std::move(blocks), range, observers);
}

}  // namespace varve::storage
