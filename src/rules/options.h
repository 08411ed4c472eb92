// SPDX-License-Identifier: Apache-2.0
// What rule files and the `alerting` section say, with Prometheus 3.14's defaults. config fills it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "http/client_options.h"
#include "model/relabel.h"
#include "model/target_group.h"
#include "varve/labels.h"

namespace varve::rules {

// Labels and annotations as written: in a rule an empty value means "remove this label", which a
// Labels cannot say.
using TextMap = std::map<std::string, std::string, std::less<>>;

enum class RuleKind : std::uint8_t { kRecording, kAlerting };

struct RuleOptions {
  RuleKind kind = RuleKind::kRecording;
  std::string name;                         // the metric recorded, or the alert
  std::string expression;                   // as written; has been parsed once
  std::chrono::milliseconds hold{};         // for
  std::chrono::milliseconds keep_firing{};  // keep_firing_for
  TextMap labels;  // the group's, then the rule's over them; templates in an alerting rule
  TextMap annotations;
  friend bool operator==(const RuleOptions&, const RuleOptions&) = default;
};

struct RuleGroupOptions {
  std::string name;
  std::string file;  // as the API names it
  std::chrono::milliseconds interval = std::chrono::minutes(1);
  std::int64_t limit = 0;  // most series or alerts of one rule; 0 and less: no limit
  std::optional<std::chrono::milliseconds> query_offset;  // absent: the global one
  std::vector<RuleOptions> rules;
  friend bool operator==(const RuleGroupOptions&, const RuleGroupOptions&) = default;
};

// One entry of alerting.alertmanagers: how the Alertmanagers of some addresses are talked to.
struct AlertmanagerOptions {
  std::string scheme = "http";
  std::string path_prefix;
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  http::ClientOptions client;
  std::vector<model::TargetGroup> static_configs;
  std::vector<model::RelabelRule> relabel;        // of the Alertmanagers' own labels
  std::vector<model::RelabelRule> alert_relabel;  // of the alerts sent to these
  friend bool operator==(const AlertmanagerOptions&, const AlertmanagerOptions&) = default;
};

struct AlertingOptions {
  std::vector<model::RelabelRule> alert_relabel;  // of all alerts, after external labels
  std::vector<AlertmanagerOptions> alertmanagers;
  friend bool operator==(const AlertingOptions&, const AlertingOptions&) = default;
};

}  // namespace varve::rules
