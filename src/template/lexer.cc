// SPDX-License-Identifier: Apache-2.0
#include "template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "template/unicode.h"

namespace varve::templates {
namespace {

constexpr std::string_view kOpen = "{{";
constexpr std::string_view kClose = "}}";
constexpr std::string_view kSpaces = " \t\r\n";

constexpr std::pair<std::string_view, TokenKind> kKeywords[] = {{"block", TokenKind::kBlock},
                                                                {"break", TokenKind::kBreak},
                                                                {"continue", TokenKind::kContinue},
                                                                {"define", TokenKind::kDefine},
                                                                {"else", TokenKind::kElse},
                                                                {"end", TokenKind::kEndKeyword},
                                                                {"if", TokenKind::kIf},
                                                                {"nil", TokenKind::kNil},
                                                                {"range", TokenKind::kRange},
                                                                {"template", TokenKind::kTemplate},
                                                                {"with", TokenKind::kWith},
                                                                {"true", TokenKind::kBool},
                                                                {"false", TokenKind::kBool}};

bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }
bool is_word(char32_t rune) { return rune == '_' || is_letter(rune) || is_digit(rune); }

// "- " right after {{.
bool trims_left(std::string_view after) {
  return after.size() >= 2 && after[0] == '-' && is_space(after[1]);
}

}  // namespace

std::string describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "EOF";
  if (token.kind == TokenKind::kError) return token.text;
  if (token.kind >= TokenKind::kDot) return fmt::format("<{}>", token.text);
  if (token.text.size() > 10) {
    return quote(std::string_view(token.text).substr(0, prefix_bytes(token.text, 10))) + "...";
  }
  return quote(token.text);
}

std::string_view Lexer::rest(std::size_t at) const {
  return at < text_.size() ? text_.substr(at) : std::string_view();
}

std::size_t Lexer::line_at(std::size_t position) {
  line_ += static_cast<std::size_t>(
      std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_to_),
                 text_.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
  counted_to_ = position;
  return line_;
}

Token Lexer::token(TokenKind kind) {
  Token out{kind, start_, line_at(start_), std::string(text_.substr(start_, at_ - start_))};
  start_ = at_;
  return out;
}

Token Lexer::error(std::string message) const {
  Token out{TokenKind::kError, start_, line_, std::move(message)};
  out.line += static_cast<std::size_t>(
      std::count(text_.begin() + static_cast<std::ptrdiff_t>(counted_to_),
                 text_.begin() + static_cast<std::ptrdiff_t>(start_), '\n'));
  return out;
}

Token Lexer::next() { return inside_action_ ? action_token() : text_token(); }

Token Lexer::text_token() {
  for (;;) {
    const std::size_t open = text_.find(kOpen, at_);
    if (open == std::string_view::npos) {
      at_ = text_.size();
      return token(at_ > start_ ? TokenKind::kText : TokenKind::kEnd);
    }
    std::size_t end = open;
    if (trims_left(rest(open + kOpen.size()))) {
      while (end > start_ && is_space(text_[end - 1])) --end;
    }
    if (end > start_) {
      at_ = end;
      Token text = token(TokenKind::kText);
      at_ = start_ = open;
      return text;
    }
    at_ = start_ = open;
    const std::size_t marker = trims_left(rest(open + kOpen.size())) ? 2 : 0;
    const std::size_t inside = open + kOpen.size() + marker;
    if (!rest(inside).starts_with("/*")) return left_delimiter();
    start_ = inside;
    const std::size_t end_of_comment = text_.find("*/", inside + 2);
    if (end_of_comment == std::string_view::npos) return error("unclosed comment");
    at_ = end_of_comment + 2;
    const bool trims = at_trimming_right_delimiter(at_);
    if (!trims && !rest(at_).starts_with(kClose)) {
      return error("comment ends before closing delimiter");
    }
    at_ += kClose.size() + (trims ? 2 : 0);
    while (trims && at_ < text_.size() && is_space(text_[at_])) ++at_;
    start_ = at_;
  }
}

Token Lexer::left_delimiter() {
  at_ += kOpen.size();
  Token out = token(TokenKind::kLeftDelimiter);
  if (trims_left(rest(at_))) at_ += 2;
  start_ = at_;
  inside_action_ = true;
  open_parens_ = 0;
  return out;
}

// " -}}"
bool Lexer::at_trimming_right_delimiter(std::size_t at) const {
  const std::string_view text = rest(at);
  return text.size() >= 2 && is_space(text[0]) && text[1] == '-' &&
         text.substr(2).starts_with(kClose);
}

Token Lexer::right_delimiter() {
  const bool trims = at_trimming_right_delimiter(at_);
  if (trims) at_ += 2;
  start_ = at_;
  at_ += kClose.size();
  Token out = token(TokenKind::kRightDelimiter);
  while (trims && at_ < text_.size() && is_space(text_[at_])) ++at_;
  start_ = at_;
  inside_action_ = false;
  return out;
}

