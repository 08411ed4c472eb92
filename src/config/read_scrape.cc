// SPDX-License-Identifier: Apache-2.0
#include "config/read_scrape.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/read_client.h"
#include "config/read_discovery.h"

namespace varve::config {
namespace {

using std::chrono::milliseconds;

Status read_protocol(const Source& source, const Node& node, scrape::Protocol& out) {
  std::string name;
  VARVE_TRY(text(name)(source, node));
  const auto parsed = scrape::parse_protocol(name);
  if (!parsed) {
    return source.error(
        node.place,
        fmt::format("unknown scrape protocol {}, supported: [OpenMetricsText0.0.1 "
                    "OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]",
                    name));
  }
  out = *parsed;
  return {};
}

ReadValue protocols(std::optional<std::vector<scrape::Protocol>>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    if (node.kind == Node::Kind::kNull) return {};
    out.emplace();
    const ReadValue add = [&](const Source& from, const Node& item) -> Status {
      scrape::Protocol protocol{};
      VARVE_TRY(read_protocol(from, item, protocol));
      if (std::find(out->begin(), out->end(), protocol) != out->end()) {
        return from.error(item.place, fmt::format("duplicated protocol in scrape_protocols, got {}",
                                                  to_string(protocol)));
      }
      out->push_back(protocol);
      return {};
    };
    VARVE_TRY(read_list(source, node, add));
    if (out->empty()) return source.error(node.place, "scrape_protocols cannot be empty");
    return {};
  };
}

ReadValue name_scheme(std::optional<model::NameScheme>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    std::string name;
    VARVE_TRY(text(name)(source, node));
    if (name == "utf8") {
      out = model::NameScheme::kUtf8;
    } else if (name == "legacy") {
      out = model::NameScheme::kLegacy;
    } else if (!name.empty()) {
      return source.error(node.place, fmt::format("unrecognized validation scheme \"{}\", must be "
                                                  "either 'legacy' or 'utf8'",
                                                  name));
    }
    return {};
  };
}

ReadValue name_escaping(std::optional<scrape::NameEscaping>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    std::string name;
    VARVE_TRY(text(name)(source, node));
    if (name.empty()) return {};
    out = scrape::parse_name_escaping(name);
    if (!out) {
      return source.error(node.place,
                          fmt::format("unknown name escaping method specified, must be one of "
                                      "'allow-utf-8', 'underscores', 'dots', or 'values', got "
                                      "\"{}\"",
                                      name));
    }
    return {};
  };
}

std::vector<Field> limit_fields(scrape::Limits& limits) {
  return {{"body_size_limit", bytes(limits.body_size_bytes)},
          {"sample_limit", count(limits.samples)},
          {"target_limit", count(limits.targets)},
          {"label_limit", count(limits.labels)},
          {"label_name_length_limit", count(limits.label_name_length)},
          {"label_value_length_limit", count(limits.label_value_length)},
          {"keep_dropped_targets", count(limits.kept_dropped_targets)}};
}

void inherit_limits(scrape::Limits& limits, const scrape::Limits& global) {
  const auto inherit = [](std::uint64_t& own, std::uint64_t from) {
    if (own == 0) own = from;
  };
  inherit(limits.body_size_bytes, global.body_size_bytes);
  inherit(limits.samples, global.samples);
  inherit(limits.targets, global.targets);
  inherit(limits.labels, global.labels);
  inherit(limits.label_name_length, global.label_name_length);
  inherit(limits.label_value_length, global.label_value_length);
  inherit(limits.kept_dropped_targets, global.kept_dropped_targets);
}

// A bool of a job that falls back to the global one.
ReadValue optional_boolean(std::optional<bool>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    if (node.kind == Node::Kind::kNull) return {};
    return boolean(out.emplace())(source, node);
  };
}

// The keys of a job that mean something only together with others or with `global`.
struct JobValues {
  milliseconds interval{}, timeout{};
  std::optional<std::vector<scrape::Protocol>> protocols;
  std::optional<model::NameScheme> scheme;
  std::optional<scrape::NameEscaping> escaping;
  std::optional<bool> native, classic, convert, extra;
  const Node* relabel = nullptr;
  const Node* metric_relabel = nullptr;
  const Node* static_configs = nullptr;
};

ReadValue keep_node(const Node*& out) {
  return [&out](const Source&, const Node& node) -> Status {
    out = &node;
    return {};
  };
}

Status resolve_times(const Source& source, Place place, const GlobalConfig& global,
                     const JobValues& values, scrape::PoolOptions& job) {
  job.interval = values.interval.count() == 0 ? global.scrape_interval : values.interval;
  if (values.timeout > job.interval) {
    return source.error(place,
                        fmt::format("scrape timeout greater than scrape interval for scrape config "
                                    "with job name \"{}\"",
                                    job.job_name));
  }
  job.timeout = values.timeout.count() == 0 ? std::min(global.scrape_timeout, job.interval)
                                            : values.timeout;
  return {};
}

