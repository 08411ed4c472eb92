// SPDX-License-Identifier: Apache-2.0
// Rules, alerts and the Alertmanagers that hear of them.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/try.h"
#include "model/number.h"
#include "promql/parser.h"
#include "rules/alert.h"
#include "rules/manager.h"
#include "rules/notifier.h"

namespace varve::api {
namespace {

constexpr Timestamp kGoZeroMs = 0;  // what append_json_rfc3339 prints as Go's zero time

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

Error invalid(std::string_view parameter, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("invalid parameter \"{}\": {}", parameter, why));
}

void append_key(std::string& json, std::string_view key) {
  if (json.back() != '{') json += ',';
  json += fmt::format("\"{}\":", key);
}

void append_text(std::string& json, std::string_view key, std::string_view text) {
  append_key(json, key);
  append_json_string(json, text);
}

void append_seconds(std::string& json, std::string_view key, std::chrono::nanoseconds duration) {
  append_key(json, key);
  model::append_float(json, std::chrono::duration<double>(duration).count());
}

void append_time(std::string& json, std::string_view key, Timestamp time_ms) {
  append_key(json, key);
  append_json_rfc3339(json, time_ms == rules::kNever ? kGoZeroMs : time_ms);
}

void append_texts(std::string& json, std::string_view key, const rules::TextMap& texts) {
  append_key(json, key);
  json += '{';
  for (const auto& [name, value] : texts) {
    if (json.back() != '{') json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
  }
  json += '}';
}

// Go's %e with the shortest digits: 1e+00, 1.25e+02.
std::string exponent_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  for (int digits = 0;; ++digits) {
    std::string text = fmt::format("{:.{}e}", value, digits);
    if (digits == 17 || model::parse_float(text) == value) return text;
  }
}

void append_alert(std::string& json, const rules::Alert& alert) {
  json += "{\"labels\":";
  append_json_labels(json, alert.labels);
  append_texts(json, "annotations", alert.annotations);
  append_text(json, "state", to_string(alert.state));
  append_time(json, "activeAt", alert.active_at_ms);
  if (alert.keep_firing_since_ms != rules::kNever) {
    append_time(json, "keepFiringSince", alert.keep_firing_since_ms);
  }
  append_text(json, "value", exponent_text(alert.value));
  json += '}';
}

void append_alerts(std::string& json, std::span<const rules::Alert> alerts) {
  for (const rules::Alert& alert : alerts) {
    if (json.back() != '[') json += ',';
    append_alert(json, alert);
  }
}

void append_rule(std::string& json, const rules::RuleStatus& rule, bool with_alerts) {
  const bool alerting = rule.kind == rules::RuleKind::kAlerting;
  json += '{';
  if (alerting) append_text(json, "state", to_string(rule.state));
  append_text(json, "name", rule.name);
  append_text(json, "query", rule.expression);
  if (alerting) {
    append_seconds(json, "duration", rule.hold);
    append_seconds(json, "keepFiringFor", rule.keep_firing);
  }
  if (alerting || !rule.labels.empty()) append_texts(json, "labels", rule.labels);
  if (alerting) {
    append_texts(json, "annotations", rule.annotations);
    append_key(json, "alerts");
    if (with_alerts) {
      json += '[';
      append_alerts(json, rule.alerts);
      json += ']';
    } else {
      json += "null";
    }
  }
  append_text(json, "health", to_string(rule.health));
  if (!rule.last_error.empty()) append_text(json, "lastError", rule.last_error);
  append_seconds(json, "evaluationTime", rule.evaluation_time);
  append_time(json, "lastEvaluation", rule.last_evaluation_ms);
  append_text(json, "type", alerting ? "alerting" : "recording");
  json += '}';
}

// What a request picks.
struct Filter {
  std::set<std::string_view> names, groups, files;
  std::vector<model::Matchers> matchers;
  bool alerting = true, recording = true, with_alerts = true;
  std::size_t group_limit = 0;  // 0: none
  std::string_view next_token;

  static bool has(const std::set<std::string_view>& set, std::string_view value) {
    return set.empty() || set.contains(value);
  }
  bool takes(const rules::RuleStatus& rule) const {
    const bool kind = rule.kind == rules::RuleKind::kAlerting ? alerting : recording;
    return kind && has(names, rule.name) && matches(rule.labels);
  }
  // Any of the selectors matches the rule's labels, as they are written.
  bool matches(const rules::TextMap& labels) const {
    if (matchers.empty()) return true;
    return std::any_of(matchers.begin(), matchers.end(), [&](const model::Matchers& all) {
      return std::all_of(all.begin(), all.end(), [&](const model::Matcher& matcher) {
        const auto found = labels.find(matcher.name());
        return matcher.matches(found == labels.end() ? std::string_view()
                                                     : std::string_view(found->second));
      });
    });
  }
};

