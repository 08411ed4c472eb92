// SPDX-License-Identifier: Apache-2.0
#include "promql/parse/lexer.h"

#include <array>
#include <string>
#include <utility>

#include "promql/parse/text.h"

namespace varve::promql {
namespace {

struct Keyword {
  std::string_view word;
  TokenType type;
  BinaryOp op = BinaryOp::kAdd;
  AggregateOp aggregate = AggregateOp::kSum;
};

constexpr Keyword aggregator(std::string_view word, AggregateOp op) {
  return {word, TokenType::kAggregator, BinaryOp::kAdd, op};
}
constexpr Keyword operator_word(std::string_view word, BinaryOp op) {
  return {word, TokenType::kOperator, op};
}

// Matched without regard to case.
constexpr std::array kKeywords = {
    operator_word("and", BinaryOp::kAnd),
    operator_word("or", BinaryOp::kOr),
    operator_word("unless", BinaryOp::kUnless),
    operator_word("atan2", BinaryOp::kAtan2),
    aggregator("sum", AggregateOp::kSum),
    aggregator("avg", AggregateOp::kAvg),
    aggregator("count", AggregateOp::kCount),
    aggregator("min", AggregateOp::kMin),
    aggregator("max", AggregateOp::kMax),
    aggregator("group", AggregateOp::kGroup),
    aggregator("stddev", AggregateOp::kStddev),
    aggregator("stdvar", AggregateOp::kStdvar),
    aggregator("topk", AggregateOp::kTopk),
    aggregator("bottomk", AggregateOp::kBottomk),
    aggregator("count_values", AggregateOp::kCountValues),
    aggregator("quantile", AggregateOp::kQuantile),
    aggregator("limitk", AggregateOp::kLimitk),
    aggregator("limit_ratio", AggregateOp::kLimitRatio),
    Keyword{"offset", TokenType::kOffset},
    Keyword{"anchored", TokenType::kAnchored},
    Keyword{"smoothed", TokenType::kSmoothed},
    Keyword{"by", TokenType::kBy},
    Keyword{"without", TokenType::kWithout},
    Keyword{"on", TokenType::kOn},
    Keyword{"ignoring", TokenType::kIgnoring},
    Keyword{"group_left", TokenType::kGroupLeft},
    Keyword{"group_right", TokenType::kGroupRight},
    Keyword{"fill", TokenType::kFill},
    Keyword{"fill_left", TokenType::kFillLeft},
    Keyword{"fill_right", TokenType::kFillRight},
    Keyword{"bool", TokenType::kBool},
    Keyword{"start", TokenType::kStart},
    Keyword{"end", TokenType::kEndKeyword},
    Keyword{"step", TokenType::kStep},
    Keyword{"range", TokenType::kRange},
    Keyword{"min_of", TokenType::kMinOf},
    Keyword{"max_of", TokenType::kMaxOf},
    Keyword{"inf", TokenType::kNumber},
    Keyword{"nan", TokenType::kNumber},
};

const Keyword* find_keyword(std::string_view word) {
  const std::string lower = to_lower(word);
  for (const Keyword& keyword : kKeywords) {
    if (keyword.word == lower) return &keyword;
  }
  return nullptr;
}

bool needs_paren(TokenType type) {
  return type == TokenType::kFill || type == TokenType::kFillLeft || type == TokenType::kFillRight;
}

// "U+0078 'x'", Go's %#U.
std::string unicode_name(char32_t rune) {
  if (rune == kEndOfText) rune = kReplacementRune;
  std::string hex;
  for (char32_t rest = rune; rest != 0 || hex.size() < 4; rest >>= 4) {
    hex.insert(hex.begin(), "0123456789ABCDEF"[rest & 0xf]);
  }
  return "U+" + hex + " " + quote_rune(rune);
}

int hex_digit(char32_t c) {
  if (is_digit(c)) return static_cast<int>(c - '0');
  const char32_t lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? static_cast<int>(lower - 'a') + 10 : 16;
}

}  // namespace

std::string Token::description() const {
  switch (type) {
    case TokenType::kEnd: return "end of input";
    case TokenType::kError: return "error " + message;
    case TokenType::kOperator:
    case TokenType::kEqualRegex:
    case TokenType::kNotRegex:
    case TokenType::kAt: return "<op:" + std::string(text) + ">";
    case TokenType::kAggregator: return "<aggr:" + std::string(text) + ">";
    case TokenType::kOffset:
    case TokenType::kAnchored:
    case TokenType::kSmoothed:
    case TokenType::kBy:
    case TokenType::kWithout:
    case TokenType::kOn:
    case TokenType::kIgnoring:
    case TokenType::kGroupLeft:
    case TokenType::kGroupRight:
    case TokenType::kFill:
    case TokenType::kFillLeft:
    case TokenType::kFillRight:
    case TokenType::kBool: return "<" + std::string(text) + ">";
    case TokenType::kIdentifier: return "identifier " + quote_prefix(text, text.size());
    case TokenType::kMetricIdentifier:
      return "metric identifier " + quote_prefix(text, text.size());
    default: break;
  }
  std::string shown = text.size() > 10 ? quote_prefix(text, 10) + "..." : quote_prefix(text, 10);
  if (type == TokenType::kNumber) return "number " + shown;
  if (type == TokenType::kDuration) return "duration " + shown;
  if (type == TokenType::kString) return "string " + shown;
  return shown;
}

char32_t Lexer::peek() const { return decode_rune(text_, at_).value; }

char32_t Lexer::take() {
  const Rune rune = decode_rune(text_, at_);
  at_ += rune.width;
  return rune.value;
}

bool Lexer::accept(std::string_view any_of) {
  const char32_t c = peek();
  if (c > 0x7f || any_of.find(static_cast<char>(c)) == std::string_view::npos) return false;
  ++at_;
  return true;
}

bool Lexer::followed_by_paren() const {
  std::size_t at = at_;
  while (at < text_.size() && is_space(static_cast<unsigned char>(text_[at]))) ++at;
  return at < text_.size() && text_[at] == '(';
}

Token Lexer::emit(TokenType type) {
  Token token;
  token.type = type;
  token.start = start_;
  token.text = text_.substr(start_, at_ - start_);
  return token;
}

Token Lexer::emit_operator(BinaryOp op) {
  Token token = emit(TokenType::kOperator);
  token.op = op;
  return token;
}

Token Lexer::fail(std::string message) {
  Token token = emit(TokenType::kError);
  token.message = std::move(message);
  return token;
}

Token Lexer::next() {
  if (stopped_) return last_;
  for (;;) {
    while (is_space(peek())) take();
    if (peek() != '#' || (in_brackets_ && !got_duration_)) break;
    skip_comment();
  }
  start_ = at_;
  Token token = in_braces_                        ? next_in_braces()
                : in_brackets_                    ? next_in_brackets()
                                                  : next_statement();
  if (token.is(TokenType::kEnd) || token.is(TokenType::kError)) {
    stopped_ = true;
    last_ = token;
  }
  return token;
}

void Lexer::skip_comment() {
  while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
}

bool Lexer::operator_or_paren(char32_t c, Token& token) {
  switch (c) {
    case ',': token = emit(TokenType::kComma); return true;
    case '+': token = emit_operator(BinaryOp::kAdd); return true;
    case '-': token = emit_operator(BinaryOp::kSubtract); return true;
    case '*': token = emit_operator(BinaryOp::kMultiply); return true;
    case '/': token = emit_operator(BinaryOp::kDivide); return true;
    case '%': token = emit_operator(BinaryOp::kModulo); return true;
    case '^': token = emit_operator(BinaryOp::kPower); return true;
    case '(':
      ++paren_depth_;
      token = emit(TokenType::kLeftParen);
      return true;
    case ')':
      if (paren_depth_ == 0) {
        start_ = at_;  // Prometheus points behind it
        token = fail("unexpected right parenthesis " + quote_rune(c));
      } else {
        --paren_depth_;
        token = emit(TokenType::kRightParen);
      }
      return true;
    default: return false;
  }
}

Token Lexer::next_statement() {
  const char32_t c = take();
  Token token;
  if (operator_or_paren(c, token)) return token;
  switch (c) {
    case kEndOfText:
      return paren_depth_ != 0 ? fail("unclosed left parenthesis") : emit(TokenType::kEnd);
    case '=':
      if (peek() == '=') {
        take();
        return emit_operator(BinaryOp::kEqual);
      }
      if (peek() == '~') return fail("unexpected character after '=': " + quote_rune(peek()));
      return emit(TokenType::kEqual);
    case '!':
      if (const char32_t after = take(); after != '=') {
        return fail("unexpected character after '!': " + quote_rune(after));
      }
      return emit_operator(BinaryOp::kNotEqual);
    case '<':
      if (accept("=")) return emit_operator(BinaryOp::kLessEqual);
      return emit_operator(accept("/") ? BinaryOp::kTrimUpper : BinaryOp::kLess);
    case '>':
      if (accept("=")) return emit_operator(BinaryOp::kGreaterEqual);
      return emit_operator(accept("/") ? BinaryOp::kTrimLower : BinaryOp::kGreater);
    case '"':
    case '\'': return string(c);
    case '`': return raw_string();
    case '{': in_braces_ = true; return emit(TokenType::kLeftBrace);
    case '[':
      in_brackets_ = true;
      got_colon_ = false;
      got_duration_ = false;
      return emit(TokenType::kLeftBracket);
    case ']': return fail("unexpected right bracket " + quote_rune(c));
    case '@': return emit(TokenType::kAt);
    default: break;
  }
  if (is_digit(c) || (c == '.' && is_digit(peek()))) {
    at_ = start_;
    return number_or_duration();
  }
  if (is_alpha(c) || c == ':') return word();
  return fail("unexpected character: " + quote_rune(c));
}

// Until the first duration only its characters are known; behind it Prometheus words what is wrong
// as it does outside of brackets.
Token Lexer::next_in_brackets() {
  const char32_t c = take();
  Token token;
  if (operator_or_paren(c, token)) return token;
  if (is_digit(c) || (c == '.' && is_digit(peek()))) {
    at_ = start_;
    got_duration_ = true;
    return number_or_duration();
  }
  if (c == ']') {
    in_brackets_ = false;
    return emit(TokenType::kRightBracket);
  }
  if (!got_duration_) {
    if (c == kEndOfText) return fail("unexpected end of input in duration expression");
    if (c == ':') {
      start_ = at_;  // Prometheus points behind it
      return fail("unexpected colon before duration in duration expression");
    }
    const std::string otherwise =
        "unexpected character in duration expression: " + quote_rune(c);
    return is_alpha(c) ? word_in_brackets(otherwise) : fail(otherwise);
  }
  switch (c) {
    case kEndOfText:
      return fail(paren_depth_ != 0 ? "unclosed left parenthesis" : "unclosed left bracket");
    case ':':
      if (got_colon_) return fail("unexpected colon " + quote_rune(c));
      got_colon_ = true;
      return emit(TokenType::kColon);
    case '[': return fail("unexpected left bracket " + quote_rune(c));
    case '"':
    case '\'': return string(c);
    case '`': return raw_string();
    case '=': return emit(TokenType::kEqual);
    case '<': return emit_operator(BinaryOp::kLess);
    case '>': return emit_operator(BinaryOp::kGreater);
    case '@': return emit(TokenType::kAt);
    case '{': in_braces_ = true; return emit(TokenType::kLeftBrace);
    default: break;
  }
  if (is_alpha(c)) {
    return word_in_brackets(
        "unexpected character: " + quote_rune(c) + ", expected " + quote_rune(':'));
  }
  return fail("unexpected character: " + quote_rune(c));
}

Token Lexer::word_in_brackets(const std::string& otherwise) {
  while (is_alpha(peek())) take();
  const Keyword* keyword = find_keyword(text_.substr(start_, at_ - start_));
  if (keyword != nullptr) {
    switch (keyword->type) {
      case TokenType::kStep:
      case TokenType::kRange:
        got_duration_ = true;
        return emit(keyword->type);
      case TokenType::kMinOf:
      case TokenType::kMaxOf: return emit(keyword->type);
      default: break;
    }
  }
  return fail(otherwise);
}

Token Lexer::next_in_braces() {
  const char32_t c = take();
  switch (c) {
    case kEndOfText: return fail("unexpected end of input inside braces");
    case ',': return emit(TokenType::kComma);
    case '"':
    case '\'': return string(c);
    case '`': return raw_string();
    case '=': return emit(accept("~") ? TokenType::kEqualRegex : TokenType::kEqual);
    case '!': {
      const char32_t after = take();
      if (after == '~') return emit(TokenType::kNotRegex);
      if (after == '=') return emit_operator(BinaryOp::kNotEqual);
      return fail("unexpected character after '!' inside braces: " + quote_rune(after));
    }
    case '{': return fail("unexpected left brace " + quote_rune(c));
    case '}': in_braces_ = false; return emit(TokenType::kRightBrace);
    default: break;
  }
  if (!is_alpha(c)) return fail("unexpected character inside braces: " + quote_rune(c));
  while (is_alphanumeric(peek())) take();
  return emit(TokenType::kIdentifier);
}

Token Lexer::word() {
  while (is_alphanumeric(peek()) || peek() == ':') take();
  const std::string_view text = text_.substr(start_, at_ - start_);
  if (const Keyword* keyword = find_keyword(text);
      keyword != nullptr && (!needs_paren(keyword->type) || followed_by_paren())) {
    Token token = emit(keyword->type);
    token.op = keyword->op;
    token.aggregate = keyword->aggregate;
    return token;
  }
  return emit(text.find(':') == std::string_view::npos ? TokenType::kIdentifier
                                                       : TokenType::kMetricIdentifier);
}

Token Lexer::string(char32_t open) {
  for (;;) {
    const Rune rune = decode_rune(text_, at_);
    at_ += rune.width;
    if (rune.value == kReplacementRune) return fail("invalid UTF-8 rune");
    if (rune.value == kEndOfText || rune.value == '\n') return fail("unterminated quoted string");
    if (rune.value == open) return emit(TokenType::kString);
    if (rune.value != '\\') continue;
    if (std::string error; !escape(open, error)) return fail(std::move(error));
  }
}

// The escape behind a backslash; its value is computed by unquote().
bool Lexer::escape(char32_t open, std::string& error) {
  const char32_t kind = peek();
  if (kind == open || (kind < 0x80 && std::string_view("abfnrtv\\").find(static_cast<char>(kind)) !=
                                          std::string_view::npos)) {
    take();
    return true;
  }
  int digits = 0;
  int base = 16;
  char32_t value_max = 0x10ffff;
  switch (kind) {
    case 'x': digits = 2; value_max = 255; break;
    case 'u': digits = 4; break;
    case 'U': digits = 8; break;
    case kEndOfText: error = "escape sequence not terminated"; return false;
    default:
      if (kind < '0' || kind > '7') {
        error = "unknown escape sequence " + unicode_name(kind);
        return false;
      }
      digits = 3;
      base = 8;
      value_max = 255;
  }
  if (base == 16) take();
  std::uint64_t value = 0;
  for (; digits > 0; --digits) {
    const char32_t c = take();
    if (hex_digit(c) >= base) {
      error = c == kEndOfText ? "escape sequence not terminated"
                              : "illegal character " + unicode_name(c) + " in escape sequence";
      return false;
    }
    value = value * static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(hex_digit(c));
  }
  if (value > value_max || (value_max > 255 && value >= 0xd800 && value < 0xe000)) {
    error = "escape sequence is an invalid Unicode code point";
    return false;
  }
  return true;
}

Token Lexer::raw_string() {
  for (;;) {
    const char32_t c = take();
    if (c == kReplacementRune) return fail("invalid UTF-8 rune");
    if (c == kEndOfText) return fail("unterminated raw string");
    if (c == '`') return emit(TokenType::kString);
  }
}

Token Lexer::number_or_duration() {
  if (scan_number()) return emit(TokenType::kNumber);
  if (scan_duration_rest()) return emit(TokenType::kDuration);
  return fail("bad number or duration syntax: " +
              quote_prefix(text_.substr(start_, at_ - start_), at_ - start_));
}

// Takes digits, one dot, one exponent and underscores. False, standing behind the offending
// character or before what may be the unit of a duration, if that is no number.
bool Lexer::scan_number() {
  std::string_view digits = "0123456789";
  if (accept("0") && accept("xX")) {
    accept("_");
    digits = "0123456789abcdefABCDEF";
  }
  const bool hex = digits.size() > 10;
  accept(".");
  bool dot = false;  // one dot may lead and another follow: that number parse_number() refuses
  bool exponent = false;
  for (;;) {
    if (accept(digits)) continue;
    if (peek() == '.') {
      take();
      if (dot || hex || accept("_.")) return false;
      dot = true;
    } else if (peek() == 'e' || peek() == 'E') {
      take();
      if (exponent) return false;
      exponent = true;
      accept("+-");
      if (accept("._eE") || peek() == kEndOfText) return false;
    } else if (peek() == '_') {
      take();
      if (accept("._eE") || peek() == kEndOfText) return false;
    } else {
      break;
    }
  }
  return at_ > start_ && !is_alphanumeric(peek());
}

// The units of a duration, standing behind its first number.
bool Lexer::scan_duration_rest() {
  if (!accept("smhdwy")) return false;
  accept("s");
  while (accept("0123456789")) {
    while (accept("0123456789")) {
    }
    if (!accept("smhdw")) return false;
    accept("s");
  }
  if (!is_alphanumeric(peek())) return true;
  take();
  return false;
}

}  // namespace varve::promql
