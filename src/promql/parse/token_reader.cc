// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/token_reader.h"

#include <string>

#include "model/duration.h"
#include "promql/parse/text.h"

namespace varve::promql {

const Token& TokenReader::current() {
  if (!has_current_) {
    current_ = lexer_.next();
    has_current_ = true;
    if (current_.is(TokenType::kError)) fail({current_.start, current_.end()}, current_.message);
  }
  return current_;
}

Token TokenReader::take() {
  Token token = current();
  has_current_ = false;
  last_end_ = token.end();
  return token;
}

bool TokenReader::accept(TokenType type) {
  if (!current().is(type)) return false;
  take();
  return true;
}

void TokenReader::fail(Position position, std::string_view message) {
  if (error_) return;
  error_ = Error(ErrorCode::kInvalidArgument,
                 line_and_column(text_, position.start) + ": parse error: " + std::string(message));
}

std::nullptr_t TokenReader::unexpected(std::string_view context, std::string_view expected) {
  const Token& token = current();
  std::string message = "unexpected " + token.description();
  if (context.empty()) context = context_;
  if (!context.empty()) message += " in " + std::string(context);
  if (!expected.empty()) message += ", expected " + std::string(expected);
  fail({token.start, token.end()}, message);
  return nullptr;
}

std::nullptr_t TokenReader::too_deep(std::uint32_t start, std::size_t level_max) {
  fail({start, start}, "expression nests deeper than " + std::to_string(level_max) + " levels");
  return nullptr;
}

double TokenReader::literal_value(const Token& token) {
  if (token.is(TokenType::kNumber)) {
    const Result<double> value = parse_number(token.text);
    if (value.ok()) return *value;
    fail({token.start, token.end()}, value.error().message());
  } else {
    const Result<std::int64_t> ms = model::parse_duration(token.text);
    if (ms.ok()) return static_cast<double>(*ms) / 1000;
    fail({token.start, token.end()}, ms.error().message());
  }
  return 0;
}

std::optional<double> TokenReader::signed_number() {
  bool negate = false;
  if (current().is_operator(BinaryOp::kAdd) || current().is_operator(BinaryOp::kSubtract)) {
    negate = take().op == BinaryOp::kSubtract;
  }
  if (!current().is(TokenType::kNumber) && !current().is(TokenType::kDuration)) {
    return std::nullopt;
  }
  const double value = literal_value(take());
  return negate ? -value : value;
}

}  // namespace varve::promql
