// SPDX-License-Identifier: Apache-2.0
#include "config/read_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/ascii_case.h"
#include "config/read_client.h"

namespace varve::config {
namespace {

using std::chrono::milliseconds;

// Values that are read only to see that they can be.
struct Scratch {
  std::string text;
  bool flag = false;
  std::uint64_t count = 0;
  double number = 0;
  milliseconds duration{};
  std::vector<std::string> list;
  std::map<std::string, std::string> map;
  Labels labels;
  std::vector<model::RelabelRule> rules;
  std::vector<scrape::TargetGroup> groups;
  http::ClientOptions client;
};

ReadValue keep_present(bool& present, ReadValue read) {
  return [&present, read = std::move(read)](const Source& source, const Node& node) {
    present = node.kind != Node::Kind::kNull;
    return read(source, node);
  };
}

// A map whose keys are known and whose values are scalars.
ReadValue scalars(std::string_view what, std::vector<std::string_view> names) {
  return [what = std::string(what), names = std::move(names)](const Source& source,
                                                              const Node& node) {
    std::vector<Field> fields;
    for (const std::string_view name : names) fields.push_back({name, any_scalar()});
    return read_map(source, node, what, fields);
  };
}

ReadValue sigv4() {
  return scalars("sigv4",
                 {"region", "access_key", "secret_key", "profile", "role_arn", "external_id",
                  "use_fips_sts_endpoint", "service_name"});
}

ReadValue queue_config() {
  return [](const Source& source, const Node& node) {
    Scratch s;
    return read_map(source, node, "queue config",
                    {{"capacity", count(s.count)},
                     {"max_shards", count(s.count)},
                     {"min_shards", count(s.count)},
                     {"max_samples_per_send", count(s.count)},
                     {"batch_send_deadline", duration(s.duration)},
                     {"min_backoff", duration(s.duration)},
                     {"max_backoff", duration(s.duration)},
                     {"retry_on_http_429", boolean(s.flag)},
                     {"sample_age_limit", duration(s.duration)}});
  };
}

ReadValue metadata_config() {
  return [](const Source& source, const Node& node) {
    Scratch s;
    return read_map(source, node, "metadata config",
                    {{"send", boolean(s.flag)},
                     {"send_interval", duration(s.duration)},
                     {"max_samples_per_send", count(s.count)}});
  };
}

ReadValue azuread() {
  return [](const Source& source, const Node& node) {
    Scratch s;
    return read_map(
        source, node, "azuread",
        {{"cloud", text(s.text)},
         {"scope", text(s.text)},
         {"managed_identity", scalars("managed_identity", {"client_id"})},
         {"oauth", scalars("oauth", {"client_id", "client_secret", "tenant_id"})},
         {"sdk", scalars("sdk", {"tenant_id"})},
         {"workload_identity",
          scalars("workload_identity", {"client_id", "tenant_id", "token_file_path"})}});
  };
}

// Headers of one's own; those that the sender itself sets are refused.
ReadValue remote_write_headers(std::map<std::string, std::string>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    VARVE_TRY(text_map(out)(source, node));
    for (const auto& [name, value] : out) {
      if (base::equals_in_any_case(name, "authorization")) {
        return source.error(node.place,
                            "authorization header must be changed via the basic_auth, "
                            "authorization, oauth2, sigv4, azuread or google_iam parameter");
      }
      for (const std::string_view reserved :
           {"host", "content-encoding", "content-length", "content-type",
            "x-prometheus-remote-write-version", "user-agent", "connection", "keep-alive",
            "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding"}) {
        if (base::equals_in_any_case(name, reserved)) {
          return source.error(
              node.place,
              fmt::format("{} is a reserved header. It must not be changed", name));
        }
      }
    }
    return {};
  };
}

// Reads a list of maps with a `url` and an optional unique `name`.
Status check_endpoints(
    const Source& source, const Node& node, std::string_view kind,
    const std::function<Status(const Node&, std::string& name, bool& url)>& read) {
  std::set<std::string> seen;
  return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
    if (item.kind == Node::Kind::kNull) {
      return from.error(item.place, fmt::format("empty or null {} config section", kind));
    }
    std::string name;
    bool url = false;
    VARVE_TRY(read(item, name, url));
    if (!url) {
      return from.error(item.place,
                        fmt::format("url for {} is empty",
                                    kind == "remote write" ? "remote_write" : "remote_read"));
    }
    if (!name.empty() && !seen.insert(name).second) {
      return from.error(item.place,
                        fmt::format("found multiple {} configs with job name \"{}\"", kind, name));
    }
    return {};
  });
}

}  // namespace

