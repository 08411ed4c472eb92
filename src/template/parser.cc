// SPDX-License-Identifier: Apache-2.0
#include "template/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/try.h"
#include "template/constants.h"
#include "template/functions.h"
#include "template/lexer.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

NodePtr make(NodeKind kind, std::size_t position) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->position = position;
  return node;
}

std::vector<std::string> split_names(std::string_view dotted) {
  std::vector<std::string> names;
  for (std::size_t at = 0;;) {
    const std::size_t dot = dotted.find('.', at);
    names.emplace_back(dotted.substr(at, dot == std::string_view::npos ? dot : dot - at));
    if (dot == std::string_view::npos) return names;
    at = dot + 1;
  }
}

// Nothing but space and definitions: such a template may be defined again.
bool is_empty(const Node& node) {
  if (node.kind == NodeKind::kText) {
    return node.text.find_first_not_of(" \t\r\n\v\f") == std::string::npos;
  }
  return node.kind == NodeKind::kList &&
         std::all_of(node.items.begin(), node.items.end(),
                     [](const NodePtr& item) { return is_empty(*item); });
}

class Parser {
 public:
  Parser(const std::string& name, std::string_view text) : name_(name), lexer_(text) {}

  Result<Definitions> run() {
    NodePtr root = make(NodeKind::kList, peek().position);
    while (peek().kind != TokenKind::kEnd) {
      if (peek().kind == TokenKind::kLeftDelimiter) {
        const Token delimiter = next();
        if (next_word().kind == TokenKind::kDefine) {
          VARVE_TRY(definition());
          continue;
        }
        put_back();
        put_back(delimiter);
      }
      VARVE_TRY_ASSIGN(Item item, text_or_action());
      if (!item.node) return error("unexpected " + item.terminator());
      root->items.push_back(std::move(item.node));
    }
    VARVE_TRY(add(name_, std::move(root)));
    return std::move(definitions_);
  }

 private:
  // A statement, or the end or else that closes a list of them.
  struct Item {
    NodePtr node;
    bool is_else = false;
    std::size_t position = 0;
    std::string terminator() const { return is_else ? "{{else}}" : "{{end}}"; }
  };
  struct List {
    NodePtr node;
    Item end;
  };
  // What a template's own scope holds.
  struct Scope {
    std::vector<std::string> variables{"$"};
    std::size_t range_depth = 0;
    std::size_t action_line = 0;
  };

  // Tokens. The lexer is read ahead by at most three.
  Token next() {
    if (ahead_.empty()) {
      current_ = lexer_.next();
      last_line_ = current_.line;
    } else {
      current_ = std::move(ahead_.back());
      ahead_.pop_back();
    }
    return current_;
  }
  void put_back() { ahead_.push_back(current_); }
  void put_back(Token token) { ahead_.push_back(std::move(token)); }
  Token peek() {
    Token token = next();
    put_back();
    return token;
  }
  Token next_word() {
    Token token = next();
    while (token.kind == TokenKind::kSpace) token = next();
    return token;
  }
  Token peek_word() {
    Token token = next_word();
    put_back();
    return token;
  }

  Error error(std::string_view message) const {
    return {ErrorCode::kInvalidArgument,
            fmt::format("template: {}:{}: {}", name_, last_line_, message)};
  }
  Error unexpected(const Token& token, std::string_view context) const {
    if (token.kind != TokenKind::kError) {
      return error(fmt::format("unexpected {} in {}", describe(token), context));
    }
    std::string where;
    if (scope_.action_line != 0 && scope_.action_line != token.line) {
      where =
          fmt::format("{} started at {}:{}", token.text.ends_with(" action") ? "" : " in action",
                      name_, scope_.action_line);
    }
    return error(token.text + where);
  }

  // Depth of blocks and parentheses, which is what the recursion here and in the evaluator costs.
  struct Nested {
    explicit Nested(std::size_t& depth) : depth_(depth) { ++depth_; }
    ~Nested() { --depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    std::size_t& depth_;
  };
  Status check_depth() const {
    if (depth_ <= kNestingMax) return {};
    return Error(ErrorCode::kLimitExceeded, error("max expression depth exceeded").message());
  }

  Status add(const std::string& name, NodePtr root) {
    NodePtr& slot = definitions_[name];
    if (!slot || is_empty(*slot)) {
      slot = std::move(root);
    } else if (!is_empty(*root)) {
      return error("template: multiple definition of template " + quote(name));
    }
    return {};
  }

