// SPDX-License-Identifier: Apache-2.0
// /api/v1/status: what runs here and what it holds.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/engine.h"
#include "storage/db.h"

namespace varve::api {
namespace {

constexpr std::size_t kTsdbTopDefault = 10;
constexpr std::size_t kTsdbTopMax = 10'000;  // as Prometheus

// A flat JSON object built in order.
class Object {
 public:
  Object& text(std::string_view key, std::string_view value) {
    begin(key);
    append_json_string(json_, value);
    return *this;
  }
  Object& raw(std::string_view key, std::string_view value) {
    begin(key);
    json_ += value;
    return *this;
  }
  template <typename Number>
  Object& number(std::string_view key, Number value) {
    return raw(key, fmt::format("{}", value));
  }
  Object& time(std::string_view key, Timestamp time_ms) {
    begin(key);
    append_json_rfc3339(json_, time_ms);
    return *this;
  }
  std::string done() { return std::move(json_) + "}"; }

 private:
  void begin(std::string_view key) {
    if (json_.size() > 1) json_ += ',';
    append_json_string(json_, key);
    json_ += ':';
  }
  std::string json_ = "{";
};

void build_info(const CallPtr& call) {
  const BuildInfo& build = call->services.build;
  call->succeed(Object()
                    .text("version", build.version)
                    .text("revision", build.revision)
                    .text("branch", build.branch)
                    .text("buildUser", build.build_user)
                    .text("buildDate", build.build_date)
                    .text("goVersion", build.compiler)
                    .done());
}

void runtime_info(const CallPtr& call) {
  const Services& services = call->services;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  call->succeed(Object()
                    .time("startTime", services.runtime.start_time_ms)
                    .text("CWD", services.runtime.working_directory)
                    .text("hostname", host)
                    .time("serverTime", services.clock->now_ms())
                    .raw("reloadConfigSuccess", services.last_reload_ok() ? "true" : "false")
                    .time("lastConfigTime", services.last_reload_time_ms())
                    .number("corruptionCount",
                            call->storage ? call->storage->recovery().frames_lost : 0)
                    .number("goroutineCount", 0)
                    .number("GOMAXPROCS", std::thread::hardware_concurrency())
                    .number("GOMEMLIMIT", 0)
                    .text("GOGC", "")
                    .text("GODEBUG", "")
                    .text("storageRetention", services.runtime.storage_retention)
                    .done());
}

void config(const CallPtr& call) {
  call->succeed(Object().text("yaml", call->services.config_yaml()).done());
}

void flags(const CallPtr& call) {
  Object object;
  for (const auto& [name, value] : call->services.flags) object.text(name, value);
  call->succeed(object.done());
}

std::string name_counts(const std::vector<storage::NameCount>& counts) {
  std::string json = "[";
  for (const storage::NameCount& entry : counts) {
    if (json.size() > 1) json += ',';
    json += Object().text("name", entry.name).number("value", entry.count).done();
  }
  return json + "]";
}

void tsdb(const CallPtr& call) {
  const auto limit = call->limit_parameter();
  if (!limit.ok()) return call->fail(limit.error());
  if (call->has_parameter("limit") && (*limit < 1 || *limit > kTsdbTopMax)) {
    return call->fail(ErrorType::kBadData,
                      fmt::format("limit must be between 1 and {}", kTsdbTopMax));
  }
  const storage::HeadStats stats = call->storage->stats(*limit == 0 ? kTsdbTopDefault : *limit);
  const std::string head = Object()
                               .number("numSeries", stats.series_count)
                               .number("numLabelPairs", stats.label_pair_count)
                               .number("chunkCount", stats.chunk_count)
                               .number("minTime", stats.min_time_ms)
                               .number("maxTime", stats.max_time_ms)
                               .done();
  call->succeed(Object()
                    .raw("headStats", head)
                    .raw("seriesCountByMetricName", name_counts(stats.series_by_metric))
                    .raw("labelValueCountByLabelName", name_counts(stats.values_by_label))
                    .raw("memoryInBytesByLabelName", name_counts(stats.bytes_by_label))
                    .raw("seriesCountByLabelValuePair", name_counts(stats.series_by_label_pair))
                    .done());
}

// As tsdb.BlockMeta in JSON, whose maxTime is the first millisecond that is not in the block. What
// Prometheus does not tell stands under a key of its own.
std::string block_json(const storage::block::BlockMeta& meta) {
  std::string sources = "[";
  for (const std::string& source : meta.sources) {
    if (sources.size() > 1) sources += ',';
    append_json_string(sources, source);
  }
  sources += ']';
  return Object()
      .text("ulid", meta.ulid)
      .number("minTime", meta.range.min_ms)
      .number("maxTime", meta.range.max_ms + 1)
      .raw("stats", Object()
                        .number("numSamples", meta.floats + meta.histograms)
                        .number("numFloatSamples", meta.floats)
                        .number("numHistogramSamples", meta.histograms)
                        .number("numSeries", meta.series)
                        .number("numChunks", meta.chunks)
                        .done())
      .raw("compaction", Object().number("level", meta.level).raw("sources", sources).done())
      .number("version", 1)
      .raw("varve", Object()
                        .number("sizeBytes", meta.bytes)
                        .number("resolution", meta.resolution_ms)
                        .number("windowStart", meta.window_begin_ms)
                        .number("windowEnd", meta.window_end_ms)
                        .raw("outOfOrder", meta.out_of_order ? "true" : "false")
                        .done())
      .done();
}

void blocks(const CallPtr& call) {
  std::string json = "[";
  for (const storage::block::BlockMeta& meta : call->storage->blocks()) {
    if (json.size() > 1) json += ',';
    json += block_json(meta);
  }
  json += ']';
  call->succeed(Object().raw("blocks", json).done());
}

void wal_replay(const CallPtr& call) {
  const std::uint64_t segments = call->storage ? call->storage->recovery().segments : 0;
  call->succeed(Object()
                    .number("min", 0)
                    .number("max", segments)
                    .number("current", call->storage ? segments : 0)
                    .text("state", call->storage ? "done" : "in progress")
                    .done());
}

Result<std::size_t> whole_parameter(const Call& call, std::string_view name) {
  const std::string text(call.parameter(name));
  if (text.empty()) return std::size_t{0};
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (*end != '\0' || end == text.c_str()) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("{} must be a number", name));
  }
  return value <= 0 ? std::size_t{0} : static_cast<std::size_t>(value);
}

