// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/series_notation.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/try.h"
#include "model/duration.h"
#include "model/histogram.h"
#include "model/number.h"
#include "promql/parse/lexer.h"
#include "promql/parse/text.h"

namespace varve::promql::test_language {
namespace {

Error refused(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// A place in a line, moving to the right.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
  bool accept(std::string_view prefix) {
    if (!rest_.starts_with(prefix)) return false;
    rest_.remove_prefix(prefix.size());
    return true;
  }
  void skip(std::size_t bytes) { rest_.remove_prefix(std::min(bytes, rest_.size())); }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') rest_.remove_prefix(1);
  }
  bool at_item_end() const { return done() || peek() == ' ' || peek() == '\t'; }

  // A decimal float, Inf or NaN in any case, with a sign if `signs`.
  std::optional<double> number(bool signs) {
    std::size_t end = 0;
    if (signs && (peek() == '-' || peek() == '+')) end = 1;
    const std::string word = to_lower(rest_.substr(end, 3));
    if (word == "inf" || word == "nan") {
      end += 3;
    } else {
      const auto digits = [&] {
        const std::size_t from = end;
        while (end < rest_.size() && is_digit(static_cast<unsigned char>(rest_[end]))) ++end;
        return end > from;
      };
      const bool whole = digits();
      bool fraction = false;
      if (end < rest_.size() && rest_[end] == '.') {
        ++end;
        fraction = digits();
      }
      if (!whole && !fraction) return std::nullopt;
      if (end < rest_.size() && (rest_[end] == 'e' || rest_[end] == 'E')) {
        const std::size_t before = end++;
        if (end < rest_.size() && (rest_[end] == '-' || rest_[end] == '+')) ++end;
        if (!digits()) end = before;
      }
    }
    std::string_view text = rest_.substr(0, end);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const std::optional<double> value = model::parse_float(text);
    if (!value) return std::nullopt;
    rest_.remove_prefix(end);
    return negative ? -*value : *value;
  }

