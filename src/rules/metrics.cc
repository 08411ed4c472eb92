// SPDX-License-Identifier: Apache-2.0
#include "rules/metrics.h"

namespace varve::rules {
namespace {

using Kind = base::MetricsRegistry::CallbackKind;

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

Durations::Durations(base::MetricsRegistry& registry, std::string_view name, std::string_view help,
                     std::string_view histogram_name, std::string_view histogram_help,
                     std::vector<double> quantiles, std::vector<double> bounds,
                     base::MetricLabels labels, const void* owner) {
  registry.summary(
      name, help,
      [this, quantiles = std::move(quantiles)] {
        base::SummaryValues values{{}, sum_.value(), count_.value()};
        for (const double q : quantiles) values.quantiles.emplace_back(q, recent_.quantile(q));
        return values;
      },
      labels, owner);
  if (!histogram_name.empty()) {
    histogram_ =
        &registry.histogram(histogram_name, histogram_help, std::move(bounds), std::move(labels));
  }
}

void Durations::observe(std::chrono::nanoseconds duration) {
  recent_.observe(seconds(duration));
  sum_.add(seconds(duration));
  count_.add();
  if (histogram_ != nullptr) histogram_->observe(seconds(duration));
}

Metrics::Metrics(base::MetricsRegistry& the_registry)
    : registry(the_registry),
      rule_duration(registry, "prometheus_rule_evaluation_duration_seconds",
                    "The duration for a rule to execute.",
                    "prometheus_rule_evaluation_duration_histogram_seconds",
                    "The duration for a rule to execute.", {0.5, 0.9, 0.99}, {.01, .1, 1, 10}, {},
                    this),
      group_duration(registry, "prometheus_rule_group_duration_seconds",
                     "The duration of rule group evaluations.",
                     "prometheus_rule_group_duration_histogram_seconds",
                     "The duration of rule group evaluations.", {0.01, 0.05, 0.5, 0.9, 0.99},
                     {.01, .1, 1, 10}, {}, this) {}

Metrics::~Metrics() { registry.remove_callbacks(this); }

GroupMetrics::GroupMetrics(Metrics& shared, const std::string& key) : all(shared) {
  const auto show = [&](Kind kind, std::string_view name, std::string_view help, auto& metric) {
    all.registry.callback(
        kind, name, help, [&metric] { return metric.value(); }, {{"rule_group", key}}, this);
  };
  show(Kind::kCounter, "prometheus_rule_group_iterations_total",
       "The total number of scheduled rule group evaluations, whether executed or missed.",
       iterations);
  show(Kind::kCounter, "prometheus_rule_group_iterations_missed_total",
       "The total number of rule group evaluations missed due to slow rule group evaluation.",
       iterations_missed);
  show(Kind::kCounter, "prometheus_rule_evaluations_total", "The total number of rule evaluations.",
       evaluations);
  show(Kind::kCounter, "prometheus_rule_evaluation_failures_total",
       "The total number of rule evaluation failures.", failures);
  show(Kind::kGauge, "prometheus_rule_group_interval_seconds", "The interval of a rule group.",
       interval);
  show(Kind::kGauge, "prometheus_rule_group_last_evaluation_timestamp_seconds",
       "The timestamp of the last rule group evaluation in seconds.", last_evaluation);
  show(Kind::kGauge, "prometheus_rule_group_last_duration_seconds",
       "The duration of the last rule group evaluation.", last_duration);
  show(Kind::kGauge, "prometheus_rule_group_last_rule_duration_sum_seconds",
       "The sum of time in seconds it took to evaluate each rule in the group regardless of "
       "concurrency.",
       last_rule_duration_sum);
  show(Kind::kGauge, "prometheus_rule_group_last_restore_duration_seconds",
       "The duration of the last alert rules alerts restoration using the `ALERTS_FOR_STATE` "
       "series.",
       last_restore_duration);
  show(Kind::kGauge, "prometheus_rule_group_rules", "The number of rules.", rules);
  show(Kind::kGauge, "prometheus_rule_group_last_evaluation_samples",
       "The number of samples returned during the last rule group evaluation.", samples);
}

GroupMetrics::~GroupMetrics() { hide(); }

}  // namespace varve::rules