Status resolve_names(const Source& source, Place place, const GlobalConfig& global,
                     const JobValues& values, scrape::PoolOptions& job) {
  using scrape::NameEscaping;
  const auto escaping_for = [](model::NameScheme scheme) {
    return scheme == model::NameScheme::kLegacy ? NameEscaping::kUnderscores
                                                : NameEscaping::kAllowUtf8;
  };
  const model::NameScheme global_scheme = global.name_scheme.value_or(model::NameScheme::kUtf8);
  job.name_scheme = values.scheme.value_or(global_scheme);
  if (values.escaping) {
    job.name_escaping = *values.escaping;
  } else if (!values.scheme) {
    job.name_escaping = global.name_escaping.value_or(escaping_for(global_scheme));
  } else {
    job.name_escaping = escaping_for(job.name_scheme);
  }
  if (job.name_escaping == NameEscaping::kAllowUtf8 &&
      job.name_scheme != model::NameScheme::kUtf8) {
    return source.error(place,
                        "utf8 metric names requested but validation scheme is not set to UTF8");
  }
  return {};
}

Status read_job(const Source& source, const Node& node, const GlobalConfig& global,
                scrape::PoolOptions& job, std::vector<discovery::SourceOptions>& discovery) {
  if (node.kind == Node::Kind::kNull) {
    return source.error(node.place, "empty or null scrape config section");
  }
  JobValues values;
  ClientReader client(job.client);
  const ReadValue fallback = [&](const Source& from, const Node& item) -> Status {
    if (item.kind == Node::Kind::kNull || item.text.empty()) return {};
    return read_protocol(from, item, job.fallback_protocol.emplace());
  };
  std::vector<Field> fields{
      {"job_name", text(job.job_name)},
      {"honor_labels", boolean(job.honor_labels)},
      {"honor_timestamps", boolean(job.honor_timestamps)},
      {"track_timestamps_staleness", boolean(job.track_timestamps_staleness)},
      {"params", text_list_map(job.params)},
      {"scrape_interval", duration(values.interval)},
      {"scrape_timeout", duration(values.timeout)},
      {"scrape_protocols", protocols(values.protocols)},
      {"fallback_scrape_protocol", fallback},
      {"scrape_native_histograms", optional_boolean(values.native)},
      {"always_scrape_classic_histograms", optional_boolean(values.classic)},
      {"convert_classic_histograms_to_nhcb", optional_boolean(values.convert)},
      {"extra_scrape_metrics", optional_boolean(values.extra)},
      {"scrape_failure_log_file", path(job.failure_log_file)},
      {"metrics_path", text(job.metrics_path)},
      {"scheme", text(job.scheme)},
      {"enable_compression", boolean(job.enable_compression)},
      {"native_histogram_bucket_limit", count(job.limits.native_histogram_buckets)},
      {"native_histogram_min_bucket_factor", number(job.limits.native_histogram_min_bucket_factor)},
      {"metric_name_validation_scheme", name_scheme(values.scheme)},
      {"metric_name_escaping_scheme", name_escaping(values.escaping)},
      {"static_configs", keep_node(values.static_configs)},
      {"relabel_configs", keep_node(values.relabel)},
      {"metric_relabel_configs", keep_node(values.metric_relabel)}};
  for (Field& field : limit_fields(job.limits)) fields.push_back(std::move(field));
  for (Field& field : client.fields()) fields.push_back(std::move(field));
  for (Field& field : discovery_fields(discovery)) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "scrape config", fields, refuse_discovery(source)));
  if (job.job_name.empty()) return source.error(node.place, "job_name is empty");
  VARVE_TRY(client.finish(source, node.place));
  VARVE_TRY(resolve_times(source, node.place, global, values, job));
  VARVE_TRY(resolve_names(source, node.place, global, values, job));
  inherit_limits(job.limits, global.limits);
  if (job.failure_log_file.empty()) job.failure_log_file = global.scrape_failure_log_file;
  job.scrape_native_histograms = values.native.value_or(global.scrape_native_histograms);
  job.always_scrape_classic_histograms =
      values.classic.value_or(global.always_scrape_classic_histograms);
  job.convert_classic_histograms_to_nhcb =
      values.convert.value_or(global.convert_classic_histograms_to_nhcb);
  job.extra_scrape_metrics = values.extra.value_or(global.extra_scrape_metrics);
  if (values.protocols) {
    job.protocols = *values.protocols;
  } else if (!global.scrape_protocols.empty()) {
    job.protocols = global.scrape_protocols;
  } else if (job.scrape_native_histograms) {
    job.protocols.assign(scrape::kProtoFirstProtocols.begin(), scrape::kProtoFirstProtocols.end());
  }
  if (values.relabel != nullptr) {
    VARVE_TRY(relabel_rules(job.relabel, job.name_scheme,
                            "target relabeling rule in scrape config")(source, *values.relabel));
  }
  if (values.metric_relabel != nullptr) {
    VARVE_TRY(relabel_rules(job.metric_relabel, job.name_scheme,
                            "metric relabeling rule in scrape config")(source,
                                                                       *values.metric_relabel));
  }
  if (values.static_configs != nullptr) {
    VARVE_TRY(static_configs(job.static_configs, job.relabel.empty())(source,
                                                                      *values.static_configs));
  }
  return {};
}

}  // namespace

