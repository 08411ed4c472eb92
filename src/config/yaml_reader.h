// SPDX-License-Identifier: Apache-2.0
// The strict layer between a YAML tree and the options structs: a map is read against a table of
// its fields, and whatever is not in the table is an error with a suggestion.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "config/yaml_tree.h"
#include "varve/labels.h"

namespace varve::config {

// What a file's readers share.
struct Source {
  std::string name;       // for messages
  std::string directory;  // relative paths are joined with it; "": they stay as they are

  Error error(Place place, std::string_view message) const {
    return error_at(name, place, message);
  }
  // Attaches a place to an error of another room.
  Error error(Place place, const Error& cause) const {
    return error_at(name, place, cause.message(), cause.code());
  }
  std::string joined(const std::string& path) const;
};

using ReadValue = std::function<Status(const Source&, const Node&)>;

struct Field {
  std::string_view name;
  ReadValue read;
};

// Reads each entry of a map by the field of its name; a null node is an empty map. `what` names the
// map in messages. `unknown`, if given, may take an unknown entry: it answers nullopt if it will
// not.
using ReadUnknown = std::function<std::optional<Status>(const Node::Entry&)>;
Status read_map(const Source& source, const Node& node, std::string_view what,
                std::span<const Field> fields, const ReadUnknown& unknown = {});
Status read_map(const Source& source, const Node& node, std::string_view what,
                std::initializer_list<Field> fields, const ReadUnknown& unknown = {});

// Calls `read` for each item of a list; a null node is an empty list.
Status read_list(const Source& source, const Node& node, const ReadValue& read);

// Readers of values. A null leaves `out` as it is.
ReadValue text(std::string& out);
ReadValue path(std::string& out);
ReadValue boolean(bool& out);
ReadValue number(double& out);
ReadValue count(std::uint64_t& out);
ReadValue integer(std::optional<std::int64_t>& out);
ReadValue duration(std::chrono::milliseconds& out);
ReadValue duration(std::optional<std::chrono::milliseconds>& out);
ReadValue bytes(std::uint64_t& out);
ReadValue texts(std::vector<std::string>& out);
ReadValue paths(std::vector<std::string>& out);
ReadValue text_map(std::map<std::string, std::string>& out);
ReadValue text_list_map(std::map<std::string, std::vector<std::string>>& out);
// Checks names and values as label names (UTF-8) and values.
ReadValue labels(Labels& out);
// A scalar, whatever it says; for keys that are only checked to exist.
ReadValue any_scalar();

// "512MB", "1GiB", "10B"; powers of 1024 throughout. The text of the error is Prometheus's.
Result<std::uint64_t> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t size_bytes);

// The name in `known` that `name` most likely means, or "" if none is near.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known);

}  // namespace varve::config
