// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/memory_storage.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "model/histogram.h"
#include "promql/test_language/memory_levels.h"
#include "storage/source_resolution.h"

namespace varve::promql::test_language {
namespace {

using StoredSeries = MemoryStorage::StoredSeries;
using Entry = std::pair<const Labels, StoredSeries>;

bool has_sample(const StoredSeries& series, TimeRange range) {
  const auto in_range = [&](const auto& samples) {
    const auto first = samples.lower_bound(range.min_ms);
    return first != samples.end() && first->first <= range.max_ms;
  };
  return in_range(series.floats) || in_range(series.histograms);
}

bool matches(const Labels& labels, std::span<const model::Matcher> matchers) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const model::Matcher& matcher) {
    return matcher.matches(labels.get(matcher.name()));
  });
}

// Equal for equal times, as storage gives them: what is kept from series to series is tried then.
std::uint64_t id_of(std::span<const Timestamp> times) {
  std::uint64_t id = 1469598103934665603;
  for (const Timestamp time : times) {
    id = (std::rotl(id, 7) ^ static_cast<std::uint64_t>(time)) * 1099511628211;
  }
  return id | 1;
}

class MemorySelection final : public storage::Selection {
 public:
  MemorySelection(std::vector<const Entry*> entries, std::vector<storage::LevelSpan> levels,
                  bool sketches)
      : entries_(std::move(entries)), levels_(std::move(levels)), sketches_(sketches) {}

  std::size_t size() const override { return entries_.size(); }
  Labels labels(std::size_t series) const override { return entries_[series]->first; }

  storage::LabelColumn label_column(std::string_view name) const override {
    storage::LabelColumn column;
    column.values.push_back("");
    std::unordered_map<std::string_view, std::uint32_t> ids{{"", 0}};
    for (const Entry* entry : entries_) {
      const std::string_view value = entry->first.get(name);
      const auto [known, added] =
          ids.emplace(value, static_cast<std::uint32_t>(column.values.size()));
      if (added) column.values.push_back(value);
      column.ids.push_back(known->second);
    }
    return column;
  }

  Status read(std::size_t series, TimeRange range, storage::SeriesSamples& out) const override {
    out.clear();
    const StoredSeries& stored = entries_[series]->second;
    for (auto at = stored.floats.lower_bound(range.min_ms);
         at != stored.floats.end() && at->first <= range.max_ms; ++at) {
      if (covers(levels_, at->first)) continue;
      out.float_times.push_back(at->first);
      out.float_values.push_back(at->second);
      if (!stored.starts.empty()) out.float_starts.push_back(stored.start_of(at->first));
    }
    for (auto at = stored.histograms.lower_bound(range.min_ms);
         at != stored.histograms.end() && at->first <= range.max_ms; ++at) {
      if (covers(levels_, at->first)) continue;
      out.histogram_times.push_back(at->first);
      out.histograms.push_back(at->second.visible);
      if (!stored.starts.empty()) out.histogram_starts.push_back(stored.start_of(at->first));
    }
    out.times_id = id_of(out.float_times);
    return {};
  }

  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<storage::LastSample> out) const override {
    VARVE_CHECK(series.size() == out.size());
    for (std::size_t i = 0; i < series.size(); ++i) {
      out[i] = levels_.empty() ? last(entries_[series[i]]->second, range)
                               : last_beside_levels(series[i], range);
    }
    return {};
  }

  std::span<const storage::LevelSpan> levels(std::size_t) const override { return levels_; }

  Status read_buckets(std::size_t series, std::size_t span, TimeRange ends, storage::BucketColumns,
                      storage::SeriesBuckets& out) const override {
    const StoredSeries& stored = entries_[series]->second;
    std::vector<Sample> floats;
    for (const auto& [time, value] : stored.floats) floats.push_back({time, value});
    std::vector<std::pair<Timestamp, HistogramPtr>> histograms;
    for (const auto& [time, histogram] : stored.histograms) {
      histograms.emplace_back(time, histogram.visible);
    }
    const TimeRange& all = levels_[span].ends;
    out = fold(floats, histograms, levels_[span].resolution_ms,
               {std::max(ends.min_ms, all.min_ms), std::min(ends.max_ms, all.max_ms)}, sketches_);
    out.ends_id = id_of(out.ends_ms);
    return {};
  }

 private:
  storage::LastSample last_beside_levels(std::size_t series, TimeRange range) const {
    storage::SeriesSamples samples;
    static_cast<void>(read(series, range, samples));
    storage::LastSample newest;
    if (!samples.float_times.empty()) {
      newest = {samples.float_times.back(), samples.float_values.back(), nullptr,
                storage::LastSample::Kind::kFloat, 0};
    }
    if (!samples.histogram_times.empty() &&
        (newest.kind == storage::LastSample::Kind::kNone ||
         samples.histogram_times.back() > newest.timestamp_ms)) {
      newest = {samples.histogram_times.back(), 0, samples.histograms.back(),
                storage::LastSample::Kind::kHistogram, 0};
    }
    return newest;
  }

  static storage::LastSample last(const StoredSeries& stored, TimeRange range) {
    storage::LastSample newest;
    if (auto at = stored.floats.upper_bound(range.max_ms); at != stored.floats.begin()) {
      --at;
      if (at->first >= range.min_ms) {
        newest = {at->first, at->second, nullptr, storage::LastSample::Kind::kFloat,
                  stored.start_of(at->first)};
      }
    }
    if (auto at = stored.histograms.upper_bound(range.max_ms); at != stored.histograms.begin()) {
      --at;
      const bool newer = newest.kind == storage::LastSample::Kind::kNone ||
                         at->first > newest.timestamp_ms;
      if (at->first >= range.min_ms && newer) {
        newest = {at->first, 0, at->second.visible, storage::LastSample::Kind::kHistogram,
                  stored.start_of(at->first)};
      }
    }
    return newest;
  }

  std::vector<const Entry*> entries_;
  std::vector<storage::LevelSpan> levels_;
  bool sketches_;
};

