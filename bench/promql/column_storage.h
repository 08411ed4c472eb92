// SPDX-License-Identifier: Apache-2.0
// Series in plain columns behind storage's reading interface: what the evaluator costs when reading
// costs next to nothing (one copy). The series of one target share their times, as scraped ones do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/querier.h"

namespace varve::promql::bench {

class ColumnStorage final : public storage::Queryable {
 public:
  struct StoredSeries {
    Labels labels;
    std::size_t times = 0;  // index into times()
    std::vector<double> values;
  };

  // Returns the index of a times column.
  std::size_t add_times(std::vector<Timestamp> times) {
    times_.push_back(std::move(times));
    return times_.size() - 1;
  }
  void add_series(Labels labels, std::size_t times, std::vector<double> values) {
    series_.push_back({std::move(labels), times, std::move(values)});
  }

  Result<std::unique_ptr<storage::Querier>> querier(TimeRange) const override {
    return std::unique_ptr<storage::Querier>(std::make_unique<ColumnQuerier>(*this));
  }

 private:
  class ColumnSelection final : public storage::Selection {
   public:
    ColumnSelection(const ColumnStorage& storage, std::vector<std::uint32_t> ids)
        : storage_(storage), ids_(std::move(ids)) {}
    std::size_t size() const override { return ids_.size(); }
    Labels labels(std::size_t series) const override { return stored(series).labels; }
    storage::LabelColumn label_column(std::string_view name) const override {
      storage::LabelColumn column;
      column.values.emplace_back();
      std::unordered_map<std::string_view, std::uint32_t> known{{"", 0}};
      for (std::size_t i = 0; i < ids_.size(); ++i) {
        const std::string_view value = stored(i).labels.get(name);
        const auto [at, fresh] =
            known.try_emplace(value, static_cast<std::uint32_t>(column.values.size()));
        if (fresh) column.values.push_back(value);
        column.ids.push_back(at->second);
      }
      return column;
    }
    Status read(std::size_t series, TimeRange range,
                storage::SeriesSamples& out) const override {
      out.clear();
      const StoredSeries& from = stored(series);
      const auto [lo, hi] = bounds(storage_.times_[from.times], range);
      const std::vector<Timestamp>& times = storage_.times_[from.times];
      const auto first = static_cast<std::size_t>(lo);
      const auto count = static_cast<std::size_t>(hi - lo);
      out.times_id = from.times + 1;
      const std::uint64_t key = (out.times_id << 48U) ^ (first << 24U) ^ count;
      out.float_times.append(std::span(times).subspan(first, count), key);
      out.float_values.append(std::span(from.values).subspan(first, count));
      return {};
    }
    Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                     std::span<storage::LastSample> out) const override {
      for (std::size_t i = 0; i < series.size(); ++i) {
        const StoredSeries& from = stored(series[i]);
        const std::vector<Timestamp>& times = storage_.times_[from.times];
        const auto [lo, hi] = bounds(times, range);
        if (lo == hi) continue;
        out[i].kind = storage::LastSample::Kind::kFloat;
        out[i].timestamp_ms = times[static_cast<std::size_t>(hi - 1)];
        out[i].value = from.values[static_cast<std::size_t>(hi - 1)];
      }
      return {};
    }

   private:
    static std::pair<std::ptrdiff_t, std::ptrdiff_t> bounds(const std::vector<Timestamp>& times,
                                                            TimeRange range) {
      const auto lo = std::lower_bound(times.begin(), times.end(), range.min_ms);
      const auto hi = std::upper_bound(lo, times.end(), range.max_ms);
      return {lo - times.begin(), hi - times.begin()};
    }
    const StoredSeries& stored(std::size_t series) const {
      return storage_.series_[ids_[series]];
    }

    const ColumnStorage& storage_;
    std::vector<std::uint32_t> ids_;
  };

  class ColumnQuerier final : public storage::Querier {
   public:
    explicit ColumnQuerier(const ColumnStorage& storage) : storage_(storage) {}
    Result<std::unique_ptr<storage::Selection>> select(std::span<const model::Matcher> matchers,
                                                       TimeRange,
                                                       const storage::SelectHints&) override {
      std::vector<std::uint32_t> ids;
      for (std::size_t i = 0; i < storage_.series_.size(); ++i) {
        const Labels& labels = storage_.series_[i].labels;
        bool all = true;
        for (const model::Matcher& matcher : matchers) {
          all = all && matcher.matches(labels.get(matcher.name()));
        }
        if (all) ids.push_back(static_cast<std::uint32_t>(i));
      }
      return std::unique_ptr<storage::Selection>(
          std::make_unique<ColumnSelection>(storage_, std::move(ids)));
    }
    Result<Names> label_names(std::span<const model::Matcher>, TimeRange, std::size_t) override {
      return Names{};
    }
    Result<Names> label_values(std::string_view, std::span<const model::Matcher>, TimeRange,
                               std::size_t) override {
      return Names{};
    }

   private:
    const ColumnStorage& storage_;
  };

  std::vector<std::vector<Timestamp>> times_;
  std::vector<StoredSeries> series_;
};

}  // namespace varve::promql::bench
