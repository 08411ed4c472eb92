// SPDX-License-Identifier: Apache-2.0
#include "discovery/read_groups.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "discovery/json_document.h"
#include "model/relabel.h"

namespace varve::discovery {
namespace {

using nlohmann::json;

// Groups are two levels deep; what nests further is broken anyhow.
constexpr int kDepthMax = 8;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Status read_group(const json& item, model::TargetGroup& out) {
  if (!item.is_object())
    return invalid(fmt::format("a {} is not a target group", item.type_name()));
  for (const auto& [key, value] : item.items()) {
    if (key != "targets" && key != "labels") {
      return invalid(fmt::format("json: unknown field \"{}\"", key));
    }
  }
  if (const auto targets = item.find("targets"); targets != item.end() && !targets->is_null()) {
    if (!targets->is_array()) return invalid("targets is not a list");
    for (const json& target : *targets) {
      if (!target.is_string()) return invalid("a target is not a string");
      out.targets.push_back(Labels{{"__address__", target.get_ref<const std::string&>()}});
    }
  }
  if (const auto labels = item.find("labels"); labels != item.end() && !labels->is_null()) {
    if (!labels->is_object()) return invalid("labels is not an object");
    LabelsBuilder builder;
    for (const auto& [name, value] : labels->items()) {
      if (!value.is_string()) return invalid(fmt::format("label \"{}\" is not a string", name));
      if (!model::valid_label_name(name, model::NameScheme::kUtf8)) {
        return invalid(fmt::format("\"{}\" is not a valid label name", name));
      }
      builder.set(name, value.get_ref<const std::string&>());
    }
    out.labels = builder.build();
  }
  return {};
}

}  // namespace

Result<std::vector<model::TargetGroup>> read_json_groups(std::string_view text) {
  VARVE_TRY_ASSIGN(const json parsed, parse_json(text, kDepthMax));
  std::vector<model::TargetGroup> groups;
  if (parsed.is_null()) return groups;
  if (!parsed.is_array()) return invalid("target groups are not a list");
  for (const json& item : parsed) {
    if (item.is_null()) {
      return invalid(fmt::format("nil target group item found (index {})", groups.size()));
    }
    model::TargetGroup& group = groups.emplace_back();
    group.source = std::to_string(groups.size() - 1);
    if (Status read = read_group(item, group); !read.ok()) {
      return std::move(read).error().with(fmt::format("target group {}", groups.size() - 1));
    }
  }
  return groups;
}

void mark_groups(std::vector<model::TargetGroup>& groups, std::string_view origin,
                 std::string_view origin_label) {
  std::size_t number = 0;
  for (model::TargetGroup& group : groups) {
    group.source = fmt::format("{}:{}", origin, number++);
    group.labels = LabelsBuilder(group.labels).set(origin_label, origin).build();
  }
}

void add_ended(std::vector<model::TargetGroup>& groups, std::string_view origin, std::size_t from,
               std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    groups.push_back({fmt::format("{}:{}", origin, i), {}, {}});
  }
}

}  // namespace varve::discovery
