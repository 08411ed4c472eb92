// SPDX-License-Identifier: Apache-2.0
// The life of an alert: pending when the expression first has it, firing once it has held for long
// enough, resolved when the expression has it no more, and forgotten a while later.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/try.h"
#include "rules/rule.h"

namespace varve::rules {
namespace {

// How long a resolved alert is kept and repeated, so that an Alertmanager that was away hears of
// it.
constexpr Timestamp kResolvedKeptMs = 15 * 60 * 1000;
// An alert is valid for this many times the longer of interval and resend delay: two evaluations
// or sends may fail before an Alertmanager takes it for resolved.
constexpr std::int64_t kValidIntervals = 4;

constexpr std::string_view kAlertName = "alertname";
constexpr std::string_view kAlertState = "alertstate";

std::int64_t floor_seconds(Timestamp time_ms) {
  return time_ms / 1000 - (time_ms % 1000 < 0 ? 1 : 0);
}

// Whether `time_ms` is at least `span_ms` after `since_ms`, which may be kNever.
bool passed(Timestamp time_ms, Timestamp since_ms, std::int64_t span_ms) {
  return since_ms != kNever && time_ms - since_ms >= span_ms;
}

bool needs_sending(const Alert& alert, Timestamp time_ms, std::int64_t resend_delay_ms) {
  if (alert.state == AlertState::kPending) return false;
  if (alert.resolved_at_ms > alert.last_sent_at_ms) return true;
  return alert.last_sent_at_ms == kNever || alert.last_sent_at_ms + resend_delay_ms < time_ms;
}

}  // namespace

AlertingRule::AlertingRule(RuleOptions options, promql::ExprPtr expression,
                           const Environment& environment, bool restored)
    : Rule(std::move(options), std::move(expression), environment),
      labels_(parse_texts(options_.labels)),
      annotations_(parse_texts(options_.annotations)),
      restored_(restored) {}

std::vector<AlertingRule::Text> AlertingRule::parse_texts(const TextMap& texts) const {
  std::vector<Text> out;
  for (const auto& [name, value] : texts) {
    Text& text = out.emplace_back(Text{name, value, nullptr});
    if (value.find("{{") == std::string::npos) continue;
    text.parsed = std::make_shared<const Result<templates::Template>>(
        templates::Template::parse("__alert_" + options_.name, value));
  }
  return out;
}

std::string AlertingRule::expand(const Text& text, const templates::AlertData& data,
                                 const templates::Environment& environment) const {
  if (text.parsed == nullptr) return text.literal;
  auto expanded = text.parsed->ok() ? (*text.parsed)->expand(data, environment)
                                    : Result<std::string>(text.parsed->error());
  if (expanded.ok()) return *std::move(expanded);
  environment_.log.warn("Expanding alert template failed",
                        {{"alert", options_.name}, {"err", expanded.error().message()}});
  return templates::error_text(expanded.error());
}

Result<std::unordered_map<Labels, Alert>> AlertingRule::current_alerts(
    const Vector& found, const Iteration& iteration) const {
  const templates::Environment environment{[&](const std::string& expression) {
                                             return query_vector(environment_, expression,
                                                                 iteration.time_ms,
                                                                 iteration.origin);
                                           },
                                           iteration.time_ms,
                                           environment_.external_url,
                                           {}};
  templates::AlertData data;
  data.external_labels = iteration.shared.external_labels;
  data.external_url = environment_.external_url;
  std::unordered_map<Labels, Alert> out;
  LabelsBuilder builder;
  for (const VectorSample& sample : found) {
    data.labels = sample.labels;
    data.value = sample.value;
    data.histogram = sample.histogram;
    builder.reset(sample.labels);
    // The type and the unit describe the metric, as its name does, and go with it.
    builder.remove(kMetricName).remove("__type__").remove("__unit__");
    for (const Text& text : labels_) builder.set(text.name, expand(text, data, environment));
    builder.set(kAlertName, options_.name);
    Alert alert;
    alert.labels = builder.build();
    for (const Text& text : annotations_) {
      alert.annotations.emplace(text.name, expand(text, data, environment));
    }
    alert.value = sample.value;
    alert.active_at_ms = iteration.time_ms;
    Labels key = alert.labels;
    if (!out.emplace(std::move(key), std::move(alert)).second) {
      return Error(ErrorCode::kExecution,
                   "vector contains metrics with the same labelset after applying alert labels");
    }
  }
  return out;
}

bool AlertingRule::fade(Alert& alert, Timestamp time_ms) const {
  const std::int64_t keep_ms = options_.keep_firing.count();
  bool keep = false;
  if (alert.state == AlertState::kFiring && keep_ms > 0) {
    if (alert.keep_firing_since_ms == kNever) alert.keep_firing_since_ms = time_ms;
    keep = !passed(time_ms, alert.keep_firing_since_ms, keep_ms);
  }
  if (alert.state != AlertState::kInactive && !keep) {
    alert.state = AlertState::kInactive;
    alert.resolved_at_ms = time_ms;
  }
  return keep;
}

Result<std::vector<RuleSample>> AlertingRule::evaluate(const Iteration& iteration,
                                                       std::int64_t limit) {
  VARVE_TRY_ASSIGN(const Vector found,
                   query_vector(environment_, expression_text_, iteration.query_time_ms,
                                iteration.origin));
  VARVE_TRY_ASSIGN(auto current, current_alerts(found, iteration));
  const Timestamp now = iteration.time_ms;

  const std::lock_guard lock(alerts_mutex_);
  std::vector<RuleSample> out;
  std::size_t alive = 0;
  LabelsBuilder builder;
  const bool restored = restored_.load(std::memory_order_relaxed);
  const auto live_on = [&](Alert& alert) {
    ++alive;
    if (alert.state == AlertState::kPending &&
        passed(now, alert.active_at_ms, options_.hold.count())) {
      alert.state = AlertState::kFiring;
      alert.fired_at_ms = now;
    }
    if (!restored) return;
    builder.reset(alert.labels);
    builder.set(kMetricName, kForStateMetric);
    Labels for_state = builder.build();
    builder.set(kMetricName, kAlertsMetric);
    builder.set(kAlertState, to_string(alert.state));
    out.push_back({builder.build(), 1, nullptr});
    out.push_back(
        {std::move(for_state), static_cast<double>(floor_seconds(alert.active_at_ms)), nullptr});
  };

  for (auto it = active_.begin(); it != active_.end();) {
    Alert& alert = it->second;
    const auto again = current.find(it->first);
    if (again == current.end()) {
      const bool forget =
          alert.state == AlertState::kPending ||
          (alert.resolved_at_ms != kNever && now - alert.resolved_at_ms > kResolvedKeptMs);
      if (fade(alert, now)) live_on(alert);
      it = forget ? active_.erase(it) : std::next(it);
      continue;
    }
    if (alert.state == AlertState::kInactive) {
      alert = std::move(again->second);  // begins anew
    } else {
      alert.value = again->second.value;
      alert.annotations = std::move(again->second.annotations);
      alert.keep_firing_since_ms = kNever;
    }
    current.erase(again);
    live_on(alert);
    ++it;
  }
  for (auto& [labels, alert] : current)
    live_on(active_.emplace(labels, std::move(alert)).first->second);

  if (limit > 0 && alive > static_cast<std::uint64_t>(limit)) {
    active_.clear();
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("exceeded limit of {} with {} alerts", limit, alive));
  }
  return out;
}

