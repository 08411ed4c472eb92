// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/selector_parser.h"

#include <optional>
#include <utility>

#include "promql/parse/text.h"
#include "varve/labels.h"

namespace varve::promql {
namespace {

bool is_utf8(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const Rune rune = decode_rune(name, at);
    if (rune.value == kReplacementRune && rune.width == 1) return false;
    at += rune.width;
  }
  return true;
}

std::optional<model::MatchType> match_type(const Token& token) {
  if (token.is(TokenType::kEqual)) return model::MatchType::kEqual;
  if (token.is(TokenType::kEqualRegex)) return model::MatchType::kRegex;
  if (token.is(TokenType::kNotRegex)) return model::MatchType::kNotRegex;
  if (token.is_operator(BinaryOp::kNotEqual)) return model::MatchType::kNotEqual;
  return std::nullopt;
}

}  // namespace

bool SelectorParser::is_metric_name(const Token& token) {
  switch (token.type) {
    case TokenType::kOperator:
      return token.op == BinaryOp::kAnd || token.op == BinaryOp::kOr ||
             token.op == BinaryOp::kUnless;
    case TokenType::kIdentifier:
    case TokenType::kMetricIdentifier:
    case TokenType::kAggregator:
    case TokenType::kBy:
    case TokenType::kWithout:
    case TokenType::kOffset:
    case TokenType::kAnchored:
    case TokenType::kSmoothed:
    case TokenType::kStart:
    case TokenType::kEndKeyword:
    case TokenType::kStep:
    case TokenType::kRange:
    case TokenType::kMinOf:
    case TokenType::kMaxOf:
      return true;
    default:
      return false;
  }
}

std::unique_ptr<VectorSelector> SelectorParser::vector_selector(const Token* name) {
  auto node = std::make_unique<VectorSelector>();
  node->position.start = name != nullptr ? name->start : current().start;
  node->position.end = last_end_;
  if (current().is(TokenType::kLeftBrace)) {
    take();
    if (!matchers(node->matchers)) return nullptr;
  }
  if (name != nullptr) {
    node->name = name->text;
    add_matcher(node->matchers, model::MatchType::kEqual, kMetricName, node->name, node->position);
  }
  node->position.end = last_end_;
  return node;
}

bool SelectorParser::matchers(model::Matchers& out) {
  constexpr std::string_view kContext = "label matching";
  while (!current().is(TokenType::kRightBrace)) {
    if (!current().is(TokenType::kIdentifier) && !current().is(TokenType::kString)) {
      unexpected(kContext, "identifier or \"}\"");
      return false;
    }
    const Token name = take();
    const bool quoted = name.is(TokenType::kString);
    const std::string label = quoted ? unquote(name.text) : std::string(name.text);
    if (const auto type = match_type(current())) {
      take();
      if (!current().is(TokenType::kString)) {
        unexpected(kContext, "string");
        return false;
      }
      const Token value = take();
      add_matcher(out, *type, label, unquote(value.text), {name.start, value.end()});
    } else if (quoted) {
      add_matcher(out, model::MatchType::kEqual, kMetricName, label, {name.start, name.end()});
    } else {
      unexpected(kContext, "label matching operator");
      return false;
    }
    if (accept(TokenType::kComma)) continue;
    if (!current().is(TokenType::kRightBrace)) {
      unexpected(kContext, "\",\" or \"}\"");
      return false;
    }
  }
  take();
  return true;
}

void SelectorParser::add_matcher(model::Matchers& out, model::MatchType type, std::string_view name,
                                 std::string_view value, Position position) {
  auto matcher = model::Matcher::create(type, std::string(name), std::string(value));
  if (matcher.ok()) {
    out.push_back(std::move(matcher).value());
  } else {
    fail(position, matcher.error().message());
  }
}

bool SelectorParser::grouping_labels(std::vector<std::string>& labels) {
  constexpr std::string_view kContext = "grouping opts";
  if (!accept(TokenType::kLeftParen)) {
    unexpected(kContext, "\"(\"");
    return false;
  }
  while (!current().is(TokenType::kRightParen)) {
    if (!grouping_label(labels)) {
      unexpected(kContext, "label");
      return false;
    }
    if (accept(TokenType::kComma)) continue;
    if (!current().is(TokenType::kRightParen)) {
      unexpected(kContext, "\",\" or \")\"");
      return false;
    }
  }
  take();
  return true;
}

bool SelectorParser::grouping_label(std::vector<std::string>& labels) {
  const Token& token = current();
  const bool word = (is_metric_name(token) && !token.is(TokenType::kWithout)) ||
                    token.is(TokenType::kBool) || token.is(TokenType::kOn) ||
                    token.is(TokenType::kIgnoring) || token.is(TokenType::kGroupLeft) ||
                    token.is(TokenType::kGroupRight) || token.is(TokenType::kFill) ||
                    token.is(TokenType::kFillLeft) || token.is(TokenType::kFillRight) ||
                    token.is_operator(BinaryOp::kAtan2);
  if (!word && !token.is(TokenType::kString)) return false;
  const Token taken = take();
  std::string name = word ? std::string(taken.text) : unquote(taken.text);
  if (name.empty() || !is_utf8(name)) {
    fail({taken.start, taken.end()}, "invalid label name for grouping: " + quote(name));
  }
  labels.push_back(std::move(name));
  return true;
}

}  // namespace varve::promql