std::string expand_environment(std::string_view text, const Environment& environment,
                               std::vector<std::string>& warnings) {
  const auto is_word = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  constexpr std::string_view kSpecial = "*#$@!?-";  // names of one character, as in a shell
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos || dollar + 1 == text.size()) {
      if (dollar != std::string_view::npos) out += '$';
      break;
    }
    text.remove_prefix(dollar + 1);
    std::string name;
    if (text.front() == '{') {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) {  // Go eats the "${" and goes on
        text.remove_prefix(1);
        continue;
      }
      name = text.substr(1, close - 1);
      text.remove_prefix(close + 1);
      if (name.empty()) continue;
    } else if (kSpecial.find(text.front()) != std::string_view::npos) {
      name = text.front();
      text.remove_prefix(1);
    } else {
      std::size_t end = 0;
      while (end < text.size() && is_word(text[end])) ++end;
      if (end == 0) {  // not a variable: Go leaves the dollar sign
        out += '$';
        continue;
      }
      name = text.substr(0, end);
      text.remove_prefix(end);
    }
    if (name == "$") {
      out += '$';
      continue;
    }
    const std::string value = environment ? environment(name) : std::string();
    if (value.empty()) {
      warnings.push_back(fmt::format("external_labels: empty environment variable {}", name));
    }
    out += value;
  }
  return out;
}

Status read_global(const Source& source, const Node& node, const Environment& environment,
                   GlobalConfig& out, std::vector<std::string>& warnings) {
  milliseconds interval{}, timeout{}, evaluation{};
  std::optional<std::vector<scrape::Protocol>> protocol_list;
  Labels external;
  std::vector<Field> fields{
      {"scrape_interval", duration(interval)},
      {"scrape_timeout", duration(timeout)},
      {"scrape_protocols", protocols(protocol_list)},
      {"evaluation_interval", duration(evaluation)},
      {"rule_query_offset", duration(out.rule_query_offset)},
      {"query_log_file", path(out.query_log_file)},
      {"scrape_failure_log_file", path(out.scrape_failure_log_file)},
      {"external_labels", labels(external)},
      {"metric_name_validation_scheme", name_scheme(out.name_scheme)},
      {"metric_name_escaping_scheme", name_escaping(out.name_escaping)},
      {"scrape_native_histograms", boolean(out.scrape_native_histograms)},
      {"convert_classic_histograms_to_nhcb", boolean(out.convert_classic_histograms_to_nhcb)},
      {"always_scrape_classic_histograms", boolean(out.always_scrape_classic_histograms)},
      {"extra_scrape_metrics", boolean(out.extra_scrape_metrics)}};
  for (Field& field : limit_fields(out.limits)) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "global config", fields));
  if (interval.count() > 0) out.scrape_interval = interval;
  if (timeout > out.scrape_interval) {
    const Node* at = node.find("scrape_timeout");
    return source.error(at == nullptr ? node.place : at->place,
                        "global scrape timeout greater than scrape interval");
  }
  out.scrape_timeout =
      timeout.count() > 0 ? timeout : std::min(out.scrape_timeout, out.scrape_interval);
  if (evaluation.count() > 0) out.evaluation_interval = evaluation;
  if (protocol_list) out.scrape_protocols = *std::move(protocol_list);
  LabelsBuilder expanded;
  for (const LabelView& label : external) {
    if (!model::valid_label_name(label.name, out.name_scheme.value_or(model::NameScheme::kUtf8))) {
      return source.error(node.place,
                          fmt::format("\"{}\" is not a valid label name", label.name));
    }
    expanded.set(label.name, expand_environment(label.value, environment, warnings));
  }
  out.external_labels = expanded.build();
  return {};
}

Status read_scrape_configs(
    const Source& source, const Node& node, const GlobalConfig& global,
    std::map<std::string, std::string>& first_found, std::vector<scrape::PoolOptions>& out,
    std::map<std::string, std::vector<discovery::SourceOptions>>& discovery) {
  return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
    scrape::PoolOptions& job = out.emplace_back();
    std::vector<discovery::SourceOptions> sources;
    VARVE_TRY(read_job(from, item, global, job, sources));
    const auto [found, is_new] = first_found.emplace(job.job_name, from.name);
    if (is_new) {
      if (!sources.empty()) discovery[job.job_name] = std::move(sources);
      return {};
    }
    const Node* at = item.find("job_name");
    return from.error(at == nullptr ? item.place : at->place,
                      fmt::format("found multiple scrape configs with job name \"{}\"{}",
                                  job.job_name,
                                  found->second == from.name
                                      ? std::string()
                                      : ", first found in " + found->second));
  });
}

}  // namespace varve::config
