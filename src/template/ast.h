// SPDX-License-Identifier: Apache-2.0
// A template as a tree. One kind of node serves all: a template has few kinds, and its printer and
// evaluator are a switch each. Nesting is bounded by the parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace varve::templates {

enum class NodeKind : std::uint8_t {
  // Statements.
  kText,
  kAction,  // {{ pipe }}
  kIf,      // pipe, body, otherwise
  kWith,
  kRange,
  kTemplate,  // text is the name; pipe may be missing
  kBreak,
  kContinue,
  kList,  // items
  // Expressions.
  kPipe,        // declared variables, items are commands
  kCommand,     // items are a function or operand and its arguments
  kIdentifier,  // text is a function's name
  kVariable,    // names: "$x" and the fields after it
  kField,       // names
  kChain,       // items[0] and the fields after it
  kDot,
  kNil,
  kBool,
  kNumber,
  kString,
};

// A constant, under every type that can hold it.
struct Number {
  bool is_integer = false;
  bool is_unsigned = false;
  bool is_float = false;
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;
  double value = 0;
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  NodeKind kind = NodeKind::kText;
  std::size_t position = 0;  // byte offset in the text
  std::string text;
  std::string written;  // constants: as it stands in the template
  std::vector<std::string> names;
  std::vector<NodePtr> items;
  std::vector<NodePtr> declared;  // kPipe: kVariable nodes
  bool assigns = false;           // kPipe: `=`, not `:=`
  bool truth = false;             // kBool
  Number number;                  // kNumber
  NodePtr pipe, body, otherwise;
};

// As Go prints it in errors.
std::string to_string(const Node& node);

// What {{define}} and {{block}} made, by name, and the main template under its own.
using Definitions = std::map<std::string, NodePtr>;

}  // namespace varve::templates
