// SPDX-License-Identifier: Apache-2.0
#include "discovery/json_document.h"

namespace varve::discovery {

using nlohmann::json;

Result<json> parse_json(std::string_view text, int depth_max) {
  bool too_deep = false;
  const auto watch = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > depth_max;
    return !too_deep;
  };
  try {
    json parsed = json::parse(text, watch);
    if (too_deep) return Error(ErrorCode::kInvalidArgument, "the JSON nests too deeply");
    return parsed;
  } catch (const json::exception& error) {
    return Error(ErrorCode::kInvalidArgument, error.what());
  }
}

const json& member(const json& object, std::string_view name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string text_of(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  return {};
}

}  // namespace varve::discovery
