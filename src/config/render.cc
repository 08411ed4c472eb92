// SPDX-License-Identifier: Apache-2.0
// The loaded configuration as YAML. The order of keys and which defaults are written out are those
// of Prometheus's structs: a key with `omitempty` there stands here only if it is set.
#include <fmt/format.h>

#include <algorithm>

#include "config/config.h"
#include "config/yaml_reader.h"
#include "config/yaml_writer.h"
#include "model/duration.h"

namespace varve::config {
namespace {

constexpr std::string_view kSecret = "<secret>";

void entry_if(YamlWriter& w, std::string_view key, std::string_view value) {
  if (!value.empty()) w.entry(key, value);
}
void flag(YamlWriter& w, std::string_view key, bool value) {
  w.plain_entry(key, value ? "true" : "false");
}
void flag_if(YamlWriter& w, std::string_view key, bool value) {
  if (value) w.plain_entry(key, "true");
}
void number_if(YamlWriter& w, std::string_view key, std::uint64_t value) {
  if (value != 0) w.plain_entry(key, std::to_string(value));
}
void span(YamlWriter& w, std::string_view key, std::chrono::milliseconds value) {
  w.entry(key, model::format_duration(value.count()));
}
void span_if(YamlWriter& w, std::string_view key, std::chrono::milliseconds value) {
  if (value.count() != 0) span(w, key, value);
}
void list_if(YamlWriter& w, std::string_view key, std::span<const std::string> values) {
  if (!values.empty()) w.list(key, values);
}

void secret_if(YamlWriter& w, std::string_view key, const http::SecretSource& secret) {
  if (!secret.value.empty()) w.entry(key, kSecret);
  entry_if(w, std::string(key) + "_file", secret.file);
}

void label_map(YamlWriter& w, std::string_view key, const Labels& labels) {
  if (labels.empty()) return;
  w.open(key);
  for (const LabelView& label : labels) w.entry(label.name, label.value);
  w.close();
}

void protocol_list(YamlWriter& w, std::span<const scrape::Protocol> protocols) {
  std::vector<std::string> names;
  for (const scrape::Protocol protocol : protocols) names.emplace_back(to_string(protocol));
  list_if(w, "scrape_protocols", names);
}

void limits(YamlWriter& w, const scrape::Limits& l) {
  if (l.body_size_bytes != 0) w.entry("body_size_limit", format_bytes(l.body_size_bytes));
  number_if(w, "sample_limit", l.samples);
  number_if(w, "target_limit", l.targets);
  number_if(w, "label_limit", l.labels);
  number_if(w, "label_name_length_limit", l.label_name_length);
  number_if(w, "label_value_length_limit", l.label_value_length);
}

void tls(YamlWriter& w, const http::TlsOptions& t, bool always) {
  if (t == http::TlsOptions{}) {
    if (always) w.plain_entry("tls_config", "{insecure_skip_verify: false}");
    return;
  }
  w.open("tls_config");
  entry_if(w, "ca", t.ca);
  entry_if(w, "cert", t.cert);
  if (!t.key.empty()) w.entry("key", kSecret);
  entry_if(w, "ca_file", t.ca_file);
  entry_if(w, "cert_file", t.cert_file);
  entry_if(w, "key_file", t.key_file);
  entry_if(w, "server_name", t.server_name);
  flag(w, "insecure_skip_verify", t.insecure_skip_verify);
  entry_if(w, "min_version", t.min_version);
  entry_if(w, "max_version", t.max_version);
  w.close();
}

// "http://user:password@host" with the password hidden, as Go's URL.Redacted does.
std::string redacted_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t begin = scheme + 3;
  const std::size_t end = url.find('/', begin);
  const std::size_t at = url.substr(0, end).rfind('@');
  const std::size_t colon = url.find(':', begin);
  if (at == std::string::npos || at < begin || colon == std::string::npos || colon > at) return url;
  return url.substr(0, colon + 1) + "xxxxx" + url.substr(at);
}

void proxy(YamlWriter& w, const http::ProxyOptions& p) {
  entry_if(w, "proxy_url", redacted_url(p.url));
  entry_if(w, "no_proxy", p.no_proxy);
  flag_if(w, "proxy_from_environment", p.from_environment);
  if (p.connect_headers.empty()) return;
  w.open("proxy_connect_header");
  for (const auto& [name, values] : p.connect_headers) {
    w.list(name, std::vector<std::string>(values.size(), std::string(kSecret)));
  }
  w.close();
}

void client(YamlWriter& w, const http::ClientOptions& c) {
  if (c.basic_auth) {
    w.open("basic_auth");
    w.entry("username", c.basic_auth->username);
    entry_if(w, "username_file", c.basic_auth->username_file);
    secret_if(w, "password", c.basic_auth->password);
    w.close();
  }
  if (c.authorization) {
    w.open("authorization");
    w.entry("type", c.authorization->type);
    secret_if(w, "credentials", c.authorization->credentials);
    w.close();
  }
  if (c.oauth2) {
    const http::OAuth2Options& o = *c.oauth2;
    w.open("oauth2");
    w.entry("client_id", o.client_id);
    w.entry("client_secret", o.client_secret.value.empty() ? "" : kSecret);
    w.entry("client_secret_file", o.client_secret.file);
    list_if(w, "scopes", o.scopes);
    w.entry("token_url", o.token_url);
    if (!o.endpoint_params.empty()) {
      w.open("endpoint_params");
      for (const auto& [name, value] : o.endpoint_params) w.entry(name, value);
      w.close();
    }
    tls(w, o.tls, false);
    proxy(w, o.proxy);
    w.close();
  }
  tls(w, c.tls, false);
  flag(w, "follow_redirects", c.follow_redirects);
  flag(w, "enable_http2", c.enable_http2);
  proxy(w, c.proxy);
  if (c.headers.empty()) return;
  w.open("http_headers");
  for (const auto& [name, header] : c.headers) {
    w.open(name);
    list_if(w, "values", header.values);
    list_if(w, "secrets", std::vector<std::string>(header.secrets.size(), std::string(kSecret)));
    list_if(w, "files", header.files);
    w.close();
  }
  w.close();
}

void relabel_rules(YamlWriter& w, std::string_view key, std::span<const model::RelabelRule> rules) {
  if (rules.empty()) return;
  w.open_list(key);
  for (const model::RelabelRule& rule : rules) {
    const model::RelabelOptions& o = rule.options();
    w.item();
    if (!o.source_labels.empty()) w.flow_list("source_labels", o.source_labels);
    entry_if(w, "separator", o.separator);
    if (o.regex != model::RelabelOptions{}.regex) w.entry("regex", o.regex);
    number_if(w, "modulus", o.modulus);
    entry_if(w, "target_label", o.target_label);
    entry_if(w, "replacement", o.replacement);
    w.entry("action", to_string(o.action));
    w.close();
  }
  w.close();
}

void static_groups(YamlWriter& w, std::span<const scrape::TargetGroup> groups) {
  if (groups.empty()) return;
  w.open_list("static_configs");
  for (const scrape::TargetGroup& group : groups) {
    std::vector<std::string> addresses;
    for (const Labels& target : group.targets) addresses.emplace_back(target.get("__address__"));
    w.item();
    if (addresses.empty()) {
      w.plain_entry("targets", "[]");
    } else {
      w.list("targets", addresses);
    }
    label_map(w, "labels", group.labels);
    w.close();
  }
  w.close();
}

void source(YamlWriter& w, const discovery::FileOptions& o) {
  list_if(w, "files", o.files);
  span(w, "refresh_interval", o.refresh_interval);
}

void source(YamlWriter& w, const discovery::HttpOptions& o) {
  client(w, o.client);
  span(w, "refresh_interval", o.refresh_interval);
  w.entry("url", redacted_url(o.url));
}

void source(YamlWriter& w, const discovery::DnsOptions& o) {
  list_if(w, "names", o.names);
  span(w, "refresh_interval", o.refresh_interval);
  w.entry("type", to_string(o.type));
  number_if(w, "port", o.port);
}

void source(YamlWriter& w, const discovery::ConsulOptions& o) {
  entry_if(w, "server", o.server);
  entry_if(w, "path_prefix", o.path_prefix);
  if (!o.token.empty()) w.entry("token", kSecret);
  entry_if(w, "datacenter", o.datacenter);
  entry_if(w, "namespace", o.namespace_name);
  entry_if(w, "partition", o.partition);
  entry_if(w, "tag_separator", o.tag_separator);
  entry_if(w, "scheme", o.scheme);
  entry_if(w, "username", o.username);
  if (!o.password.empty()) w.entry("password", kSecret);
  flag(w, "allow_stale", o.allow_stale);
  span(w, "refresh_interval", o.refresh_interval);
  list_if(w, "services", o.services);
  list_if(w, "tags", o.tags);
  if (!o.node_meta.empty()) {
    w.open("node_meta");
    for (const auto& [name, value] : o.node_meta) w.entry(name, value);
    w.close();
  }
  entry_if(w, "filter", o.filter);
  entry_if(w, "health_filter", o.health_filter);
  client(w, o.client);
}

void source(YamlWriter& w, const discovery::KubernetesOptions& o) {
  w.entry("api_server", redacted_url(o.api_server));
  w.entry("role", to_string(o.role));
  w.entry("kubeconfig_file", o.kubeconfig_file);
  client(w, o.client);
  if (o.own_namespace || !o.namespaces.empty()) {
    w.open("namespaces");
    flag(w, "own_namespace", o.own_namespace);
    list_if(w, "names", o.namespaces);
    w.close();
  }
  if (!o.selectors.empty()) {
    w.open_list("selectors");
    for (const auto& [role, selector] : o.selectors) {
      w.item();
      w.entry("role", to_string(role));
      entry_if(w, "label", selector.label);
      entry_if(w, "field", selector.field);
      w.close();
    }
    w.close();
  }
  if (!o.attach_node && !o.attach_namespace) return;
  w.open("attach_metadata");
  flag(w, "node", o.attach_node);
  flag(w, "namespace", o.attach_namespace);
  w.close();
}

// Each kind under its key, in the order in which the kinds first appear.
void discovery_configs(YamlWriter& w, std::span<const discovery::SourceOptions> sources) {
  std::vector<std::size_t> done;
  for (const discovery::SourceOptions& first : sources) {
    const std::size_t kind = first.index();
    if (std::find(done.begin(), done.end(), kind) != done.end()) continue;
    done.push_back(kind);
    w.open_list(fmt::format("{}_sd_configs", kind_of(first)));
    for (const discovery::SourceOptions& each : sources) {
      if (each.index() != kind) continue;
      w.item();
      std::visit([&](const auto& options) { source(w, options); }, each);
      w.close();
    }
    w.close();
  }
}

std::string_view scheme_name(model::NameScheme scheme) {
  return scheme == model::NameScheme::kLegacy ? "legacy" : "utf8";
}

void global_config(YamlWriter& w, const GlobalConfig& g) {
  w.open("global");
  span(w, "scrape_interval", g.scrape_interval);
  span(w, "scrape_timeout", g.scrape_timeout);
  protocol_list(w, g.scrape_protocols);
  span(w, "evaluation_interval", g.evaluation_interval);
  span_if(w, "rule_query_offset", g.rule_query_offset);
  entry_if(w, "query_log_file", g.query_log_file);
  entry_if(w, "scrape_failure_log_file", g.scrape_failure_log_file);
  label_map(w, "external_labels", g.external_labels);
  limits(w, g.limits);
  number_if(w, "keep_dropped_targets", g.limits.kept_dropped_targets);
  w.entry("metric_name_validation_scheme",
          scheme_name(g.name_scheme.value_or(model::NameScheme::kUtf8)));
  if (g.name_escaping) w.entry("metric_name_escaping_scheme", to_string(*g.name_escaping));
  flag(w, "scrape_native_histograms", g.scrape_native_histograms);
  flag_if(w, "convert_classic_histograms_to_nhcb", g.convert_classic_histograms_to_nhcb);
  flag_if(w, "always_scrape_classic_histograms", g.always_scrape_classic_histograms);
  flag_if(w, "extra_scrape_metrics", g.extra_scrape_metrics);
  w.close();
}

void scrape_config(YamlWriter& w, const scrape::PoolOptions& job,
                   std::span<const discovery::SourceOptions> discovery) {
  w.item();
  w.entry("job_name", job.job_name);
  flag_if(w, "honor_labels", job.honor_labels);
  flag(w, "honor_timestamps", job.honor_timestamps);
  flag(w, "track_timestamps_staleness", job.track_timestamps_staleness);
  if (!job.params.empty()) {
    w.open("params");
    for (const auto& [name, values] : job.params) w.list(name, values);
    w.close();
  }
  span(w, "scrape_interval", job.interval);
  span(w, "scrape_timeout", job.timeout);
  protocol_list(w, job.protocols);
  if (job.fallback_protocol) w.entry("fallback_scrape_protocol", to_string(*job.fallback_protocol));
  flag(w, "scrape_native_histograms", job.scrape_native_histograms);
  flag(w, "always_scrape_classic_histograms", job.always_scrape_classic_histograms);
  flag(w, "convert_classic_histograms_to_nhcb", job.convert_classic_histograms_to_nhcb);
  entry_if(w, "scrape_failure_log_file", job.failure_log_file);
  entry_if(w, "metrics_path", job.metrics_path);
  entry_if(w, "scheme", job.scheme);
  flag(w, "enable_compression", job.enable_compression);
  limits(w, job.limits);
  number_if(w, "native_histogram_bucket_limit", job.limits.native_histogram_buckets);
  if (job.limits.native_histogram_min_bucket_factor != 0) {
    w.plain_entry("native_histogram_min_bucket_factor",
                  fmt::format("{}", job.limits.native_histogram_min_bucket_factor));
  }
  number_if(w, "keep_dropped_targets", job.limits.kept_dropped_targets);
  w.entry("metric_name_validation_scheme", scheme_name(job.name_scheme));
  w.entry("metric_name_escaping_scheme", to_string(job.name_escaping));
  flag(w, "extra_scrape_metrics", job.extra_scrape_metrics);
  client(w, job.client);
  relabel_rules(w, "relabel_configs", job.relabel);
  relabel_rules(w, "metric_relabel_configs", job.metric_relabel);
  static_groups(w, job.static_configs);
  discovery_configs(w, discovery);
  w.close();
}

void ladder_config(YamlWriter& w, const StorageConfig& s) {
  const storage::Ladder& ladder = s.ladder;
  const bool named = !s.ladder_name.empty();
  if (named) w.entry("ladder", s.ladder_name);
  const bool sketches =
      std::any_of(ladder.levels.begin(), ladder.levels.end(),
                  [](const storage::LevelOptions& level) { return level.sketch; });
  if (!named && !ladder.levels.empty()) {
    w.open_list("levels");
    for (const storage::LevelOptions& level : ladder.levels) {
      w.item();
      span(w, "resolution", level.resolution);
      span(w, "after", level.after);
      span(w, "retention", level.retention);
      if (sketches) flag(w, "sketch", level.sketch);
      w.close();
    }
    w.close();
  }
  if (!sketches) return;
  w.open("sketch");
  w.plain_entry("relative_error", fmt::format("{}", ladder.sketch_relative_error));
  w.close();
}

void series_retentions(YamlWriter& w, const StorageConfig& s) {
  if (s.ladder.policies.empty()) return;
  w.open_list("series");
  for (std::size_t i = 0; i < s.ladder.policies.size(); ++i) {
    const storage::RetentionPolicy& policy = s.ladder.policies[i];
    w.item();
    w.entry("match", s.policy_selectors[i]);
    span(w, "retention", policy.raw);
    if (policy.levels.empty()) {
      w.plain_entry("levels", "[]");
    } else {
      w.open_list("levels");
      for (const storage::RetentionPolicy::OfLevel& level : policy.levels) {
        w.item();
        span(w, "resolution", level.resolution);
        span(w, "retention", level.retention);
        w.close();
      }
      w.close();
    }
    w.close();
  }
  w.close();
}

void storage_config(YamlWriter& w, const StorageConfig& s) {
  const bool retention = s.retention_time || s.retention_bytes || !s.ladder.policies.empty();
  const bool tsdb = s.out_of_order_time_window || retention || !s.ladder.levels.empty();
  if (!tsdb && !s.exemplars_max) return;
  w.open("storage");
  if (tsdb) {
    w.open("tsdb");
    if (s.out_of_order_time_window) {
      span(w, "out_of_order_time_window", *s.out_of_order_time_window);
    }
    if (retention) {
      w.open("retention");
      if (s.retention_time) span(w, "time", *s.retention_time);
      if (s.retention_bytes) w.entry("size", format_bytes(*s.retention_bytes));
      series_retentions(w, s);
      w.close();
    }
    ladder_config(w, s);
    w.close();
  }
  if (s.exemplars_max) {
    w.open("exemplars");
    w.plain_entry("max_exemplars", std::to_string(*s.exemplars_max));
    w.close();
  }
  w.close();
}

}  // namespace

