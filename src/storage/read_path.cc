// SPDX-License-Identifier: Apache-2.0
#include "storage/read_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <list>
#include <map>
#include <string>
#include <tuple>
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
    const bool alike = rules_.keeping->class_count() == 1 && rules_.keeping->holds().empty() &&
                       blocks_->ladder.gone_of.empty();
    if (alike) plans.push_back(plan_of_class(0, {}, hints.max_source_resolution_ms));
    // What everybody has no samples of need not be looked for.
    const TimeRange samples =
        alike ? intersection(range, {plans[0].raw.front().min_ms, plans[0].raw.back().max_ms})
              : range;
    VARVE_TRY_ASSIGN(index::Ids ids, find_in_head(head_, matchers, samples));
    VARVE_TRY(check_count(ids.size(), hints.series_max));
    std::vector<std::shared_ptr<block::Block>> blocks;
    for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
      if (reads(*block, samples)) blocks.push_back(block);
    }
    const TimeRange ends = ends_of(range);
    for (const std::shared_ptr<block::Block>& block : blocks_->levels) {
      const bool asked = hints.max_source_resolution_ms < 0 ||
                         block->meta().resolution_ms <= hints.max_source_resolution_ms;
      if (!asked || !reads(*block, ends)) continue;
      if (!alike || answers(*block, plans[0])) blocks.push_back(block);
    }
    std::vector<BlockPart> parts;
    for (const std::shared_ptr<block::Block>& block : blocks) {
      auto ordinals = block->select(matchers);
      if (!ordinals.ok()) {
        context_.damaged(describe(block->meta()), ordinals.error());
        continue;
      }
      if (ordinals->empty()) continue;
      VARVE_TRY(check_count(ordinals->size(), hints.series_max));
      parts.push_back({reader_of(block), std::move(ordinals).value(), block->meta().out_of_order});
    }
    std::unique_ptr<HeadSelection> head;
    if (parts.empty() || !ids.empty()) {
      if (head_cache_ == nullptr) {
        head_cache_ = std::make_shared<SelectionCache>(head_.head->spill(), head_.head->columns(),
                                                       context_.memory());
      }
      head = std::make_unique<HeadSelection>(head_, std::move(ids), samples, context_, head_cache_);
    }
    std::unique_ptr<Selection> all;
    const std::vector<MergedSelection::BlockSource>* levels = nullptr;
    if (parts.empty()) {
      all = std::move(head);
    } else {
      auto merged =
          make_merged_selection(std::move(head), head_.head->keys(), head_.in_order_from_ms,
                                std::move(parts), samples, context_);
      levels = &merged->levels();
      all = std::move(merged);
      VARVE_TRY(check_count(all->size(), hints.series_max));
    }
    if (alike && plans[0].spans.empty()) return all;
    std::vector<std::uint32_t> plan_of;
    if (!alike) plan_of = assign_plans(*all, hints.max_source_resolution_ms, plans);
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
  std::shared_ptr<const BlockReader> reader_of(const std::shared_ptr<block::Block>& block) {
    for (const std::shared_ptr<const BlockReader>& reader : readers_) {
      if (&reader->block() == block.get()) return reader;
    }
    return readers_.emplace_back(std::make_shared<const BlockReader>(block, context_));
  }
  static Status check_count(std::size_t count, std::size_t series_max) {
    if (series_max == 0 || count <= series_max) return {};
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("the selector matches {} series, more than the limit of {}", count,
                             series_max));
  }
  static bool reads(const block::Block& block, TimeRange range) {
    return !range.empty() && block.meta().range.overlaps(range);
  }

  SeriesPlan plan_of_class(std::size_t series_class, std::span<const std::size_t> gone_classes,
                           std::int64_t max_source_resolution_ms) const {
    PlanInput input = rules_.keeping->plan_input(series_class, gone_classes, blocks_->ladder,
                                                 rules_.newest_ms, rules_.raw_retention_ms,
                                                 max_source_resolution_ms);
    input.raw_lost = blocks_->lost_samples(std::move(input.raw_lost));
    return make_plan(input);
  }

  // What lies inside a bucket needs it, wherever that begins and ends.
  TimeRange ends_of(TimeRange range) const {
    std::int64_t coarsest_ms = 0;
    for (const LevelState& level : blocks_->ladder.levels) {
      coarsest_ms = std::max(coarsest_ms, level.resolution_ms);
    }
    if (!range.empty() && __builtin_sub_overflow(range.min_ms, coarsest_ms, &range.min_ms)) {
      range.min_ms = TimeRange::all().min_ms;
    }
    if (!range.empty() && __builtin_add_overflow(range.max_ms, coarsest_ms, &range.max_ms)) {
      range.max_ms = TimeRange::all().max_ms;
    }
    return range;
  }
  static bool answers(const block::Block& block, const SeriesPlan& plan) {
    const block::BlockMeta& meta = block.meta();
    return std::any_of(plan.spans.begin(), plan.spans.end(), [&](const LevelSpan& span) {
      return span.resolution_ms == meta.resolution_ms && span.ends.overlaps(meta.range);
    });
  }

  // The time of samples that can be read.
  Stretches readable() const {
    Stretches stretches;
    for (const std::shared_ptr<block::Block>& block : blocks_->blocks) {
      const block::BlockMeta& meta = block->meta();
      const bool whole = !meta.out_of_order && meta.window_begin_ms < meta.window_end_ms;
      // Buckets include their end, windows do not: if samples of just that time are held, the block
      // behind is there too.
      add_stretch(stretches,
                  whole ? TimeRange{meta.window_begin_ms, meta.window_end_ms} : meta.range);
    }
    return stretches;
  }

  using Classes = std::vector<std::size_t>;
  // Of one series: its classes of LadderState::gone_of, and the holds of it with those of each.
  using HeldBy = std::vector<std::pair<const Hold*, Classes>>;

  // The samples that there still are of what is held, and where they have gone before, the buckets.
  // `gone`: samples, now.
  SeriesPlan held_plan(SeriesPlan plan, const HeldBy& holds, const Stretches& readable,
                       const Stretches& gone, std::int64_t max_source_resolution_ms) const {
    for (const auto& [hold, classes] : holds) {
      const HeldSince* since = held_since(*hold);
      if (since == nullptr || max_source_resolution_ms == kSourceRaw) continue;
      const std::vector<KeptLevel> levels = rules_.keeping->held_levels(
          *since, classes, blocks_->ladder, max_source_resolution_ms);
      const Stretches before = plan.raw;
      const Stretches kept =
          common(rules_.keeping->held_samples(*hold, since, classes), readable);
      for (const TimeRange& stretch :
           without(common({rules_.keeping->held(*hold)}, gone), kept)) {
        const TimeRange lost = to_whole_buckets(stretch, levels);
        plan.raw = without(plan.raw, {lost});
        give_back_buckets(plan, levels, lost);
      }
      give_back_buckets(plan, levels, rules_.keeping->held(*hold));
      plan.raw = without(before, answered_by(plan.spans));
    }
    for (const auto& [hold, classes] : holds) {
      for (const TimeRange& samples :
           common(rules_.keeping->held_samples(*hold, held_since(*hold), classes), readable)) {
        give_back(plan, samples);
      }
    }
    return plan;
  }
  const HeldSince* held_since(const Hold& hold) const {
    for (const HeldSince& one : blocks_->ladder.holds) {
      if (one.id == hold.id) return &one;
    }
    return nullptr;
  }

  // Which plan each series has, by its labels. `plans` become those of all that there are.
  std::vector<std::uint32_t> assign_plans(const Selection& all,
                                          std::int64_t max_source_resolution_ms,
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
    // By list of policies, of each series its class; holds and marks share lists, as a rule.
    std::list<std::pair<const Policies*, Classes>> known_lists;
    const auto classes_by = [&](const Policies& policies) -> const Classes* {
      for (const auto& [list, classes] : known_lists) {
        if (*list == policies) return &classes;
      }
      Classes classes(all.size(), policies.size());
      for (std::size_t p = policies.size(); p-- > 0;) {
        const std::vector<bool> picked = picks(policies[p]);
        for (std::size_t i = 0; i < picked.size(); ++i) {
          if (picked[i]) classes[i] = p;
        }
      }
      return &known_lists.emplace_back(&policies, std::move(classes)).second;
    };
    using Lists = std::vector<const Classes*>;
    const auto lists_by = [&](const std::vector<GoneOf>& of) {
      Lists lists;
      for (const GoneOf& list : of) lists.push_back(classes_by(*list.policies));
      return lists;
    };
    const auto classes_of = [](const Lists& lists, std::size_t series) {
      Classes classes;
      for (const Classes* list : lists) classes.push_back((*list)[series]);
      return classes;
    };
    const Classes& now = *classes_by(rules_.keeping->policies());
    const Lists then = lists_by(blocks_->ladder.gone_of);
    std::map<const Hold*, Lists> when_held;
    for (const Hold& hold : rules_.keeping->holds()) {
      const HeldSince* since = held_since(hold);
      when_held.emplace(&hold, since == nullptr ? Lists() : lists_by(since->gone.of));
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
    const Gone gone_now = blocks_->ladder.gone();
    const Stretches there = rules_.keeping->holds().empty() ? Stretches() : readable();
    std::map<std::tuple<std::size_t, Classes, HeldBy>, std::uint32_t> known;
    std::vector<std::uint32_t> plan_of(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      HeldBy held_by;
      for (const Hold* hold : holds[i]) held_by.emplace_back(hold, classes_of(when_held[hold], i));
      const std::size_t own = now[i];
      Classes gone = classes_of(then, i);
      auto key = std::tuple(own, gone, std::move(held_by));
      const auto found = known.find(key);
      if (found != known.end()) {
        plan_of[i] = found->second;
        continue;
      }
      plan_of[i] = static_cast<std::uint32_t>(plans.size());
      plans.push_back(held_plan(plan_of_class(own, gone, max_source_resolution_ms),
                                std::get<2>(key), there, gone_now.of_series(0, gone),
                                max_source_resolution_ms));
      known.emplace(std::move(key), plan_of[i]);
    }
    if (plans.empty()) plans.push_back({});
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
      if (!range.empty() && range.overlaps({head.min_time_ms(), head.max_time_ms()}))
        all = of_head();
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
  // Shared by all selections: what an expression names side by side mostly comes from the same
  // targets, whose times are then decoded once.
  std::shared_ptr<SelectionCache> head_cache_;
  std::vector<std::shared_ptr<const BlockReader>> readers_;
};

}  // namespace

std::unique_ptr<Querier> make_querier(const head::Head& head,
                                      std::shared_ptr<const BlockSet> blocks, TimeRange range,
                                      ReadRules rules, ReadObservers observers) {
  return std::make_unique<StorageQuerier>(head, std::move(blocks), range, std::move(rules),
                                          observers);
}

}  // namespace varve::storage
