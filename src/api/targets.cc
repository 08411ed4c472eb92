// SPDX-License-Identifier: Apache-2.0
// What is scraped, and how it goes.
#include <fmt/format.h>
#include <re2/re2.h>

#include <map>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "model/duration.h"
#include "model/matcher.h"
#include "model/number.h"
#include "model/relabel.h"
#include "promql/parser.h"
#include "scrape/manager.h"

namespace varve::api {
namespace {

std::string health_word(scrape::Health health) { return std::string(scrape::to_string(health)); }

void append_member(std::string& json, std::string_view key, std::string_view text) {
  json += fmt::format("\"{}\":", key);
  append_json_string(json, text);
  json += ',';
}

void append_target(std::string& json, const scrape::TargetStatus& target) {
  json += "{\"discoveredLabels\":";
  append_json_labels(json, target.discovered_labels);
  json += ",\"labels\":";
  append_json_labels(json, target.labels);
  json += ',';
  append_member(json, "scrapePool", target.scrape_pool);
  append_member(json, "scrapeUrl", target.scrape_url);
  append_member(json, "globalUrl", target.global_url);
  append_member(json, "lastError", target.last_error);
  json += "\"lastScrape\":";
  append_json_rfc3339(json, target.last_scrape_ms);
  json += ",\"lastScrapeDuration\":";
  model::append_float(json, std::chrono::duration<double>(target.last_scrape_duration).count());
  json += ',';
  append_member(json, "health", health_word(target.health));
  append_member(json, "scrapeInterval", model::format_duration(target.interval.count()));
  json += "\"scrapeTimeout\":";
  append_json_string(json, model::format_duration(target.timeout.count()));
  json += '}';
}

void targets(const CallPtr& call) {
  std::string state(call->parameter("state"));
  for (char& c : state) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::string_view pool = call->parameter("scrapePool");
  const bool any = state.empty() || state == "any";
  const scrape::Manager* manager = call->scrape;
  std::string json = "{\"activeTargets\":[";
  if (manager != nullptr && (any || state == "active")) {
    bool first = true;
    for (const scrape::TargetStatus& target : manager->targets(pool)) {
      if (!first) json += ',';
      first = false;
      append_target(json, target);
    }
  }
  json += "],\"droppedTargets\":[";
  if (manager != nullptr && (any || state == "dropped")) {
    bool first = true;
    for (const scrape::DroppedTarget& target : manager->dropped_targets(pool)) {
      json += first ? "{\"discoveredLabels\":" : ",{\"discoveredLabels\":";
      first = false;
      append_json_labels(json, target.discovered_labels);
      json += ",\"scrapePool\":";
      append_json_string(json, target.scrape_pool);
      json += '}';
    }
  }
  json += "],\"droppedTargetCounts\":{";
  if (manager != nullptr && (any || state == "dropped")) {
    bool first = true;
    for (const auto& [name, count] : manager->dropped_counts()) {
      if (!pool.empty() && pool != name) continue;
      if (!first) json += ',';
      first = false;
      append_json_string(json, name);
      json += fmt::format(":{}", count);
    }
  }
  json += "}}";
  call->succeed(std::move(json));
}

void scrape_pools(const CallPtr& call) {
  std::vector<std::string> pools;
  if (call->scrape != nullptr) pools = call->scrape->pools();
  std::string json = "{\"scrapePools\":";
  append_json_strings(json, pools);
  call->succeed(json + "}");
}

bool matches_all(const model::Matchers& matchers, const Labels& labels) {
  for (const model::Matcher& matcher : matchers) {
    if (!matcher.matches(labels.get(matcher.name()))) return false;
  }
  return true;
}

void targets_metadata(const CallPtr& call) {
  const auto limit = call->limit_parameter();
  if (!limit.ok()) return call->fail(limit.error());
  model::Matchers matchers;
  if (call->has_parameter("match_target")) {
    auto parsed = promql::parse_selector(call->parameter("match_target"));
    if (!parsed.ok()) return call->fail(parsed.error());
    matchers = std::move(*parsed);
  }
  const std::string_view metric = call->parameter("metric");
  std::string json = "[";
  std::size_t count = 0;
  if (call->scrape != nullptr) {
    for (const scrape::TargetMetadata& entry : call->scrape->metadata(metric)) {
      if (!matches_all(matchers, entry.target)) continue;
      if (*limit > 0 && count == *limit) break;
      json += count++ > 0 ? ",{\"target\":" : "{\"target\":";
      append_json_labels(json, entry.target);
      json += ',';
      if (metric.empty()) append_member(json, "metric", entry.metric_family);
      append_member(json, "type", entry.type);
      append_member(json, "help", entry.help);
      json += "\"unit\":";
      append_json_string(json, entry.unit);
      json += '}';
    }
  }
  json += ']';
  call->succeed(std::move(json));
}

// As Prometheus marshals a rule: what is empty is left out, but for the regex.
void append_rule(std::string& json, const model::RelabelOptions& rule) {
  json += '{';
  if (!rule.source_labels.empty()) {
    json += "\"source_labels\":";
    append_json_strings(json, rule.source_labels);
    json += ',';
  }
  if (!rule.separator.empty()) append_member(json, "separator", rule.separator);
  append_member(json, "regex", rule.regex);
  if (rule.modulus != 0) json += fmt::format("\"modulus\":{},", rule.modulus);
  if (!rule.target_label.empty()) append_member(json, "target_label", rule.target_label);
  if (!rule.replacement.empty()) append_member(json, "replacement", rule.replacement);
  json += "\"action\":";
  append_json_string(json, to_string(rule.action));
  json += '}';
}

Result<Labels> read_labels(std::string_view text) {
  const auto wrong = [](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("error parsing labels: {}", why));
  };
  // What nests deeper than label values may is not unfolded.
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > 1;
    return !too_deep;
  };
  const nlohmann::json parsed = nlohmann::json::parse(text, watch, false);
  if (too_deep) return wrong("it nests");
  if (parsed.is_discarded()) return wrong("not JSON");
  if (!parsed.is_object()) return wrong("not an object");
  LabelsBuilder builder;
  for (const auto& [name, value] : parsed.items()) {
    if (!value.is_string()) return wrong(fmt::format("the value of {} is not a string", name));
    builder.set(name, value.get_ref<const std::string&>());
  }
  return builder.build();
}