// Those that a query allows.
std::vector<storage::LevelSpan> allowed(const std::vector<storage::LevelSpan>& spans,
                                        std::int64_t max_source_resolution_ms) {
  std::vector<storage::LevelSpan> out;
  for (const storage::LevelSpan& span : spans) {
    if (storage::is_auto(max_source_resolution_ms) ||
        span.resolution_ms <= max_source_resolution_ms) {
      out.push_back(span);
    }
  }
  return out;
}

class MemoryQuerier final : public storage::Querier {
 public:
  explicit MemoryQuerier(const MemoryStorage& storage) : storage_(storage) {}

  Result<std::unique_ptr<storage::Selection>> select(std::span<const model::Matcher> matchers,
                                                     TimeRange range,
                                                     const storage::SelectHints& hints) override {
    std::vector<storage::LevelSpan> levels =
        allowed(storage_.levels(), hints.max_source_resolution_ms);
    if (!levels.empty()) {  // the first is the coarsest
      range.min_ms -= levels[0].resolution_ms;
      range.max_ms += levels[0].resolution_ms;
    }
    std::vector<const Entry*> found = find(matchers, range);
    if (hints.series_max != 0 && found.size() > hints.series_max) {
      return Error(ErrorCode::kLimitExceeded,
                   "the selector matches " + std::to_string(found.size()) + " series, more than " +
                       std::to_string(hints.series_max));
    }
    return std::unique_ptr<storage::Selection>(std::make_unique<MemorySelection>(
        std::move(found), std::move(levels), storage_.sketches()));
  }

  Result<Names> label_names(std::span<const model::Matcher> matchers, TimeRange range,
                            std::size_t limit) override {
    std::set<std::string> names;
    for (const Entry* entry : find(matchers, range)) {
      for (const LabelView& label : entry->first) names.emplace(label.name);
    }
    return cut(names, limit);
  }

  Result<Names> label_values(std::string_view label, std::span<const model::Matcher> matchers,
                             TimeRange range, std::size_t limit) override {
    std::set<std::string> values;
    for (const Entry* entry : find(matchers, range)) {
      if (entry->first.has(label)) values.emplace(entry->first.get(label));
    }
    return cut(values, limit);
  }

