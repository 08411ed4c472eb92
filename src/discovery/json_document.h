// SPDX-License-Identifier: Apache-2.0
// Inside discovery/: JSON of others, read without exceptions. What is missing or of another type
// reads as empty, as Go's zero values do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::discovery {

// kInvalidArgument; nesting is bounded.
Result<nlohmann::json> parse_json(std::string_view text, int depth_max);

// A member, or null.
const nlohmann::json& member(const nlohmann::json& object, std::string_view name);
// A member of a member: member(object, "spec", "nodeName").
template <typename... Names>
const nlohmann::json& member(const nlohmann::json& object, std::string_view name, Names... rest) {
  return member(member(object, name), rest...);
}
// Strings as they are, numbers and booleans as text, else "".
std::string text_of(const nlohmann::json& value);

template <typename... Names>
std::string text_at(const nlohmann::json& object, Names... names) {
  return text_of(member(object, names...));
}

}  // namespace varve::discovery
