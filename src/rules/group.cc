// SPDX-License-Identifier: Apache-2.0
#include "rules/group.h"

#include <fmt/format.h>

#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "promql/engine.h"
#include "rules/evaluation_order.h"
#include "rules/metrics.h"
#include "rules/rule.h"
#include "storage/write_batch.h"

namespace varve::rules {
namespace {

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

// Refusals that mean a newer or other sample of that series is there already.
bool only_old_news(const storage::WriteOutcome& outcome) {
  return outcome.too_far_ahead == 0 && outcome.invalid_series == 0;
}

}  // namespace

Group::Group(RuleGroupOptions options, const Environment& environment,
             std::shared_ptr<GroupMetrics> metrics)
    : options_(std::move(options)),
      environment_(environment),
      origin_(std::make_unique<const promql::QueryOrigin>(
          promql::QueryOrigin{{}, {}, {}, options_.file, options_.name})),
      metrics_(std::move(metrics)) {}
Group::~Group() = default;

Result<std::unique_ptr<Group>> Group::create(RuleGroupOptions options,
                                             const Environment& environment, bool restored,
                                             std::shared_ptr<GroupMetrics> metrics) {
  std::unique_ptr<Group> group(new Group(std::move(options), environment, std::move(metrics)));
  std::vector<RuleDependencies> dependencies;
  for (const RuleOptions& rule : group->options_.rules) {
    auto made = make_rule(rule, environment, restored);
    if (!made.ok()) {
      return std::move(made).error().with(fmt::format(
          "{}: group \"{}\", rule \"{}\"", group->options_.file, group->options_.name, rule.name));
    }
    dependencies.push_back({&(*made)->options(), &(*made)->expression()});
    group->rules_.push_back(*std::move(made));
  }
  if (environment.concurrent != nullptr) group->order_ = evaluation_order(dependencies);
  return group;
}

Iteration Group::iteration(Timestamp time_ms, const SharedSettings& shared) const {
  const auto offset = options_.query_offset.value_or(shared.query_offset);
  return {time_ms, time_ms - offset.count(), shared, origin_.get()};
}

void Group::evaluate(Timestamp time_ms, const SharedSettings& shared) {
  const Iteration now = iteration(time_ms, shared);
  const Timestamp began_ms = environment_.clock.now_ms();
  const std::chrono::nanoseconds began = environment_.clock.monotonic();
  std::atomic<std::size_t> samples{0};
  const auto run = [&](std::size_t index) {
    if (stopping_.load(std::memory_order_relaxed)) return;
    samples.fetch_add(evaluate_rule(*rules_[index], now), std::memory_order_relaxed);
  };
  if (order_.empty()) {
    for (std::size_t i = 0; i < rules_.size(); ++i) run(i);
  }
  for (const std::vector<std::size_t>& batch : order_) {
    if (batch.size() == 1) {
      run(batch[0]);
    } else {
      environment_.concurrent->parallel_for(batch.size(), [&](std::size_t i) { run(batch[i]); });
    }
  }
  if (stopping_.load(std::memory_order_relaxed)) return;

  std::vector<const Labels*> gone;
  for (const Labels& labels : leftovers_) gone.push_back(&labels);
  write_stale_markers(gone, now.query_time_ms);
  leftovers_.clear();

  const std::chrono::nanoseconds took = environment_.clock.monotonic() - began;
  evaluation_ns_.store(took.count(), std::memory_order_relaxed);
  last_evaluation_ms_.store(began_ms, std::memory_order_relaxed);
  if (metrics_ == nullptr) return;
  metrics_->iterations.add();
  metrics_->samples.set(static_cast<double>(samples.load()));
  metrics_->last_evaluation.set(static_cast<double>(began_ms) / 1000);
  metrics_->last_duration.set(seconds(took));
  metrics_->all.group_duration.observe(took);
  std::chrono::nanoseconds sum{};
  for (const auto& rule : rules_) sum += rule->evaluation_time();
  metrics_->last_rule_duration_sum.set(seconds(sum));
}

std::size_t Group::evaluate_rule(Rule& rule, const Iteration& now) {
  const Timestamp began_ms = environment_.clock.now_ms();
  const std::chrono::nanoseconds began = environment_.clock.monotonic();
  if (metrics_) metrics_->evaluations.add();
  const auto failed = [&](const Error& error, std::string_view what) {
    rule.finished(RuleHealth::kBad, error.message());
    if (metrics_) metrics_->failures.add();
    if (error.code() == ErrorCode::kCanceled) return;  // the server is stopping
    environment_.log.warn(what, {{"file", options_.file},
                                 {"group", options_.name},
                                 {"name", rule.options().name},
                                 {"err", error.message()}});
  };
  std::size_t count = 0;
  auto samples = rule.evaluate(now, options_.limit);
  if (!samples.ok()) {
    failed(samples.error(), "Evaluating rule failed");
  } else {
    rule.finished(RuleHealth::kGood, {});
    count = samples->size();
    if (auto* const alerting = dynamic_cast<AlertingRule*>(&rule);
        alerting && environment_.notify) {
      const std::vector<Alert> due = alerting->take_due(now.time_ms, options_.interval);
      if (!due.empty()) environment_.notify(rule.expression_text(), due);
    }
    const Status written = write(rule, now, *std::move(samples));
    if (!written.ok()) failed(written.error(), "Rule sample appending failed");
  }
  const std::chrono::nanoseconds took = environment_.clock.monotonic() - began;
  rule.timed(began_ms, took);
  if (metrics_) metrics_->all.rule_duration.observe(took);
  return count;
}

Status Group::write(Rule& rule, const Iteration& now, std::vector<RuleSample> samples) {
  storage::WriteBatch batch;
  batch.series.reserve(samples.size());
  for (RuleSample& sample : samples) {
    storage::SeriesEntry& entry = batch.series.emplace_back();
    entry.labels = &sample.labels;
    if (sample.histogram) {
      entry.histograms_begin = static_cast<std::uint32_t>(batch.histograms.size());
      entry.histograms_count = 1;
      batch.histograms.push_back({now.query_time_ms, *sample.histogram});
    } else {
      entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
      entry.samples_count = 1;
      batch.samples.push_back({now.query_time_ms, sample.value});
    }
  }
  if (!batch.series.empty()) {
    VARVE_TRY_ASSIGN(const storage::WriteOutcome outcome,
                     environment_.sink.append(batch, {.in_order_only = true, .unawaited = true}));
    if (!outcome.all_accepted()) {
      rule.finished(RuleHealth::kBad, outcome.first_error);
      log_refusals(rule, outcome);
    }
  }
  std::unordered_set<Labels> written;
  written.reserve(samples.size());
  for (RuleSample& sample : samples) written.insert(std::move(sample.labels));
  std::vector<const Labels*> vanished;
  for (const Labels& labels : rule.written) {
    if (!written.contains(labels)) vanished.push_back(&labels);
  }
  write_stale_markers(vanished, now.query_time_ms);
  rule.written = std::move(written);
  return {};
}

// In Prometheus's words: what is out of order, too old or a duplicate is counted in one line each.
void Group::log_refusals(const Rule& rule, const storage::WriteOutcome& outcome) const {
  const auto warn = [&](std::uint64_t dropped, std::string_view message) {
    if (dropped == 0) return;
    environment_.log.warn(message, {{"file", options_.file},
                                    {"group", options_.name},
                                    {"name", rule.options().name},
                                    {"num_dropped", dropped}});
  };
  const std::uint64_t other = outcome.invalid_series + outcome.too_far_ahead;
  const std::initializer_list<base::LogField> fields{{"file", options_.file},
                                                     {"group", options_.name},
                                                     {"name", rule.options().name},
                                                     {"err", outcome.first_error}};
  constexpr std::string_view kDiscarded = "Rule evaluation result discarded";
  if (other > 0) {
    environment_.log.warn(kDiscarded, fields);
  } else {
    environment_.log.debug(kDiscarded, fields);
  }
  warn(outcome.out_of_order, "Error on ingesting out-of-order result from rule evaluation");
  warn(outcome.too_old, "Error on ingesting too old result from rule evaluation");
  warn(outcome.duplicate,
       "Error on ingesting results from rule evaluation with different value but same timestamp");
}

// A marker that comes after a newer sample of its series is refused, which is right: another rule
// goes on writing that series.
void Group::write_stale_markers(const std::vector<const Labels*>& series, Timestamp time_ms) {
  if (series.empty()) return;
  storage::WriteBatch batch;
  batch.samples.push_back({time_ms, stale_marker()});
  batch.series.reserve(series.size());
  for (const Labels* labels : series) {
    storage::SeriesEntry& entry = batch.series.emplace_back();
    entry.labels = labels;
    entry.samples_begin = 0;  // all share the one marker
    entry.samples_count = 1;
  }
  const auto outcome = environment_.sink.append(batch, {.in_order_only = true, .unawaited = true});
  if (outcome.ok() && only_old_news(*outcome)) return;
  environment_.log.warn("Adding stale samples failed",
                        {{"file", options_.file},
                         {"group", options_.name},
                         {"err", outcome.ok() ? outcome->first_error : outcome.error().message()}});
}

void Group::take_state_from(Group& old) {
  evaluation_ns_.store(old.evaluation_ns_.load());
  last_evaluation_ms_.store(old.last_evaluation_ms_.load());
  std::unordered_map<std::string, std::vector<Rule*>> before;  // the first of equal ones last
  for (auto it = old.rules_.rbegin(); it != old.rules_.rend(); ++it) {
    before[(*it)->identity()].push_back(it->get());
  }
  for (const auto& rule : rules_) {
    const auto found = before.find(rule->identity());
    if (found == before.end() || found->second.empty()) continue;
    rule->take_state_from(*found->second.back());
    found->second.pop_back();
  }
  leftovers_ = std::move(old.leftovers_);
  for (const auto& [identity, rules] : before) {
    for (Rule* const rule : rules) {
      leftovers_.insert(leftovers_.end(), rule->written.begin(), rule->written.end());
      rule->written.clear();
    }
  }
}

void Group::end(Timestamp time_ms, const SharedSettings& shared) {
  std::vector<const Labels*> gone;
  for (const Labels& labels : leftovers_) gone.push_back(&labels);
  for (const auto& rule : rules_) {
    for (const Labels& labels : rule->written) gone.push_back(&labels);
  }
  write_stale_markers(gone, iteration(time_ms, shared).query_time_ms);
}

GroupStatus Group::status(bool with_alerts) const {
  GroupStatus status;
  status.name = options_.name;
  status.file = options_.file;
  status.interval = options_.interval;
  status.limit = options_.limit;
  status.evaluation_time = std::chrono::nanoseconds(evaluation_ns_.load(std::memory_order_relaxed));
  status.last_evaluation_ms = last_evaluation_ms_.load(std::memory_order_relaxed);
  status.rules.reserve(rules_.size());
  for (const auto& rule : rules_) status.rules.push_back(rule->status(with_alerts));
  return status;
}

}  // namespace varve::rules
