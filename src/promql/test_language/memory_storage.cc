// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/memory_storage.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "model/histogram.h"

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

class MemorySelection final : public storage::Selection {
 public:
  explicit MemorySelection(std::vector<const Entry*> entries) : entries_(std::move(entries)) {}

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
      out.float_times.push_back(at->first);
      out.float_values.push_back(at->second);
      if (!stored.starts.empty()) out.float_starts.push_back(stored.start_of(at->first));
    }
    for (auto at = stored.histograms.lower_bound(range.min_ms);
         at != stored.histograms.end() && at->first <= range.max_ms; ++at) {
      out.histogram_times.push_back(at->first);
      out.histograms.push_back(at->second.visible);
      if (!stored.starts.empty()) out.histogram_starts.push_back(stored.start_of(at->first));
    }
    return {};
  }

  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<storage::LastSample> out) const override {
    VARVE_CHECK(series.size() == out.size());
    for (std::size_t i = 0; i < series.size(); ++i) out[i] = last(entries_[series[i]]->second, range);
    return {};
  }

 private:
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
};

class MemoryQuerier final : public storage::Querier {
 public:
  explicit MemoryQuerier(const MemoryStorage& storage) : storage_(storage) {}

  Result<std::unique_ptr<storage::Selection>> select(std::span<const model::Matcher> matchers,
                                                     TimeRange range,
                                                     const storage::SelectHints& hints) override {
    std::vector<const Entry*> found = find(matchers, range);
    if (hints.series_max != 0 && found.size() > hints.series_max) {
      return Error(ErrorCode::kLimitExceeded,
                   "the selector matches " + std::to_string(found.size()) + " series, more than " +
                       std::to_string(hints.series_max));
    }
    return std::unique_ptr<storage::Selection>(std::make_unique<MemorySelection>(std::move(found)));
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

Result<std::unique_ptr<storage::Querier>> MemoryStorage::querier(TimeRange) const {
  return std::unique_ptr<storage::Querier>(std::make_unique<MemoryQuerier>(*this));
}

}  // namespace varve::promql::test_language
