// SPDX-License-Identifier: Apache-2.0
// An alert, and what the API tells about rules and groups: plain snapshots.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "rules/options.h"
#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::rules {

// The metrics that alerting rules write about their alerts.
inline constexpr std::string_view kAlertsMetric = "ALERTS";
inline constexpr std::string_view kForStateMetric = "ALERTS_FOR_STATE";

// A time that has not come yet; before all others, so that "later than" needs no special case.
inline constexpr Timestamp kNever = std::numeric_limits<Timestamp>::min();

// In the order in which a rule's alerts decide its own state: the largest wins.
enum class AlertState : std::uint8_t { kUnknown, kInactive, kPending, kFiring };
// "unknown", "inactive", "pending", "firing".
std::string_view to_string(AlertState state);

struct Alert {
  AlertState state = AlertState::kPending;
  Labels labels;        // the identity, alertname included
  TextMap annotations;  // expanded
  double value = 0;     // of the expression at the last evaluation that had it
  Timestamp active_at_ms = kNever;
  Timestamp fired_at_ms = kNever;
  Timestamp resolved_at_ms = kNever;
  Timestamp keep_firing_since_ms = kNever;
  Timestamp last_sent_at_ms = kNever;
  Timestamp valid_until_ms = kNever;  // when an Alertmanager may take it for resolved by itself
};

enum class RuleHealth : std::uint8_t { kUnknown, kGood, kBad };
// "unknown", "ok", "err".
std::string_view to_string(RuleHealth health);

struct RuleStatus {
  RuleKind kind = RuleKind::kRecording;
  std::string name;
  std::string expression;  // as PromQL prints it
  std::chrono::milliseconds hold{};
  std::chrono::milliseconds keep_firing{};
  TextMap labels;
  TextMap annotations;
  AlertState state = AlertState::kUnknown;  // of alerting rules
  std::vector<Alert> alerts;                // pending and firing, sorted by labels
  RuleHealth health = RuleHealth::kUnknown;
  std::string last_error;
  std::chrono::nanoseconds evaluation_time{};
  Timestamp last_evaluation_ms = kNever;
};

struct GroupStatus {
  std::string name;
  std::string file;
  std::chrono::milliseconds interval{};
  std::int64_t limit = 0;
  std::vector<RuleStatus> rules;
  std::chrono::nanoseconds evaluation_time{};
  Timestamp last_evaluation_ms = kNever;
};

}  // namespace varve::rules