// What each rule of a pool makes of a discovered target, one after the other.
void relabel_steps(const CallPtr& call) {
  const auto invalid = [&](std::string message) {
    call->fail(Error(ErrorCode::kInvalidArgument, std::move(message)));
  };
  const std::string_view pool = call->parameter("scrapePool");
  if (pool.empty()) return invalid("no scrapePool parameter provided");
  const std::string_view text = call->parameter("labels");
  if (text.empty()) return invalid("no labels parameter provided");
  const auto labels = read_labels(text);
  if (!labels.ok()) return call->fail(labels.error());
  if (call->scrape == nullptr) return invalid("nothing is scraped yet");
  const auto rules = call->scrape->relabel_rules(pool);
  if (!rules.ok()) {
    return invalid("error retrieving scrape config: " + rules.error().message());
  }
  LabelsBuilder builder(*labels);
  bool kept = true;
  std::string json = "{\"steps\":[";
  for (const model::RelabelRule& rule : *rules) {
    kept = kept && rule.apply(builder);
    json += json.back() == '[' ? "{\"rule\":" : ",{\"rule\":";
    append_rule(json, rule.options());
    json += ",\"output\":";
    append_json_labels(json, kept ? builder.build() : Labels());
    json += kept ? ",\"keep\":true}" : ",\"keep\":false}";
  }
  call->succeed(json + "]}");
}

constexpr Route kRoutes[] = {
    {"GET", "/api/v1/targets", Kind::kWorker, targets},
    {"GET", "/api/v1/targets/relabel_steps", Kind::kWorker, relabel_steps},
    {"GET", "/api/v1/targets/metadata", Kind::kWorker, targets_metadata},
    {"GET", "/api/v1/scrape_pools", Kind::kWorker, scrape_pools},
};

}  // namespace

std::span<const Route> target_routes() { return kRoutes; }

}  // namespace varve::api
