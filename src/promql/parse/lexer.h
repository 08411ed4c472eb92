// SPDX-License-Identifier: Apache-2.0
// Splits an expression into tokens. What a character means depends on where it stands: inside
// braces keywords are names, inside brackets only durations are known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "promql/ast.h"

namespace varve::promql {

enum class TokenType : std::uint8_t {
  kError,  // message says why; the last token
  kEnd,
  kComma,
  kColon,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kEqual,  // = , a matcher
  kEqualRegex,
  kNotRegex,
  kNumber,
  kDuration,
  kString,
  kIdentifier,
  kMetricIdentifier,  // with a colon in it
  kOperator,          // `op` says which; != in braces too
  kAt,
  kAggregator,  // `aggregate` says which
  kOffset,
  kAnchored,
  kSmoothed,
  kBy,
  kWithout,
  kOn,
  kIgnoring,
  kGroupLeft,
  kGroupRight,
  kFill,
  kFillLeft,
  kFillRight,
  kBool,
  kStart,
  kEndKeyword,
  kStep,
  kRange,
  kMinOf,
  kMaxOf,
};

struct Token {
  TokenType type = TokenType::kEnd;
  BinaryOp op = BinaryOp::kAdd;
  AggregateOp aggregate = AggregateOp::kSum;
  std::uint32_t start = 0;
  std::string_view text;  // a part of the expression
  std::string message;    // kError

  std::uint32_t end() const { return start + static_cast<std::uint32_t>(text.size()); }
  bool is(TokenType wanted) const { return type == wanted; }
  bool is_operator(BinaryOp wanted) const { return type == TokenType::kOperator && op == wanted; }
  // As Prometheus names it in "unexpected …".
  std::string description() const;
};

// The text must outlive the lexer and its tokens. next() after the end, or after an error, repeats
// it.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next();

 private:
  char32_t peek() const;
  char32_t take();
  bool accept(std::string_view any_of);
  bool followed_by_paren() const;

  Token emit(TokenType type);
  Token emit_operator(BinaryOp op);
  Token fail(std::string message);

  Token next_statement();
  Token next_in_braces();
  Token next_in_brackets();
  // The cases next_statement() and next_in_brackets() share; false if c is not one of them.
  bool operator_or_paren(char32_t c, Token& token);
  Token word();
  Token word_in_brackets(const std::string& otherwise);
  Token string(char32_t open);
  Token raw_string();
  bool escape(char32_t open, std::string& error);
  Token number_or_duration();
  bool scan_number();
  bool scan_duration_rest();
  void skip_comment();

  std::string_view text_;
  std::uint32_t start_ = 0;
  std::uint32_t at_ = 0;
  std::uint32_t paren_depth_ = 0;
  bool in_braces_ = false;
  bool in_brackets_ = false;
  bool got_colon_ = false;     // in the open brackets
  bool got_duration_ = false;  // in the open brackets
  bool stopped_ = false;
  Token last_;
};

}  // namespace varve::promql