  // The repetition count behind an x.
  std::optional<std::size_t> count() {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value >= kValuesMax) return std::nullopt;
    skip(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string_view item() const { return rest_.substr(0, rest_.find_first_of(" \t")); }

 private:
  std::string_view rest_;
};

// ---- labels ----

// "{a="b", …}" at the start of the text; moves behind it.
Status parse_label_set(std::string_view& text, LabelsBuilder& labels) {
  Lexer lexer(text);
  Token token = lexer.next();  // the brace
  token = lexer.next();
  while (!token.is(TokenType::kRightBrace)) {
    const bool quoted = token.is(TokenType::kString);
    if (!quoted && !token.is(TokenType::kIdentifier)) {
      return refused("unexpected " + token.description() + " in label set");
    }
    const std::string name = quoted ? unquote(token.text) : std::string(token.text);
    token = lexer.next();
    if (token.is(TokenType::kEqual)) {
      token = lexer.next();
      if (!token.is(TokenType::kString)) {
        return refused("unexpected " + token.description() + " in label set, expected a string");
      }
      labels.set(name, unquote(token.text));
      token = lexer.next();
    } else if (quoted) {
      labels.set(kMetricName, name);
    } else {
      return refused("unexpected " + token.description() + " in label set, expected \"=\"");
    }
    if (token.is(TokenType::kComma)) {
      token = lexer.next();
    } else if (!token.is(TokenType::kRightBrace)) {
      return refused("unexpected " + token.description() + " in label set");
    }
  }
  text.remove_prefix(token.end());
  return {};
}

Result<Labels> parse_labels(std::string_view& text) {
  LabelsBuilder labels;
  if (!text.starts_with('{')) {
    std::size_t end = 0;
    while (end < text.size() && (is_alphanumeric(static_cast<unsigned char>(text[end])) ||
                                 text[end] == ':')) {
      ++end;
    }
    if (end == 0 || is_digit(static_cast<unsigned char>(text[0]))) {
      return refused("a series must begin with a name or a brace");
    }
    labels.set(kMetricName, text.substr(0, end));
    text.remove_prefix(end);
  }
  if (text.starts_with('{')) VARVE_TRY(parse_label_set(text, labels));
  return labels.build();
}

// ---- histograms ----

Result<double> histogram_number(Cursor& cursor) {
  const std::optional<double> value = cursor.number(true);
  if (!value) return refused("bad number in histogram: " + std::string(cursor.item()));
  return *value;
}

Result<std::int32_t> histogram_integer(Cursor& cursor) {
  VARVE_TRY_ASSIGN(const double value, histogram_number(cursor));
  if (!(std::fabs(value) <= 1e9) || value != std::trunc(value)) {
    return refused("a histogram's schema and offsets must be integers");
  }
  return static_cast<std::int32_t>(value);
}

Result<std::vector<double>> histogram_list(Cursor& cursor) {
  if (!cursor.accept("[")) return refused("expected \"[\" in histogram");
  std::vector<double> list;
  cursor.skip_blanks();
  while (!cursor.accept("]")) {
    VARVE_TRY_ASSIGN(const double value, histogram_number(cursor));
    list.push_back(value);
    cursor.skip_blanks();
  }
  return list;
}

Result<CounterResetHint> histogram_hint(Cursor& cursor) {
  if (cursor.accept("unknown")) return CounterResetHint::kUnknown;
  if (cursor.accept("reset")) return CounterResetHint::kReset;
  if (cursor.accept("not_reset")) return CounterResetHint::kNotReset;
  if (cursor.accept("gauge")) return CounterResetHint::kGauge;
  return refused("unknown counter_reset_hint in histogram");
}

struct HistogramLiteral {
  Histogram histogram;
  bool hint_written = false;
};

void set_side(std::vector<HistogramSpan>& spans, std::vector<double>& counts, std::int32_t offset) {
  if (!counts.empty()) spans = {{offset, static_cast<std::uint32_t>(counts.size())}};
}

// "{{key:value …}}", standing behind the opening braces.
Result<HistogramLiteral> parse_histogram(Cursor& cursor) {
  HistogramLiteral literal;
  Histogram& histogram = literal.histogram;
  std::int32_t offset = 0;
  std::int32_t negative_offset = 0;
  for (cursor.skip_blanks(); !cursor.accept("}}"); cursor.skip_blanks()) {
    if (cursor.accept("schema:")) {
      VARVE_TRY_ASSIGN(histogram.schema, histogram_integer(cursor));
    } else if (cursor.accept("sum:")) {
      VARVE_TRY_ASSIGN(histogram.sum, histogram_number(cursor));
    } else if (cursor.accept("count:")) {
      VARVE_TRY_ASSIGN(histogram.count, histogram_number(cursor));
    } else if (cursor.accept("z_bucket:")) {
      VARVE_TRY_ASSIGN(histogram.zero_count, histogram_number(cursor));
    } else if (cursor.accept("z_bucket_w:")) {
      VARVE_TRY_ASSIGN(histogram.zero_threshold, histogram_number(cursor));
    } else if (cursor.accept("buckets:")) {
      VARVE_TRY_ASSIGN(histogram.positive_counts, histogram_list(cursor));
    } else if (cursor.accept("n_buckets:")) {
      VARVE_TRY_ASSIGN(histogram.negative_counts, histogram_list(cursor));
    } else if (cursor.accept("offset:")) {
      VARVE_TRY_ASSIGN(offset, histogram_integer(cursor));
    } else if (cursor.accept("n_offset:")) {
      VARVE_TRY_ASSIGN(negative_offset, histogram_integer(cursor));
    } else if (cursor.accept("custom_values:")) {
      VARVE_TRY_ASSIGN(histogram.custom_bounds, histogram_list(cursor));
    } else if (cursor.accept("counter_reset_hint:")) {
      VARVE_TRY_ASSIGN(histogram.counter_reset_hint, histogram_hint(cursor));
      literal.hint_written = true;
    } else {
      return refused("unknown key in histogram: " + std::string(cursor.item()));
    }
  }
  set_side(histogram.positive_spans, histogram.positive_counts, offset);
  set_side(histogram.negative_spans, histogram.negative_counts, negative_offset);
  return literal;
}

SequenceValue histogram_value(Histogram histogram, bool hint_written) {
  SequenceValue value;
  value.kind = SequenceValue::Kind::kHistogram;
  value.histogram = std::make_shared<const Histogram>(std::move(histogram));
  value.hint_written = hint_written;
  return value;
}

Status parse_histogram_item(Cursor& cursor, std::vector<SequenceValue>& out) {
  VARVE_TRY_ASSIGN(HistogramLiteral first, parse_histogram(cursor));
  const char sign = cursor.peek();
  std::optional<HistogramLiteral> step;
  if (sign == '+' || sign == '-') {
    cursor.skip(1);
    if (!cursor.accept("{{")) return refused("expected a histogram behind the sign");
    VARVE_TRY_ASSIGN(step, parse_histogram(cursor));
  }
  std::size_t repeat = 0;
  if (cursor.accept("x")) {
    const std::optional<std::size_t> count = cursor.count();
    if (!count) return refused("bad repetition of a histogram");
    repeat = *count;
  } else if (step) {
    return refused("a step between histograms needs a repetition");
  }
  SequenceValue value = histogram_value(first.histogram, first.hint_written);
  out.push_back(value);
  for (std::size_t i = 0; i < repeat; ++i) {
    if (step) {
      Histogram next = *value.histogram;
      const model::ArithmeticOutcome outcome = sign == '+' ? model::add(next, step->histogram)
                                                           : model::subtract(next, step->histogram);
      if (!outcome.compatible) return refused("histograms of incompatible schemas");
      value = histogram_value(std::move(next), first.hint_written);
    }
    out.push_back(value);
  }
  return {};
}

// ---- floats ----

Status parse_item(Cursor& cursor, std::vector<SequenceValue>& out) {
  if (cursor.accept("{{")) return parse_histogram_item(cursor, out);
  const std::string item(cursor.item());
  const auto bad = [&] { return refused("bad value " + quote_prefix(item, item.size())); };

  SequenceValue value;
  double step = 0;
  std::size_t repeat = 0;  // values beyond the first
  if (cursor.accept("_")) {
    if (cursor.accept("x")) {
      const std::optional<std::size_t> count = cursor.count();
      if (!count) return bad();
      out.insert(out.end(), *count, value);
      return cursor.at_item_end() ? Status() : Status(bad());
    }
  } else {
    value.kind = SequenceValue::Kind::kFloat;
    if (cursor.accept("stale")) {
      value.value = stale_marker();
    } else {
      const std::optional<double> number = cursor.number(true);
      if (!number) return bad();
      value.value = *number;
      if (cursor.peek() == '+' || cursor.peek() == '-') {
        const std::optional<double> increment = cursor.number(true);
        if (!increment || cursor.peek() != 'x') return bad();
        step = *increment;
      }
    }
    if (cursor.accept("x")) {
      const std::optional<std::size_t> count = cursor.count();
      if (!count) return bad();
      repeat = *count;
    }
  }
  if (!cursor.at_item_end()) return bad();
  out.push_back(value);
  for (std::size_t i = 0; i < repeat; ++i) {
    // A stale marker must keep its bits, which an addition would not.
    if (!is_stale(value.value)) value.value += step;
    out.push_back(value);
  }
  return {};
}

// ---- start timestamps ----

std::optional<std::int64_t> signed_duration(Cursor& cursor) {
  const bool negative = cursor.peek() == '-';
  if (negative || cursor.peek() == '+') cursor.skip(1);
  std::size_t end = 0;
  while (end < cursor.rest().size() && cursor.rest()[end] != 'x' && cursor.rest()[end] != '+' &&
         cursor.rest()[end] != '-' && cursor.rest()[end] != ' ') {
    ++end;
  }
  const auto ms = model::parse_duration(cursor.rest().substr(0, end));
  if (!ms.ok()) return std::nullopt;
  cursor.skip(end);
  return negative ? -*ms : *ms;
}

Status parse_start_item(Cursor& cursor, std::vector<std::optional<std::int64_t>>& out) {
  const std::string item(cursor.item());
  const auto bad = [&] {
    return refused("bad start timestamp " + quote_prefix(item, item.size()));
  };
  std::optional<std::int64_t> value;
  std::int64_t step = 0;
  const bool omitted = cursor.accept("_");
  if (!omitted) {
    value = signed_duration(cursor);
    if (!value) return bad();
    if (cursor.peek() == '+' || cursor.peek() == '-') {
      const std::optional<std::int64_t> increment = signed_duration(cursor);
      if (!increment) return bad();
      step = *increment;
    }
  }
  std::size_t count = 1;
  if (cursor.accept("x")) {
    const std::optional<std::size_t> repeat = cursor.count();
    if (!repeat) return bad();
    count = omitted ? *repeat : *repeat + 1;
  }
  if (!cursor.at_item_end()) return bad();
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(value);
    if (value) *value += step;
  }
  return {};
}

}  // namespace

