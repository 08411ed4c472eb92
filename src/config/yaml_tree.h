// SPDX-License-Identifier: Apache-2.0
// A YAML document as a tree that remembers where everything stands. Aliases share the node they
// stand for but count in full against the bounds, so that reading the tree is bounded too.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "varve/result.h"

namespace varve::config {

// Both from 1; 0: unknown.
struct Place {
  int line = 0;
  int column = 0;
};

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };
  struct Entry {
    std::string key;
    Place place;  // of the key
    const Node* value = nullptr;
  };

  Kind kind = Kind::kNull;
  bool plain = false;  // a scalar without quotes, so that `true` and `1` are not strings
  Place place;
  std::string text;               // kScalar
  std::vector<const Node*> items;  // kSequence
  std::vector<Entry> entries;      // kMap, in the order written; merge keys are resolved

  // The entry's value, or nullptr.
  const Node* find(std::string_view key) const;
};

// Immutable; owns its nodes.
class Tree {
 public:
  // The first document of `text`; a null node if there is none. The message of an error begins
  // with `name:line:column:`. kInvalidArgument for bad syntax, duplicate keys, more than one
  // document; kLimitExceeded for what passes the bounds of config.h.
  static Result<Tree> parse(std::string_view text, std::string_view name);

  const Node& root() const { return *root_; }

 private:
  friend class TreeBuilder;
  std::unique_ptr<std::deque<Node>> nodes_ = std::make_unique<std::deque<Node>>();
  const Node* root_ = nullptr;
};

// "name:line:column: message", without the place where it is unknown.
Error error_at(std::string_view name, Place place, std::string_view message,
               ErrorCode code = ErrorCode::kInvalidArgument);

}  // namespace varve::config
