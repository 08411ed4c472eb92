// SPDX-License-Identifier: Apache-2.0
#include "config/read_alerting.h"

#include <fmt/format.h>

#include "config/read_client.h"
#include "config/read_discovery.h"

namespace varve::config {
namespace {

Status read_alertmanager(const Source& source, const Node& node, model::NameScheme scheme,
                         rules::AlertmanagerOptions& out,
                         std::vector<discovery::SourceOptions>& discovery) {
  if (node.kind == Node::Kind::kNull) {
    return source.error(node.place, "empty or null Alertmanager config section");
  }
  ClientReader client(out.client);
  std::string version = "v2";
  const Node* targets = nullptr;
  const ReadValue sigv4 = [](const Source& from, const Node& value) -> Status {
    if (value.kind == Node::Kind::kNull) return {};
    return from.error(value.place, "sigv4 is not supported by Varve");
  };
  std::vector<Field> fields{
      {"scheme", text(out.scheme)},
      {"path_prefix", text(out.path_prefix)},
      {"timeout", duration(out.timeout)},
      {"api_version", text(version)},
      {"sigv4", sigv4},
      {"static_configs",
       [&](const Source&, const Node& value) -> Status {
         targets = &value;
         return {};
       }},
      {"relabel_configs",
       relabel_rules(out.relabel, scheme, "Alertmanager target relabeling rule")},
      {"alert_relabel_configs",
       relabel_rules(out.alert_relabel, scheme, "Alertmanager alert relabeling rule")}};
  for (Field& field : client.fields()) fields.push_back(std::move(field));
  for (Field& field : discovery_fields(discovery)) fields.push_back(std::move(field));
  VARVE_TRY(read_map(source, node, "alertmanager config", fields, refuse_discovery(source)));
  if (version != "v2") {
    return source.error(
        node.find("api_version")->place,
        fmt::format("expected Alertmanager api version to be one of [v2] but got {}", version));
  }
  VARVE_TRY(client.finish(source, node.place));
  if (targets == nullptr) return {};
  return static_configs(out.static_configs, out.relabel.empty())(source, *targets);
}

}  // namespace

Status read_alerting(const Source& source, const Node& node, model::NameScheme scheme,
                     rules::AlertingOptions& out,
                     std::vector<std::vector<discovery::SourceOptions>>& discovery) {
  const ReadValue managers = [&](const Source& from, const Node& list) {
    out.alertmanagers.clear();
    discovery.clear();
    return read_list(from, list, [&](const Source& s, const Node& item) {
      return read_alertmanager(s, item, scheme, out.alertmanagers.emplace_back(),
                               discovery.emplace_back());
    });
  };
  return read_map(
      source, node, "alerting config",
      {{"alert_relabel_configs", relabel_rules(out.alert_relabel, scheme, "alert relabeling rule")},
       {"alertmanagers", managers}});
}

}  // namespace varve::config