Token Lexer::action_token() {
  if (at_trimming_right_delimiter(at_) || rest(at_).starts_with(kClose)) {
    if (open_parens_ > 0) return error("unclosed left paren");
    return right_delimiter();
  }
  const Rune rune = decode_rune(text_, at_);
  if (rune.width == 0) return error("unclosed action");
  if (rune.value < 0x80 && is_space(static_cast<char>(rune.value))) return space();
  if (is_word(rune.value) && !(rune.value >= '0' && rune.value <= '9')) return word();
  at_ += rune.width;
  switch (rune.value) {
    case '=':
      return token(TokenKind::kAssign);
    case ':':
      if (!rest(at_).starts_with('=')) return error("expected :=");
      ++at_;
      return token(TokenKind::kDeclare);
    case '|':
      return token(TokenKind::kPipe);
    case '"':
      return quoted('"', TokenKind::kString, "quoted string");
    case '\'':
      return quoted('\'', TokenKind::kCharConstant, "character constant");
    case '`': {
      const std::size_t end = text_.find('`', at_);
      if (end == std::string_view::npos) return error("unterminated raw quoted string");
      at_ = end + 1;
      return token(TokenKind::kRawString);
    }
    case '$':
      return field_or_variable(TokenKind::kVariable);
    case '(':
      ++open_parens_;
      return token(TokenKind::kLeftParen);
    case ')':
      if (--open_parens_ < 0) return error("unexpected right paren");
      return token(TokenKind::kRightParen);
    default:
      break;
  }
  const std::string_view after = rest(at_);
  const bool digit_follows = !after.empty() && after[0] >= '0' && after[0] <= '9';
  if (rune.value == '.' && !after.empty() && !digit_follows) {
    return field_or_variable(TokenKind::kField);
  }
  if (rune.value == '.' || rune.value == '+' || rune.value == '-' ||
      (rune.value >= '0' && rune.value <= '9')) {
    at_ -= rune.width;
    return number();
  }
  if (rune.value > ' ' && rune.value < 0x7f) return token(TokenKind::kChar);
  return error("unrecognized character in action: " + unicode_name(rune.value, true));
}

Token Lexer::space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  // The last space may belong to " -}}".
  if (at_trimming_right_delimiter(at_ - 1)) {
    --at_;
    if (at_ == start_) return right_delimiter();
  }
  return token(TokenKind::kSpace);
}

bool Lexer::at_terminator() const {
  if (at_ >= text_.size()) return true;
  const char c = text_[at_];
  return is_space(c) || std::string_view(".,|:()").find(c) != std::string_view::npos ||
         rest(at_).starts_with(kClose);
}

Token Lexer::word() {
  Rune rune = decode_rune(text_, at_);
  while (rune.width > 0 && is_word(rune.value)) {
    at_ += rune.width;
    rune = decode_rune(text_, at_);
  }
  if (!at_terminator()) return error("bad character " + unicode_name(rune.value, true));
  const std::string_view word = text_.substr(start_, at_ - start_);
  for (const auto& [name, kind] : kKeywords) {
    if (name == word) return token(kind);
  }
  return token(TokenKind::kIdentifier);
}

Token Lexer::field_or_variable(TokenKind kind) {
  if (at_terminator()) return token(kind == TokenKind::kField ? TokenKind::kDot : kind);
  Rune rune = decode_rune(text_, at_);
  while (rune.width > 0 && is_word(rune.value)) {
    at_ += rune.width;
    rune = decode_rune(text_, at_);
  }
  if (!at_terminator()) return error("bad character " + unicode_name(rune.value, true));
  return token(kind);
}

bool Lexer::accept(std::string_view any_of) {
  if (at_ >= text_.size() || any_of.find(text_[at_]) == std::string_view::npos) return false;
  ++at_;
  return true;
}

void Lexer::accept_run(std::string_view any_of) {
  while (accept(any_of)) {
  }
}

// What looks like a number; whether it is one the parser finds out.
bool Lexer::scan_number() {
  accept("+-");
  std::string_view digits = "0123456789_";
  bool decimal = true, hexadecimal = false;
  if (accept("0")) {
    decimal = false;
    if (accept("xX")) {
      digits = "0123456789abcdefABCDEF_";
      hexadecimal = true;
    } else if (accept("oO")) {
      digits = "01234567_";
    } else if (accept("bB")) {
      digits = "01_";
    } else {
      decimal = true;
    }
  }
  accept_run(digits);
  if (accept(".")) accept_run(digits);
  if ((decimal && accept("eE")) || (hexadecimal && accept("pP"))) {
    accept("+-");
    accept_run("0123456789_");
  }
  accept("i");
  const Rune next = decode_rune(text_, at_);
  if (next.width > 0 && is_word(next.value)) {
    at_ += next.width;
    return false;
  }
  return true;
}

Token Lexer::number() {
  bool good = scan_number();
  // 1+2i: a complex number; no function takes them, so the parser refuses them.
  if (good && at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
    good = scan_number() && text_[at_ - 1] == 'i';
  }
  if (!good) return error("bad number syntax: " + quote(text_.substr(start_, at_ - start_)));
  return token(TokenKind::kNumber);
}

Token Lexer::quoted(char end, TokenKind kind, std::string_view name) {
  for (;;) {
    if (at_ >= text_.size() || text_[at_] == '\n') break;
    const char c = text_[at_++];
    if (c == end) return token(kind);
    if (c != '\\') continue;
    if (at_ >= text_.size() || text_[at_] == '\n') break;
    ++at_;
  }
  return error(fmt::format("unterminated {}", name));
}

}  // namespace varve::templates