void AlertingRule::take_state_from(Rule& old) {
  Rule::take_state_from(old);
  auto* const alerts = dynamic_cast<AlertingRule*>(&old);
  if (alerts == nullptr) return;
  const std::scoped_lock lock(alerts_mutex_, alerts->alerts_mutex_);
  active_ = std::move(alerts->active_);
  alerts->active_.clear();
}

void AlertingRule::add_status(RuleStatus& status, bool with_alerts) const {
  const std::lock_guard lock(alerts_mutex_);
  if (status.last_evaluation_ms != kNever) status.state = AlertState::kInactive;
  for (const auto& [labels, alert] : active_) {
    if (status.state != AlertState::kUnknown) status.state = std::max(status.state, alert.state);
    if (with_alerts && alert.resolved_at_ms == kNever) status.alerts.push_back(alert);
  }
  std::sort(status.alerts.begin(), status.alerts.end(),
            [](const Alert& a, const Alert& b) { return a.labels < b.labels; });
}

std::vector<Alert> AlertingRule::take_due(Timestamp time_ms, std::chrono::milliseconds interval) {
  const std::lock_guard lock(alerts_mutex_);
  std::vector<Alert> due;
  const auto valid_for = kValidIntervals * std::max(interval, environment_.resend_delay);
  for (auto& [labels, alert] : active_) {
    if (!needs_sending(alert, time_ms, environment_.resend_delay.count())) continue;
    alert.last_sent_at_ms = time_ms;
    alert.valid_until_ms = time_ms + valid_for.count();
    due.push_back(alert);
  }
  std::sort(due.begin(), due.end(),
            [](const Alert& a, const Alert& b) { return a.labels < b.labels; });
  return due;
}

bool AlertingRule::has_alerts() const {
  const std::lock_guard lock(alerts_mutex_);
  return !active_.empty();
}

Labels AlertingRule::fixed_labels() const {
  LabelsBuilder builder;
  for (const Text& text : labels_) {
    if (text.parsed == nullptr) builder.set(text.name, text.literal);
  }
  builder.set(kAlertName, options_.name);
  return builder.build();
}

void AlertingRule::set_active_since(const Labels& labels, Timestamp active_at_ms) {
  const std::lock_guard lock(alerts_mutex_);
  const auto found = active_.find(labels);
  if (found != active_.end()) found->second.active_at_ms = active_at_ms;
}

}  // namespace varve::rules
