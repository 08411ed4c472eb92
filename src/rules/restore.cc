// SPDX-License-Identifier: Apache-2.0
// After a restart: when alerts became active, read back from ALERTS_FOR_STATE, so that a `for` is
// not waited for from its beginning again.
#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"
#include "rules/group.h"
#include "rules/metrics.h"
#include "rules/rule.h"
#include "storage/querier.h"

namespace varve::rules {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

// Until when an alert had been seen, and since when it had been active then.
struct Remembered {
  Timestamp seen_ms = 0;
  Timestamp active_ms = 0;
};

// The alert's beginning from now on. The time this server was down counts neither for nor against
// the alert, but one that was about to fire is given the grace period.
Timestamp restored_start(const Remembered& before, std::int64_t hold_ms, Timestamp now_ms,
                         std::int64_t grace_ms) {
  const std::int64_t left_ms = hold_ms - (before.seen_ms - before.active_ms);
  if (left_ms <= 0) return before.active_ms;  // it was firing, and fires again at once
  if (left_ms < grace_ms) return now_ms + grace_ms - hold_ms;
  return before.active_ms + (now_ms - before.seen_ms);
}

Result<std::vector<std::pair<Labels, Remembered>>> read_for_state(const storage::Queryable& source,
                                                                  const Labels& fixed,
                                                                  TimeRange range) {
  model::Matchers matchers;
  const auto require = [&](std::string_view name, std::string_view value) -> Status {
    VARVE_TRY_ASSIGN(
        model::Matcher matcher,
        model::Matcher::create(model::MatchType::kEqual, std::string(name), std::string(value)));
    matchers.push_back(std::move(matcher));
    return {};
  };
  VARVE_TRY(require(kMetricName, kForStateMetric));
  for (const LabelView& label : fixed) VARVE_TRY(require(label.name, label.value));
  VARVE_TRY_ASSIGN(const auto querier, source.querier(range));
  VARVE_TRY_ASSIGN(const auto selection, querier->select(matchers, range));
  std::vector<std::uint32_t> series(selection->size());
  for (std::size_t i = 0; i < series.size(); ++i) series[i] = static_cast<std::uint32_t>(i);
  std::vector<storage::LastSample> last(series.size());
  VARVE_TRY(selection->read_last(series, range, last));
  std::vector<std::pair<Labels, Remembered>> out;
  LabelsBuilder builder;
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (last[i].kind != storage::LastSample::Kind::kFloat || is_stale(last[i].value)) continue;
    builder.reset(selection->labels(i));
    builder.remove(kMetricName);
    out.emplace_back(
        builder.build(),
        Remembered{last[i].timestamp_ms, static_cast<Timestamp>(last[i].value) * kMsPerSecond});
  }
  return out;
}

}  // namespace

void Group::restore(Timestamp now_ms) {
  const std::chrono::nanoseconds began = environment_.clock.monotonic();
  for (const auto& rule : rules_) {
    if (auto* const alerting = dynamic_cast<AlertingRule*>(rule.get())) {
      restore_rule(*alerting, now_ms);
    }
  }
  set_restored();
  if (metrics_ == nullptr) return;
  metrics_->last_restore_duration.set(
      std::chrono::duration<double>(environment_.clock.monotonic() - began).count());
}

void Group::set_restored() {
  for (const auto& rule : rules_) {
    if (auto* const alerting = dynamic_cast<AlertingRule*>(rule.get())) alerting->set_restored();
  }
}

void Group::restore_rule(AlertingRule& rule, Timestamp now_ms) {
  const std::int64_t hold_ms = rule.options().hold.count();
  const std::int64_t grace_ms = environment_.grace_period.count();
  // A wait shorter than the grace period is simply waited again.
  if (hold_ms < grace_ms || !rule.has_alerts()) return;
  const TimeRange range{now_ms - environment_.outage_tolerance.count(), now_ms};
  const auto found = read_for_state(environment_.source, rule.fixed_labels(), range);
  if (!found.ok()) {
    environment_.log.error("Failed to restore 'for' state", {{"file", options_.file},
                                                             {"group", options_.name},
                                                             {"alertname", rule.options().name},
                                                             {"err", found.error().message()}});
    return;
  }
  for (const auto& [labels, before] : *found) {
    rule.set_active_since(labels, restored_start(before, hold_ms, now_ms, grace_ms));
  }
}

}  // namespace varve::rules