Result<Filter> read_filter(const Call& call) {
  Filter filter;
  const std::string type = lower(call.parameter("type"));
  if (!type.empty() && type != "alert" && type != "record") {
    return invalid("type", fmt::format("not supported value {}", promql::quote(type)));
  }
  filter.alerting = type != "record";
  filter.recording = type != "alert";
  const std::string exclude = lower(call.parameter("exclude_alerts"));
  if (!exclude.empty() && exclude != "true" && exclude != "false" && exclude != "1" &&
      exclude != "0" && exclude != "t" && exclude != "f") {
    return invalid("exclude_alerts", fmt::format("error converting exclude_alerts: "
                                                 "strconv.ParseBool: parsing {}: invalid syntax",
                                                 promql::quote(exclude)));
  }
  filter.with_alerts = exclude.empty() || exclude[0] == 'f' || exclude[0] == '0';
  const auto set_of = [&](std::string_view name) {
    const auto values = call.parameters(name);
    return std::set<std::string_view>(values.begin(), values.end());
  };
  filter.names = set_of("rule_name[]");
  filter.groups = set_of("rule_group[]");
  filter.files = set_of("file[]");
  if (call.has_parameter("match[]")) {
    VARVE_TRY_ASSIGN(filter.matchers, call.match_parameters());
  }
  filter.next_token = call.parameter("group_next_token");
  if (call.has_parameter("group_limit")) {
    const std::string_view text = call.parameter("group_limit");
    std::int32_t limit = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (status != std::errc() || end != text.data() + text.size()) {
      return invalid("group_limit",
                     fmt::format("group_limit needs to be a valid number: strconv.ParseInt: "
                                 "parsing {}: invalid syntax",
                                 promql::quote(text)));
    }
    if (limit <= 0) return invalid("group_limit", "group_limit needs to be greater than 0");
    filter.group_limit = static_cast<std::size_t>(limit);
  } else if (!filter.next_token.empty()) {
    return invalid("group_limit",
                   "group_limit needs to be present in order to paginate over the groups");
  }
  return filter;
}

// Names a group in a page token; the token of a group that a reload removed is refused.
std::string token_of(const rules::GroupStatus& group) {
  const std::string key = group.file + ';' + group.name;
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

void append_group(std::string& json, const rules::GroupStatus& group,
                  std::span<const rules::RuleStatus* const> picked, bool with_alerts) {
  json += '{';
  append_text(json, "name", group.name);
  append_text(json, "file", group.file);
  append_key(json, "rules");
  json += '[';
  for (const rules::RuleStatus* rule : picked) {
    if (json.back() != '[') json += ',';
    append_rule(json, *rule, with_alerts);
  }
  json += ']';
  append_seconds(json, "interval", group.interval);
  append_key(json, "limit");
  json += std::to_string(group.limit);
  append_seconds(json, "evaluationTime", group.evaluation_time);
  append_time(json, "lastEvaluation", group.last_evaluation_ms);
  json += '}';
}

std::vector<rules::GroupStatus> all_groups(const Call& call, bool with_alerts) {
  return call.rules == nullptr ? std::vector<rules::GroupStatus>()
                               : call.rules->groups(with_alerts);
}

void list_rules(const CallPtr& call) {
  const auto filter = read_filter(*call);
  if (!filter.ok()) return call->fail(filter.error());
  const std::vector<rules::GroupStatus> groups = all_groups(*call, filter->with_alerts);
  auto at = groups.begin();
  if (!filter->next_token.empty()) {
    at = std::find_if(groups.begin(), groups.end(), [&](const rules::GroupStatus& group) {
      return token_of(group) == filter->next_token;
    });
    if (at == groups.end()) {
      return call->fail(
          invalid("group_next_token", fmt::format("invalid group_next_token '{}'. were rule groups "
                                                  "changed?",
                                                  filter->next_token)));
    }
  }
  std::string json = "{\"groups\":[";
  std::string next;
  std::size_t count = 0;
  for (; at != groups.end(); ++at) {
    if (!Filter::has(filter->groups, at->name) || !Filter::has(filter->files, at->file)) continue;
    std::vector<const rules::RuleStatus*> picked;
    for (const rules::RuleStatus& rule : at->rules) {
      if (filter->takes(rule)) picked.push_back(&rule);
    }
    if (picked.empty()) continue;
    if (filter->group_limit > 0 && count == filter->group_limit) {
      next = token_of(*at);
      break;
    }
    if (count++ > 0) json += ',';
    append_group(json, *at, picked, filter->with_alerts);
  }
  json += ']';
  if (!next.empty()) append_text(json, "groupNextToken", next);
  call->succeed(json + '}');
}

void list_alerts(const CallPtr& call) {
  std::string json = "{\"alerts\":[";
  for (const rules::GroupStatus& group : all_groups(*call, true)) {
    for (const rules::RuleStatus& rule : group.rules) append_alerts(json, rule.alerts);
  }
  call->succeed(json + "]}");
}

void list_alertmanagers(const CallPtr& call) {
  std::string json = "{";
  const auto append_urls = [&](std::string_view key, const std::vector<std::string>& urls) {
    append_key(json, key);
    json += '[';
    for (const std::string& url : urls) {
      json += json.back() == '[' ? "{" : ",{";
      append_text(json, "url", url);
      json += '}';
    }
    json += ']';
  };
  const rules::Notifier* const notifier = call->notifier;
  append_urls("activeAlertmanagers",
              notifier == nullptr ? std::vector<std::string>() : notifier->active());
  append_urls("droppedAlertmanagers",
              notifier == nullptr ? std::vector<std::string>() : notifier->dropped());
  call->succeed(json + '}');
}

constexpr Route kRoutes[] = {
    {"GET", "/api/v1/rules", Kind::kWorker, list_rules},
    {"GET", "/api/v1/alerts", Kind::kWorker, list_alerts},
    {"GET", "/api/v1/alertmanagers", Kind::kWorker, list_alertmanagers},
};

}  // namespace

std::span<const Route> rule_routes() { return kRoutes; }

}  // namespace varve::api