std::string to_yaml(const Config& config) {
  YamlWriter w;
  global_config(w, config.global);
  w.open("runtime");
  w.plain_entry("gogc", std::to_string(config.runtime_gogc.value_or(75)));
  w.close();
  std::string out = w.take();
  out += config.alerting.masked;
  YamlWriter jobs;
  list_if(jobs, "rule_files", config.rule_files);
  list_if(jobs, "scrape_config_files", config.scrape_config_files);
  if (config.main_scrape_configs > 0) {
    jobs.open_list("scrape_configs");
    for (std::size_t i = 0; i < config.main_scrape_configs; ++i) {
      const scrape::PoolOptions& job = config.scrape_configs[i];
      const auto discovery = config.scrape_discovery.find(job.job_name);
      const bool has = discovery != config.scrape_discovery.end();
      scrape_config(jobs, job, has ? std::span(discovery->second)
                                   : std::span<const discovery::SourceOptions>());
    }
    jobs.close();
  }
  storage_config(jobs, config.storage);
  out += jobs.take();
  out += config.tracing.masked;
  out += config.remote_write.masked;
  out += config.remote_read.masked;
  if (config.otlp.present()) {
    out += config.otlp.masked;
  } else {
    out += "otlp:\n  translation_strategy: UnderscoreEscapingWithSuffixes\n";
  }
  return out;
}

}  // namespace varve::config
