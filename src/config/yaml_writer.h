// SPDX-License-Identifier: Apache-2.0
// Writes YAML as Go's yaml.v2 prints it, which is what users of /api/v1/status/config know: two
// blanks a level, list items at the indentation of their key.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/yaml_tree.h"

namespace varve::config {

// A scalar with quotes where the plain form would read back as something else.
std::string yaml_scalar(std::string_view text);

// Appends lines. `key` opens a map entry; what follows belongs to it.
class YamlWriter {
 public:
  // `key: value`, the value quoted as needed.
  void entry(std::string_view key, std::string_view value);
  // The same for a value that must stay plain: numbers, true and false.
  void plain_entry(std::string_view key, std::string_view value);
  // `key:` and a list of scalars.
  void list(std::string_view key, std::span<const std::string> values);
  // `key: [a, b]`.
  void flow_list(std::string_view key, std::span<const std::string> values);

  // `key:` with a map below it until close().
  void open(std::string_view key);
  // `key:` with a list below it until close(); each item begins with item().
  void open_list(std::string_view key);
  // Starts the next item of the open list; its entries follow. End it with close().
  void item();
  void close();

  // A scalar item, or a whole tree as the value of a key or as an item. With `mask`, the values of
  // secret keys are written as <secret>.
  void scalar_item(std::string_view value);
  void tree(std::string_view key, const Node& node, bool mask);
  void tree_item(const Node& node, bool mask);

  std::string take() { return std::move(out_); }

 private:
  void begin_line(std::string_view key);
  void contents(const Node& node, bool mask, bool secret);

  std::string out_;
  std::vector<std::size_t> indents_{0};
  bool dash_ = false;  // the next line begins with "- "
};

}  // namespace varve::config