void metadata(const CallPtr& call) {
  const auto limit = whole_parameter(*call, "limit");
  if (!limit.ok()) return call->fail(limit.error());
  const auto limit_per_metric = whole_parameter(*call, "limit_per_metric");
  if (!limit_per_metric.ok()) return call->fail(limit_per_metric.error());
  std::map<std::string, std::vector<storage::MetadataEntry>> families;
  for (storage::MetadataEntry& entry : call->storage->metadata(call->parameter("metric"))) {
    if (*limit > 0 && families.size() == *limit && !families.contains(entry.metric_family)) break;
    auto& entries = families[entry.metric_family];
    if (*limit_per_metric == 0 || entries.size() < *limit_per_metric) {
      entries.push_back(std::move(entry));
    }
  }
  Object object;
  for (const auto& [family, entries] : families) {
    std::string list = "[";
    for (const storage::MetadataEntry& entry : entries) {
      if (list.size() > 1) list += ',';
      list += Object()
                  .text("type", entry.type)
                  .text("help", entry.help)
                  .text("unit", entry.unit)
                  .done();
    }
    object.raw(family, list + "]");
  }
  call->succeed(object.done());
}

void features(const CallPtr& call) {
  const promql::Features& on = call->services.engine->options().features;
  const auto word = [](bool value) { return value ? "true" : "false"; };
  const std::string promql = Object()
                                 .raw("delayed_name_removal", word(on.delayed_name_removal))
                                 .raw("duration_expr", word(on.duration_expressions))
                                 .raw("experimental_functions", word(on.experimental_functions))
                                 .raw("extended_range_selectors", word(on.extended_range_selectors))
                                 .raw("fill_modifiers", word(on.binop_fill_modifiers))
                                 .done();
  const std::string api = Object()
                              .raw("admin", word(call->options.enable_admin))
                              .raw("lifecycle", word(call->options.enable_lifecycle))
                              .raw("remote_write_receiver", word(call->options.enable_remote_write))
                              .raw("query_stats", "true")
                              .done();
  call->succeed(Object().raw("api", api).raw("promql", promql).done());
}

constexpr Route kRoutes[] = {
    {"GET", "/api/v1/status/buildinfo", Kind::kWorker, build_info},
    {"GET", "/api/v1/status/runtimeinfo", Kind::kWorker, runtime_info},
    {"GET", "/api/v1/status/config", Kind::kWorker, config},
    {"GET", "/api/v1/status/flags", Kind::kWorker, flags},
    {"GET", "/api/v1/status/tsdb", Kind::kQuery, tsdb},
    {"GET", "/api/v1/status/tsdb/blocks", Kind::kQuery, blocks},
    {"GET", "/api/v1/status/walreplay", Kind::kWorker, wal_replay},
    {"GET", "/api/v1/metadata", Kind::kQuery, metadata},
    {"GET", "/api/v1/features", Kind::kWorker, features},
};

}  // namespace

std::span<const Route> status_routes() { return kRoutes; }

}  // namespace varve::api
