// SPDX-License-Identifier: Apache-2.0
#include "template/ast.h"

#include "template/unicode.h"

namespace varve::templates {
namespace {

void write(const Node& node, std::string& out);

// A pipeline inside an expression stands in parentheses.
void write_operand(const Node& node, std::string& out) {
  const bool bracketed = node.kind == NodeKind::kPipe;
  if (bracketed) out += '(';
  write(node, out);
  if (bracketed) out += ')';
}

void write_pipe(const Node& pipe, std::string& out) {
  for (std::size_t i = 0; i < pipe.declared.size(); ++i) {
    if (i > 0) out += ", ";
    write(*pipe.declared[i], out);
  }
  if (!pipe.declared.empty()) out += pipe.assigns ? " = " : " := ";
  for (std::size_t i = 0; i < pipe.items.size(); ++i) {
    if (i > 0) out += " | ";
    write(*pipe.items[i], out);
  }
}

void write_control(const Node& node, std::string_view keyword, std::string& out) {
  out.append("{{").append(keyword).append(" ");
  write(*node.pipe, out);
  out += "}}";
  write(*node.body, out);
  if (node.otherwise) {
    out += "{{else}}";
    write(*node.otherwise, out);
  }
  out += "{{end}}";
}

void write(const Node& node, std::string& out) {
  switch (node.kind) {
    case NodeKind::kText:
    case NodeKind::kIdentifier:
      out += node.text;
      break;
    case NodeKind::kAction:
      out += "{{";
      write(*node.pipe, out);
      out += "}}";
      break;
    case NodeKind::kIf:
      write_control(node, "if", out);
      break;
    case NodeKind::kWith:
      write_control(node, "with", out);
      break;
    case NodeKind::kRange:
      write_control(node, "range", out);
      break;
    case NodeKind::kTemplate:
      out += "{{template " + quote(node.text);
      if (node.pipe) {
        out += ' ';
        write(*node.pipe, out);
      }
      out += "}}";
      break;
    case NodeKind::kBreak:
      out += "{{break}}";
      break;
    case NodeKind::kContinue:
      out += "{{continue}}";
      break;
    case NodeKind::kList:
      for (const NodePtr& item : node.items) write(*item, out);
      break;
    case NodeKind::kPipe:
      write_pipe(node, out);
      break;
    case NodeKind::kCommand:
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ' ';
        write_operand(*node.items[i], out);
      }
      break;
    case NodeKind::kVariable:
      for (std::size_t i = 0; i < node.names.size(); ++i) {
        if (i > 0) out += '.';
        out += node.names[i];
      }
      break;
    case NodeKind::kChain:
      write_operand(*node.items[0], out);
      [[fallthrough]];
    case NodeKind::kField:
      for (const std::string& name : node.names) out.append(".").append(name);
      break;
    case NodeKind::kDot:
      out += '.';
      break;
    case NodeKind::kNil:
      out += "nil";
      break;
    case NodeKind::kBool:
      out += node.truth ? "true" : "false";
      break;
    case NodeKind::kNumber:
    case NodeKind::kString:
      out += node.written;
      break;
  }
}

}  // namespace

std::string to_string(const Node& node) {
  std::string out;
  write(node, out);
  return out;
}

}  // namespace varve::templates
