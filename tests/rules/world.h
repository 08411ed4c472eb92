// SPDX-License-Identifier: Apache-2.0
// Doubles for rules: a clock that stands still, and a database in memory that they read and write.
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/try.h"
#include "promql/engine.h"
#include "promql/test_language/memory_storage.h"
#include "rules/group.h"
#include "storage/write_batch.h"

namespace varve::rules {

// Appends to a MemoryStorage, refusing what is older than what is there, as a database does that
// has no window for late samples, or is asked for order only.
class MemorySink final : public storage::Appendable {
 public:
  explicit MemorySink(promql::test_language::MemoryStorage& storage) : storage_(storage) {}

  Result<storage::WriteOutcome> append(const storage::WriteBatch& batch,
                                       const storage::AppendOptions& options) override {
    const std::lock_guard lock(mutex_);
    if (!refuse.empty()) return Error(ErrorCode::kUnavailable, refuse);
    storage::WriteOutcome outcome;
    for (const storage::SeriesEntry& entry : batch.series) {
      const auto [newest, is_new] = newest_.try_emplace(*entry.labels, kNever);
      const auto fresh = [&](Timestamp time_ms) {
        if (time_ms <= newest->second && (!window || options.in_order_only)) {
          ++outcome.out_of_order;
          outcome.first_error = "out of order sample";
          return false;
        }
        newest->second = std::max(newest->second, time_ms);
        return true;
      };
      for (std::uint32_t i = 0; i < entry.samples_count; ++i) {
        const Sample& sample = batch.samples[entry.samples_begin + i];
        if (fresh(sample.timestamp_ms)) {
          storage_.add(*entry.labels, sample.timestamp_ms, sample.value);
        }
      }
      for (std::uint32_t i = 0; i < entry.histograms_count; ++i) {
        const auto& sample = batch.histograms[entry.histograms_begin + i];
        if (fresh(sample.timestamp_ms)) {
          storage_.add(*entry.labels, sample.timestamp_ms,
                       std::make_shared<const Histogram>(sample.histogram));
        }
      }
    }
    return outcome;
  }
  void when_durable(storage::Ticket, std::function<void(Status)> done) override { done({}); }

  // `storage` as it is between two appends.
  std::shared_ptr<const promql::test_language::MemoryStorage> copy_of(
      const promql::test_language::MemoryStorage& storage) const {
    const std::lock_guard lock(mutex_);
    return std::make_shared<const promql::test_language::MemoryStorage>(storage);
  }

  bool window = false;  // late samples are taken, however late
  std::string refuse;   // not empty: every append fails with it

 private:
  mutable std::mutex mutex_;
  promql::test_language::MemoryStorage& storage_;
  std::map<Labels, Timestamp> newest_;
};

// What a MemorySink wrote, for rules on several threads: each query reads a copy of its own, since
// a MemoryStorage may only change between queries.
class MemorySource final : public storage::Queryable {
 public:
  MemorySource(const MemorySink& sink, const promql::test_language::MemoryStorage& storage)
      : sink_(sink), storage_(storage) {}

  Result<std::unique_ptr<storage::Querier>> querier(TimeRange range) const override {
    auto copy = sink_.copy_of(storage_);
    VARVE_TRY_ASSIGN(auto inner, copy->querier(range));
    return std::unique_ptr<storage::Querier>(
        std::make_unique<CopyQuerier>(std::move(copy), std::move(inner)));
  }

 private:
  using Copy = std::shared_ptr<const promql::test_language::MemoryStorage>;

  class CopyQuerier final : public storage::Querier {
   public:
    CopyQuerier(Copy copy, std::unique_ptr<storage::Querier> inner)
        : copy_(std::move(copy)), inner_(std::move(inner)) {}

    Result<std::unique_ptr<storage::Selection>> select(std::span<const model::Matcher> matchers,
                                                       TimeRange range,
                                                       const storage::SelectHints& hints) override {
      return inner_->select(matchers, range, hints);
    }
    Result<Names> label_names(std::span<const model::Matcher> matchers, TimeRange range,
                              std::size_t limit) override {
      return inner_->label_names(matchers, range, limit);
    }
    Result<Names> label_values(std::string_view label, std::span<const model::Matcher> matchers,
                               TimeRange range, std::size_t limit) override {
      return inner_->label_values(label, matchers, range, limit);
    }

   private:
    Copy copy_;
    std::unique_ptr<storage::Querier> inner_;
  };

  const MemorySink& sink_;
  const promql::test_language::MemoryStorage& storage_;
};

struct World {
  World() {
    environment.notify = [this](std::string_view expression, const std::vector<Alert>& alerts) {
      for (const Alert& alert : alerts) {
        sent.push_back(alert);
        sent_expressions.emplace_back(expression);
      }
    };
  }

  void set(const Labels& labels, Timestamp time_ms, double value) {
    storage.add(labels, time_ms, value);
  }
  std::unique_ptr<Group> group(std::vector<RuleOptions> rules, bool restored = true,
                               std::int64_t limit = 0) {
    RuleGroupOptions options;
    options.name = "g";
    options.file = "rules.yml";
    options.limit = limit;
    options.rules = std::move(rules);
    auto made = Group::create(std::move(options), environment, restored);
    return made.ok() ? *std::move(made) : nullptr;
  }
  // "10:1 20:2 30:stale" in seconds; "" if there is no such series.
  std::string written(const Labels& labels) const {
    const auto found = storage.series().find(labels);
    if (found == storage.series().end()) return {};
    std::string out;
    for (const auto& [time_ms, value] : found->second.floats) {
      char text[64];
      std::snprintf(text, sizeof text, "%g:%g", static_cast<double>(time_ms) / 1000, value);
      if (!out.empty()) out += ' ';
      out += is_stale(value) ? std::string(text, std::string(text).find(':')) + ":stale" : text;
    }
    return out;
  }

  base::FakeClock clock{0};
  std::vector<std::string> lines;
  base::Logger log{base::LogLevel::kDebug, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) { lines.emplace_back(line); }};
  promql::test_language::MemoryStorage storage;
  MemorySink sink{storage};
  MemorySource source{sink, storage};
  base::MetricsRegistry metrics;
  promql::Engine engine{{}, clock, nullptr, nullptr};
  Environment environment{engine, source, sink, clock, log, "http://varve:9090"};
  SharedSettings shared;
  std::vector<Alert> sent;
  std::vector<std::string> sent_expressions;
};

inline RuleOptions record(std::string name, std::string expression, TextMap labels = {}) {
  RuleOptions options;
  options.name = std::move(name);
  options.expression = std::move(expression);
  options.labels = std::move(labels);
  return options;
}

inline RuleOptions alert(std::string name, std::string expression, int hold_s = 0,
                         int keep_firing_s = 0, TextMap labels = {}, TextMap annotations = {}) {
  RuleOptions options;
  options.kind = RuleKind::kAlerting;
  options.name = std::move(name);
  options.expression = std::move(expression);
  options.hold = std::chrono::seconds(hold_s);
  options.keep_firing = std::chrono::seconds(keep_firing_s);
  options.labels = std::move(labels);
  options.annotations = std::move(annotations);
  return options;
}

}  // namespace varve::rules