 private:
  std::vector<const Entry*> find(std::span<const model::Matcher> matchers, TimeRange range) const {
    std::vector<const Entry*> found;
    for (const Entry& entry : storage_.series()) {
      if (matches(entry.first, matchers) && has_sample(entry.second, range)) {
        found.push_back(&entry);
      }
    }
    return found;
  }

  static Names cut(const std::set<std::string>& all, std::size_t limit) {
    Names names;
    for (const std::string& name : all) {
      if (limit != 0 && names.names.size() == limit) {
        names.truncated = true;
        break;
      }
      names.names.push_back(name);
    }
    return names;
  }

  const MemoryStorage& storage_;
};

// The hint a chunk-based database reads back: a sample that continues its predecessor's chunk is no
// reset; one that starts a chunk because the predecessor ended or changed shape is unknown.
CounterResetHint detected_hint(const Histogram& current, const Histogram* previous) {
  if (current.counter_reset_hint == CounterResetHint::kGauge) return CounterResetHint::kGauge;
  if (current.counter_reset_hint == CounterResetHint::kReset) return CounterResetHint::kReset;
  if (previous == nullptr || previous->is_stale() ||
      previous->counter_reset_hint == CounterResetHint::kGauge) {
    return CounterResetHint::kUnknown;
  }
  if (current.is_stale()) return CounterResetHint::kNotReset;
  if (current.count < previous->count) return CounterResetHint::kReset;
  if (current.schema != previous->schema || current.zero_threshold != previous->zero_threshold) {
    return CounterResetHint::kUnknown;
  }
  Histogram unhinted = current;
  unhinted.counter_reset_hint = CounterResetHint::kUnknown;
  return model::detect_reset(unhinted, *previous) ? CounterResetHint::kReset
                                                  : CounterResetHint::kNotReset;
}

}  // namespace

Timestamp MemoryStorage::StoredSeries::start_of(Timestamp time_ms) const {
  const auto found = starts.find(time_ms);
  return found == starts.end() ? 0 : found->second;
}

void MemoryStorage::StoredSeries::set_start(Timestamp time_ms, Timestamp start_ms) {
  if (start_ms == 0) {
    starts.erase(time_ms);
  } else {
    starts[time_ms] = start_ms;
  }
}

void MemoryStorage::add(const Labels& labels, Timestamp time_ms, double value,
                        Timestamp start_ms) {
  StoredSeries& series = series_[labels];
  series.set_start(time_ms, start_ms);
  series.histograms.erase(time_ms);
  series.floats[time_ms] = value;
}

void MemoryStorage::add(const Labels& labels, Timestamp time_ms, HistogramPtr histogram,
                        Timestamp start_ms) {
  StoredSeries& series = series_[labels];
  series.set_start(time_ms, start_ms);
  series.floats.erase(time_ms);
  series.histograms[time_ms] = {histogram, histogram};
}

void MemoryStorage::detect_resets() {
  for (auto& [labels, series] : series_) {
    const Histogram* previous = nullptr;
    Timestamp previous_ms = 0;
    for (auto& [time_ms, stored] : series.histograms) {
      if (previous != nullptr) {
        // A float in between ends the chunk.
        const auto between = series.floats.upper_bound(previous_ms);
        if (between != series.floats.end() && between->first < time_ms) previous = nullptr;
      }
      Histogram visible = *stored.loaded;
      visible.counter_reset_hint = detected_hint(*stored.loaded, previous);
      stored.visible = std::make_shared<const Histogram>(std::move(visible));
      previous = stored.loaded.get();
      previous_ms = time_ms;
    }
  }
}

storage::LevelReach MemoryStorage::level_reach(std::int64_t max_source_resolution_ms) const {
  storage::LevelReach reach;
  for (const storage::LevelSpan& span : allowed(levels_, max_source_resolution_ms)) {
    reach.resolution_ms = std::max(reach.resolution_ms, span.resolution_ms);
    reach.until_ms = std::max(reach.until_ms, span.ends.max_ms);
  }
  return reach;
}

Result<std::unique_ptr<storage::Querier>> MemoryStorage::querier(TimeRange) const {
  return std::unique_ptr<storage::Querier>(std::make_unique<MemoryQuerier>(*this));
}

}  // namespace varve::promql::test_language