Result<SeriesLine> parse_series_line(std::string_view line) {
  SeriesLine series;
  VARVE_TRY_ASSIGN(series.labels, parse_labels(line));
  Cursor cursor(line);
  series.start_times = cursor.accept("@st");
  if (!cursor.at_item_end()) {
    return refused("unexpected " + quote_prefix(cursor.rest(), 10) + " behind the labels");
  }
  for (cursor.skip_blanks(); !cursor.done(); cursor.skip_blanks()) {
    if (series.start_times) {
      VARVE_TRY(parse_start_item(cursor, series.start_offsets_ms));
    } else {
      VARVE_TRY(parse_item(cursor, series.values));
    }
    if (series.values.size() > kValuesMax || series.start_offsets_ms.size() > kValuesMax) {
      return refused("more than " + std::to_string(kValuesMax) + " values in a line");
    }
  }
  return series;
}

std::optional<double> parse_scalar_line(std::string_view line) {
  Cursor cursor(line);
  const std::optional<double> decimal = cursor.number(true);
  if (decimal && cursor.done()) return decimal;
  const bool negative = line.starts_with('-');
  if (negative || line.starts_with('+')) line.remove_prefix(1);
  int base = 10;
  const std::string lower = to_lower(line.substr(0, 2));
  if (lower == "0x") base = 16;
  if (lower == "0o") base = 8;
  if (lower == "0b") base = 2;
  if (base != 10) line.remove_prefix(2);
  std::string digits;
  for (const char c : line) {
    if (c != '_') digits += c;
  }
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return static_cast<double>(negative ? -value : value);
}

}  // namespace varve::promql::test_language
