// SPDX-License-Identifier: Apache-2.0
#include "storage/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/head_selection.h"
#include "storage/level_selection.h"
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
                 ReadRules rules, ReadObservers observers)
      : blocks_(std::move(blocks)),
        rules_(std::move(rules)),
        head_(head, blocks_->head_from_ms),
        range_(intersection(range, {rules_.keeping->oldest_ms(blocks_->ladder, rules_.newest_ms,
                                                              rules_.raw_retention_ms),
                                    TimeRange::all().max_ms})),
        context_(observers) {
    for (const block::BlockMeta& meta : blocks_->unreadable) {
      if (!meta.range.overlaps(range_)) continue;
      context_.damaged(describe(meta), Error(ErrorCode::kCorruption, "it has been set aside"));
    }
  }

  Result<std::unique_ptr<Selection>> select(std::span<const model::Matcher> matchers,
                                            TimeRange range, const SelectHints& hints) override {
    range = intersection(range, range_);
    std::vector<SeriesPlan> plans;
    for (std::size_t c = 0; c < rules_.keeping->class_count(); ++c) {
      plans.push_back(make_plan(
          rules_.keeping->plan_input(c, blocks_->ladder, rules_.newest_ms, rules_.raw_retention_ms,
                                     hints.max_source_resolution_ms)));
    }
    const bool alike = plans.size() == 1 && rules_.keeping->holds().empty();
    // What everybody has no samples of need not be looked for.
    const TimeRange samples = alike ? intersection(range, plans[0].raw[0]) : range;
    VARVE_TRY_ASSIGN(index::Ids ids, find_in_head(head_, matchers, samples));
    VARVE_TRY(check_count(ids.size(), hints.series_max));
    std::vector<std::shared_ptr<block::Block>> blocks;
    for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
      if (reads(*block, samples)) blocks.push_back(block);
    }
    const TimeRange ends = ends_of(range, plans);
    for (const std::shared_ptr<block::Block>& block : blocks_->levels) {
      if (reads(*block, ends) && answers(*block, plans)) blocks.push_back(block);
    }
    std::vector<BlockPart> parts;
    for (const std::shared_ptr<block::Block>& block : blocks) {
      auto reader = std::make_unique<BlockReader>(block, context_);
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
      head = std::make_unique<HeadSelection>(head_, std::move(ids), samples, context_);
    }
    std::unique_ptr<Selection> all;
    const std::vector<MergedSelection::BlockSource>* levels = nullptr;
    if (parts.empty()) {
      all = std::move(head);
    } else {
      auto merged = make_merged_selection(std::move(head), head_.head->keys(),
                                          head_.in_order_from_ms, std::move(parts), samples, context_);
      levels = &merged->levels();
      all = std::move(merged);
      VARVE_TRY(check_count(all->size(), hints.series_max));
    }
    if (alike && plans[0].spans.empty()) return all;
    std::vector<std::uint32_t> plan_of;
    if (!alike) plan_of = assign_plans(*all, plans);
    return std::unique_ptr<Selection>(std::make_unique<LevelSelection>(
        std::move(all), levels, std::move(plans), std::move(plan_of), ends));
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

  // What lies inside a bucket needs it, wherever that begins and ends.
  static TimeRange ends_of(TimeRange range, const std::vector<SeriesPlan>& plans) {
    std::int64_t coarsest_ms = 0;
    for (const SeriesPlan& plan : plans) {
      for (const LevelSpan& span : plan.spans) coarsest_ms = std::max(coarsest_ms, span.resolution_ms);
    }
    if (!range.empty() && __builtin_sub_overflow(range.min_ms, coarsest_ms, &range.min_ms)) {
      range.min_ms = TimeRange::all().min_ms;
    }
    if (!range.empty() && __builtin_add_overflow(range.max_ms, coarsest_ms, &range.max_ms)) {
      range.max_ms = TimeRange::all().max_ms;
    }
    return range;
  }
  static bool answers(const block::Block& block, const std::vector<SeriesPlan>& plans) {
    const block::BlockMeta& meta = block.meta();
    return std::any_of(plans.begin(), plans.end(), [&](const SeriesPlan& plan) {
      return std::any_of(plan.spans.begin(), plan.spans.end(), [&](const LevelSpan& span) {
        return span.resolution_ms == meta.resolution_ms && span.ends.overlaps(meta.range);
      });
    });
  }

  // The samples that there still are of what is held: those of blocks, as others have gone.
  SeriesPlan held_plan(SeriesPlan plan, const std::vector<const Hold*>& holds) const {
    for (const Hold* hold : holds) {
      const TimeRange range = rules_.keeping->held(*hold);
      std::vector<TimeRange> stretches;
      for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
        const block::BlockMeta& meta = block->meta();
        const TimeRange own = meta.out_of_order || meta.window_end_ms <= meta.window_begin_ms
                                  ? meta.range
                                  : TimeRange{meta.window_begin_ms, meta.window_end_ms - 1};
        const TimeRange part = intersection(range, own);
        if (part.empty()) continue;
        if (!stretches.empty() && part.min_ms <= stretches.back().max_ms + 1) {
          stretches.back().max_ms = std::max(stretches.back().max_ms, part.max_ms);
        } else {
          stretches.push_back(part);
        }
      }
      for (const TimeRange& stretch : stretches) give_back(plan, stretch);
    }
    return plan;
  }

  // Which plan each series has, by its labels. Plans of held series are added.
  std::vector<std::uint32_t> assign_plans(const Selection& all,
                                          std::vector<SeriesPlan>& plans) const {
    std::map<std::string, LabelColumn> columns;
    const auto picks = [&](const std::vector<model::Matcher>& matchers) {
      std::vector<bool> picked(all.size(), true);
      for (const model::Matcher& matcher : matchers) {
        auto [at, is_new] = columns.try_emplace(matcher.name());
        if (is_new) at->second = all.label_column(matcher.name());
        const LabelColumn& column = at->second;
        std::vector<bool> fits(column.values.size());
        for (std::size_t v = 0; v < fits.size(); ++v) fits[v] = matcher.matches(column.values[v]);
        for (std::size_t i = 0; i < picked.size(); ++i) {
          picked[i] = picked[i] && fits[column.ids[i]];
        }
      }
      return picked;
    };
    const auto& policies = rules_.keeping->ladder().policies;
    std::vector<std::uint32_t> plan_of(all.size(), static_cast<std::uint32_t>(policies.size()));
    for (std::size_t p = policies.size(); p-- > 0;) {
      const std::vector<bool> picked = picks(policies[p].matchers);
      for (std::size_t i = 0; i < picked.size(); ++i) {
        if (picked[i]) plan_of[i] = static_cast<std::uint32_t>(p);
      }
    }
    std::vector<std::vector<const Hold*>> holds(all.size());
    for (const Hold& hold : rules_.keeping->holds()) {
      std::vector<bool> held(all.size());
      for (const std::vector<model::Matcher>& selector : hold.selectors) {
        const std::vector<bool> picked = picks(selector);
        for (std::size_t i = 0; i < held.size(); ++i) held[i] = held[i] || picked[i];
      }
      for (std::size_t i = 0; i < held.size(); ++i) {
        if (held[i]) holds[i].push_back(&hold);
      }
    }
    std::map<std::pair<std::uint32_t, std::vector<const Hold*>>, std::uint32_t> known;
    for (std::size_t i = 0; i < holds.size(); ++i) {
      if (holds[i].empty()) continue;
      const auto [at, is_new] = known.try_emplace(std::pair(plan_of[i], holds[i]),
                                                  static_cast<std::uint32_t>(plans.size()));
      if (is_new) {
        SeriesPlan plan = held_plan(plans[plan_of[i]], holds[i]);
        plans.push_back(std::move(plan));
      }
      plan_of[i] = at->second;
    }
    return plan_of;
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
    std::vector<std::shared_ptr<block::Block>> blocks = blocks_->blocks;
    blocks.insert(blocks.end(), blocks_->levels.begin(), blocks_->levels.end());
    for (const std::shared_ptr<block::Block>& block : blocks) {
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
  const ReadRules rules_;
  const HeadView head_;
  const TimeRange range_;
  ReadContext context_;
};

}  // namespace

std::unique_ptr<Querier> make_querier(const head::Head& head, std::shared_ptr<const BlockSet> blocks,
                                      TimeRange range, ReadRules rules, ReadObservers observers) {
  return std::make_unique<StorageQuerier>(head, std::move(blocks), range, std::move(rules),
                                          observers);
}

}  // namespace varve::storage