Status check_remote_write(const Source& source, const Node& node, model::NameScheme scheme) {
  return check_endpoints(
      source, node, "remote write",
      [&](const Node& item, std::string& name, bool& present) -> Status {
        Scratch s;
        ClientReader client(s.client);
        std::vector<Field> fields{
            {"url", keep_present(present, url(s.text))},
            {"name", text(name)},
            {"remote_timeout", duration(s.duration)},
            {"headers", remote_write_headers(s.map)},
            {"write_relabel_configs",
             relabel_rules(s.rules, scheme, "relabeling rule in remote write config")},
            {"send_exemplars", boolean(s.flag)},
            {"send_native_histograms", boolean(s.flag)},
            {"round_robin_dns", boolean(s.flag)},
            {"protobuf_message", text(s.text)},
            {"queue_config", queue_config()},
            {"metadata_config", metadata_config()},
            {"sigv4", sigv4()},
            {"azuread", azuread()},
            {"google_iam", scalars("google_iam", {"credentials_file"})}};
        for (Field& field : client.fields()) fields.push_back(std::move(field));
        VARVE_TRY(read_map(source, item, "remote write config", fields));
        return client.finish(source, item.place);
      });
}

Status check_remote_read(const Source& source, const Node& node) {
  return check_endpoints(
      source, node, "remote read",
      [&](const Node& item, std::string& name, bool& present) -> Status {
        Scratch s;
        ClientReader client(s.client);
        std::vector<Field> fields{{"url", keep_present(present, url(s.text))},
                                  {"name", text(name)},
                                  {"remote_timeout", duration(s.duration)},
                                  {"chunked_read_limit", count(s.count)},
                                  {"headers", text_map(s.map)},
                                  {"read_recent", boolean(s.flag)},
                                  {"required_matchers", labels(s.labels)},
                                  {"filter_external_labels", boolean(s.flag)}};
        for (Field& field : client.fields()) fields.push_back(std::move(field));
        VARVE_TRY(read_map(source, item, "remote read config", fields));
        return client.finish(source, item.place);
      });
}

Status check_otlp(const Source& source, const Node& node) {
  Scratch s;
  std::vector<std::string> promoted, ignored;
  bool all = false;
  std::string strategy;
  VARVE_TRY(read_map(source, node, "otlp config",
                     {{"promote_all_resource_attributes", boolean(all)},
                      {"promote_resource_attributes", texts(promoted)},
                      {"ignore_resource_attributes", texts(ignored)},
                      {"translation_strategy", text(strategy)},
                      {"keep_identifying_resource_attributes", boolean(s.flag)},
                      {"convert_histograms_to_nhcb", boolean(s.flag)},
                      {"promote_scope_metadata", boolean(s.flag)},
                      {"label_name_underscore_sanitization", boolean(s.flag)},
                      {"label_name_preserve_multiple_underscores", boolean(s.flag)}}));
  if (all && !promoted.empty()) {
    return source.error(node.place,
                        "'promote_all_resource_attributes' and 'promote_resource_attributes' "
                        "cannot be configured simultaneously");
  }
  if (!all && !ignored.empty()) {
    return source.error(node.place,
                        "'ignore_resource_attributes' cannot be configured unless "
                        "'promote_all_resource_attributes' is true");
  }
  if (!strategy.empty() && strategy != "UnderscoreEscapingWithSuffixes" &&
      strategy != "UnderscoreEscapingWithoutSuffixes" && strategy != "NoTranslation" &&
      strategy != "NoUTF8EscapingWithSuffixes") {
    return source.error(node.find("translation_strategy")->place,
                        fmt::format("unsupported OTLP translation strategy \"{}\"", strategy));
  }
  return {};
}

Status check_tracing(const Source& source, const Node& node) {
  Scratch s;
  std::string client_type = "grpc", endpoint, compression;
  http::TlsOptions tls;
  VARVE_TRY(read_map(source, node, "tracing config",
                     {{"client_type", text(client_type)},
                      {"endpoint", text(endpoint)},
                      {"sampling_fraction", number(s.number)},
                      {"insecure", boolean(s.flag)},
                      {"tls_config", tls_config(tls)},
                      {"headers", text_map(s.map)},
                      {"compression", text(compression)},
                      {"timeout", duration(s.duration)}}));
  if (client_type != "grpc" && client_type != "http") {
    return source.error(node.find("client_type")->place,
                        fmt::format("expected tracing client type to be to be http or grpc, but "
                                    "got {}",
                                    client_type));
  }
  if (endpoint.empty()) return source.error(node.place, "tracing endpoint must be set");
  if (!compression.empty() && compression != "gzip") {
    return source.error(node.find("compression")->place,
                        fmt::format("invalid compression type {} provided, valid options: gzip",
                                    compression));
  }
  return {};
}

}  // namespace varve::config