  // {{define "name"}} … {{end}}; the keyword has been read.
  Status definition() {
    const Scope outer = std::exchange(scope_, Scope());
    const Token name = next_word();
    if (name.kind != TokenKind::kString && name.kind != TokenKind::kRawString) {
      return unexpected(name, "define clause");
    }
    VARVE_TRY_ASSIGN(const std::string text, name_of(name, "define clause"));
    if (const Token close = next_word(); close.kind != TokenKind::kRightDelimiter) {
      return unexpected(close, "define clause");
    }
    VARVE_TRY_ASSIGN(List list, item_list());
    if (list.end.is_else) return error("unexpected {{else}} in define clause");
    VARVE_TRY(add(text, std::move(list.node)));
    scope_ = outer;
    return {};
  }

  Result<List> item_list() {
    const Nested nested(depth_);
    VARVE_TRY(check_depth());
    List out{make(NodeKind::kList, peek_word().position), {}};
    while (peek_word().kind != TokenKind::kEnd) {
      VARVE_TRY_ASSIGN(Item item, text_or_action());
      if (!item.node) {
        out.end = std::move(item);
        return out;
      }
      out.node->items.push_back(std::move(item.node));
    }
    return error("unexpected EOF");
  }

  Result<Item> text_or_action() {
    Token token = next_word();
    if (token.kind == TokenKind::kText) {
      Item item{make(NodeKind::kText, token.position)};
      item.node->text = std::move(token.text);
      return item;
    }
    if (token.kind != TokenKind::kLeftDelimiter) return unexpected(token, "input");
    scope_.action_line = token.line;
    Result<Item> item = action();
    scope_.action_line = 0;
    return item;
  }

  Result<Item> action() {
    const Token token = next_word();
    const auto item = [](NodePtr node) { return Item{std::move(node)}; };
    switch (token.kind) {
      case TokenKind::kBlock: {
        VARVE_TRY_ASSIGN(NodePtr node, block());
        return item(std::move(node));
      }
      case TokenKind::kBreak:
      case TokenKind::kContinue:
        return leave_range(token);
      case TokenKind::kElse: {
        const Token word = peek_word();
        // {{else if}} and {{else with}}: the word is left for the block that this else belongs to.
        if (word.kind == TokenKind::kIf || word.kind == TokenKind::kWith) {
          return Item{nullptr, true, word.position};
        }
        const Token close = next_word();
        if (close.kind != TokenKind::kRightDelimiter) return unexpected(close, "else");
        return Item{nullptr, true, close.position};
      }
      case TokenKind::kEndKeyword: {
        const Token close = next_word();
        if (close.kind != TokenKind::kRightDelimiter) return unexpected(close, "end");
        return Item{nullptr, false, close.position};
      }
      case TokenKind::kIf:
      case TokenKind::kRange:
      case TokenKind::kWith: {
        VARVE_TRY_ASSIGN(NodePtr node, control(token.kind));
        return item(std::move(node));
      }
      case TokenKind::kTemplate: {
        VARVE_TRY_ASSIGN(NodePtr node, invocation());
        return item(std::move(node));
      }
      default:
        break;
    }
    put_back();
    NodePtr node = make(NodeKind::kAction, peek().position);
    VARVE_TRY_ASSIGN(node->pipe, pipeline("command", TokenKind::kRightDelimiter));
    return item(std::move(node));
  }

  Result<Item> leave_range(const Token& word) {
    const std::string written = "{{" + word.text + "}}";
    const Token close = next_word();
    if (close.kind != TokenKind::kRightDelimiter) return unexpected(close, written);
    if (scope_.range_depth == 0) return error(written + " outside {{range}}");
    const bool breaks = word.kind == TokenKind::kBreak;
    return Item{make(breaks ? NodeKind::kBreak : NodeKind::kContinue, word.position)};
  }

  Result<NodePtr> control(TokenKind keyword) {
    const Nested nested(depth_);
    VARVE_TRY(check_depth());
    const bool ranges = keyword == TokenKind::kRange;
    const std::string_view context = ranges ? "range" : keyword == TokenKind::kIf ? "if" : "with";
    const std::size_t outer_variables = scope_.variables.size();
    VARVE_TRY_ASSIGN(NodePtr pipe, pipeline(context, TokenKind::kRightDelimiter));
    NodePtr node = make(ranges                      ? NodeKind::kRange
                        : keyword == TokenKind::kIf ? NodeKind::kIf
                                                    : NodeKind::kWith,
                        pipe->position);
    node->pipe = std::move(pipe);
    if (ranges) ++scope_.range_depth;
    VARVE_TRY_ASSIGN(List list, item_list());
    if (ranges) --scope_.range_depth;
    node->body = std::move(list.node);
    if (list.end.is_else) {
      if (!ranges && peek().kind == keyword) {
        next();
        // The chained block reads the end for both.
        VARVE_TRY_ASSIGN(NodePtr chained, control(keyword));
        node->otherwise = make(NodeKind::kList, list.end.position);
        node->otherwise->items.push_back(std::move(chained));
      } else {
        VARVE_TRY_ASSIGN(List otherwise, item_list());
        if (otherwise.end.is_else) return error("expected end; found {{else}}");
        node->otherwise = std::move(otherwise.node);
      }
    }
    scope_.variables.resize(outer_variables);
    return node;
  }

