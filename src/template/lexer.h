// SPDX-License-Identifier: Apache-2.0
// Template text to tokens: text between actions, and what stands inside {{ and }}. Trim markers and
// comments end here; the parser never sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve::templates {

enum class TokenKind : std::uint8_t {
  kError,  // text is the message
  kEnd,
  kText,
  kLeftDelimiter,
  kRightDelimiter,
  kSpace,
  kBool,
  kChar,  // a printable ASCII character without a meaning of its own, such as ','
  kCharConstant,
  kNumber,
  kString,
  kRawString,
  kAssign,
  kDeclare,
  kPipe,
  kLeftParen,
  kRightParen,
  kField,     // ".name"
  kVariable,  // "$name"
  kIdentifier,
  // Keywords.
  kDot,
  kNil,
  kBlock,
  kBreak,
  kContinue,
  kDefine,
  kElse,
  kEndKeyword,
  kIf,
  kRange,
  kTemplate,
  kWith,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::size_t position = 0;
  std::size_t line = 1;  // where it begins
  std::string text;
};

// As Go names a token in "unexpected …".
std::string describe(const Token& token);

// The text must outlive the lexer. After an error there is nothing to read.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next();

 private:
  Token text_token();
  Token action_token();
  Token left_delimiter();
  Token right_delimiter();
  Token space();
  Token word();
  Token field_or_variable(TokenKind kind);
  Token number();
  Token quoted(char end, TokenKind kind, std::string_view name);
  // The token from start_ to at_; the next one begins there.
  Token token(TokenKind kind);
  Token error(std::string message) const;
  // Whether an identifier may end here.
  bool at_terminator() const;
  bool accept(std::string_view any_of);
  void accept_run(std::string_view any_of);
  bool scan_number();
  bool at_trimming_right_delimiter(std::size_t at) const;
  std::string_view rest(std::size_t at) const;
  std::size_t line_at(std::size_t position);

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
  bool inside_action_ = false;
  int open_parens_ = 0;
  std::size_t counted_to_ = 0;  // newlines before this are in line_
  std::size_t line_ = 1;
};

}  // namespace varve::templates