  Result<std::string> name_of(const Token& token, std::string_view context) {
    if (token.kind != TokenKind::kString && token.kind != TokenKind::kRawString) {
      return unexpected(token, context);
    }
    auto text = unquote(token.text);
    if (!text.ok()) return error(text.error().message());
    return text;
  }

  // {{block "name" pipeline}} … {{end}} defines and invokes.
  Result<NodePtr> block() {
    const Token token = next_word();
    VARVE_TRY_ASSIGN(std::string name, name_of(token, "block clause"));
    NodePtr node = make(NodeKind::kTemplate, token.position);
    VARVE_TRY_ASSIGN(node->pipe, pipeline("block clause", TokenKind::kRightDelimiter));
    Scope outer = std::exchange(scope_, Scope());
    VARVE_TRY_ASSIGN(List list, item_list());
    if (list.end.is_else) return error("unexpected {{else}} in block clause");
    VARVE_TRY(add(name, std::move(list.node)));
    scope_ = std::move(outer);
    node->text = std::move(name);
    return node;
  }

  Result<NodePtr> invocation() {
    const Token token = next_word();
    NodePtr node = make(NodeKind::kTemplate, token.position);
    VARVE_TRY_ASSIGN(node->text, name_of(token, "template clause"));
    if (next_word().kind == TokenKind::kRightDelimiter) return node;
    put_back();
    VARVE_TRY_ASSIGN(node->pipe, pipeline("template clause", TokenKind::kRightDelimiter));
    return node;
  }

  Result<NodePtr> pipeline(std::string_view context, TokenKind end) {
    NodePtr pipe = make(NodeKind::kPipe, peek_word().position);
    VARVE_TRY(declarations(*pipe, context));
    for (;;) {
      const Token token = next_word();
      if (token.kind == end) break;
      switch (token.kind) {
        case TokenKind::kBool:
        case TokenKind::kCharConstant:
        case TokenKind::kDot:
        case TokenKind::kField:
        case TokenKind::kIdentifier:
        case TokenKind::kNumber:
        case TokenKind::kNil:
        case TokenKind::kRawString:
        case TokenKind::kString:
        case TokenKind::kVariable:
        case TokenKind::kLeftParen:
          break;
        default:
          return unexpected(token, context);
      }
      put_back();
      VARVE_TRY_ASSIGN(NodePtr parsed, command());
      pipe->items.push_back(std::move(parsed));
    }
    if (pipe->items.empty()) return error(fmt::format("missing value for {}", context));
    for (std::size_t i = 1; i < pipe->items.size(); ++i) {
      switch (pipe->items[i]->items[0]->kind) {
        case NodeKind::kBool:
        case NodeKind::kDot:
        case NodeKind::kNil:
        case NodeKind::kNumber:
        case NodeKind::kString:
          return error(fmt::format("non executable command in pipeline stage {}", i + 1));
        default:
          break;
      }
    }
    return pipe;
  }

  // "$x :=", "$x =", and in a range "$i, $x :=".
  Status declarations(Node& pipe, std::string_view context) {
    for (;;) {
      const Token variable = peek_word();
      if (variable.kind != TokenKind::kVariable) return {};
      next();
      const Token right_after = peek();
      const Token sign = peek_word();
      if (sign.kind == TokenKind::kAssign || sign.kind == TokenKind::kDeclare) {
        next_word();
        pipe.assigns = sign.kind == TokenKind::kAssign;
        declare(pipe, variable);
        return {};
      }
      if (sign.kind == TokenKind::kChar && sign.text == ",") {
        next_word();
        declare(pipe, variable);
        if (context != "range" || pipe.declared.size() >= 2) {
          return error(fmt::format("too many declarations in {}", context));
        }
        const TokenKind after = peek_word().kind;
        if (after == TokenKind::kVariable || after == TokenKind::kRightDelimiter ||
            after == TokenKind::kRightParen) {
          continue;
        }
        return error("range can only initialize variables");
      }
      // An operand after all: peeking has left the word after it; the space and it go before that.
      if (right_after.kind == TokenKind::kSpace) put_back(right_after);
      put_back(variable);
      return {};
    }
  }

  void declare(Node& pipe, const Token& variable) {
    NodePtr node = make(NodeKind::kVariable, variable.position);
    node->names = split_names(variable.text);
    pipe.declared.push_back(std::move(node));
    scope_.variables.push_back(variable.text);
  }

  Result<NodePtr> command() {
    NodePtr out = make(NodeKind::kCommand, peek_word().position);
    for (;;) {
      peek_word();  // skips spaces
      VARVE_TRY_ASSIGN(NodePtr parsed, operand());
      if (parsed) out->items.push_back(std::move(parsed));
      const Token token = next();
      if (token.kind == TokenKind::kSpace) continue;
      if (token.kind == TokenKind::kRightDelimiter || token.kind == TokenKind::kRightParen) {
        put_back();
      } else if (token.kind != TokenKind::kPipe) {
        return unexpected(token, "operand");
      }
      break;
    }
    if (out->items.empty()) return error("empty command");
    return out;
  }

  // A term and the fields after it; null if no term follows.
  Result<NodePtr> operand() {
    VARVE_TRY_ASSIGN(NodePtr node, term());
    if (!node || peek().kind != TokenKind::kField) return node;
    const std::size_t position = peek().position;
    std::vector<std::string> fields;
    while (peek().kind == TokenKind::kField) fields.push_back(next().text.substr(1));
    switch (node->kind) {
      case NodeKind::kField:
      case NodeKind::kVariable:
        node->position = position;
        node->names.insert(node->names.end(), fields.begin(), fields.end());
        return node;
      case NodeKind::kBool:
      case NodeKind::kString:
      case NodeKind::kNumber:
      case NodeKind::kNil:
      case NodeKind::kDot:
        return error("unexpected . after term " + quote(to_string(*node)));
      default:
        break;
    }
    NodePtr chain = make(NodeKind::kChain, position);
    chain->items.push_back(std::move(node));
    chain->names = std::move(fields);
    return chain;
  }

  Result<NodePtr> term() {
    const Token token = next_word();
    switch (token.kind) {
      case TokenKind::kIdentifier: {
        if (find_function(token.text) == nullptr) {
          return error(fmt::format("function {} not defined", quote(token.text)));
        }
        NodePtr node = make(NodeKind::kIdentifier, token.position);
        node->text = token.text;
        return node;
      }
      case TokenKind::kDot:
        return make(NodeKind::kDot, token.position);
      case TokenKind::kNil:
        return make(NodeKind::kNil, token.position);
      case TokenKind::kVariable: {
        NodePtr node = make(NodeKind::kVariable, token.position);
        node->names = split_names(token.text);
        const auto& known = scope_.variables;
        if (std::find(known.begin(), known.end(), node->names[0]) == known.end()) {
          return error("undefined variable " + quote(node->names[0]));
        }
        return node;
      }
      case TokenKind::kField: {
        NodePtr node = make(NodeKind::kField, token.position);
        node->names = split_names(std::string_view(token.text).substr(1));
        return node;
      }
      case TokenKind::kBool: {
        NodePtr node = make(NodeKind::kBool, token.position);
        node->truth = token.text == "true";
        return node;
      }
      case TokenKind::kCharConstant:
      case TokenKind::kNumber: {
        NodePtr node = make(NodeKind::kNumber, token.position);
        auto number = parse_number(token.text);
        if (!number.ok()) return error(number.error().message());
        node->number = *number;
        node->written = token.text;
        return node;
      }
      case TokenKind::kLeftParen: {
        const Nested nested(depth_);
        VARVE_TRY(check_depth());
        return pipeline("parenthesized pipeline", TokenKind::kRightParen);
      }
      case TokenKind::kString:
      case TokenKind::kRawString: {
        NodePtr node = make(NodeKind::kString, token.position);
        VARVE_TRY_ASSIGN(node->text, name_of(token, ""));
        node->written = token.text;
        return node;
      }
      default:
        break;
    }
    put_back();
    return NodePtr();
  }

  const std::string& name_;
  Lexer lexer_;
  Token current_;
  std::size_t last_line_ = 1;  // of the newest token read, which is where errors are reported
  std::vector<Token> ahead_;
  Scope scope_;
  std::size_t depth_ = 0;
  Definitions definitions_;
};

}  // namespace

Result<Definitions> parse_definitions(const std::string& name, std::string_view text) {
  return Parser(name, text).run();
}

}  // namespace varve::templates
