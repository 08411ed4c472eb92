// SPDX-License-Identifier: Apache-2.0
// Sources: the exposition format document of Prometheus, the OpenMetrics 1.0 specification, and
// what Prometheus 3.14 accepts (model/textparse), which is more than either.
#include "wire/exposition.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>

#include "base/ascii_case.h"
#include "base/try.h"
#include "wire/exposition_number.h"
#include "wire/label_checks.h"

namespace varve::wire {
namespace {

constexpr std::size_t kQuotedInErrorsMax = 120;
constexpr std::string_view kBlanks = " \t";

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  return text;
}

std::string_view without_end_blanks(std::string_view text) {
  const auto last = text.find_last_not_of(kBlanks);
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// The text up to the next blank; takes it and the blanks after it off `text`.
std::string_view take_word(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && text[length] != ' ' && text[length] != '\t') ++length;
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  return word;
}

// Where the labels that open at text[open] end (after the brace); npos if they do not.
std::size_t end_of_labels(std::string_view text, std::size_t open) {
  bool quoted = false;
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted) {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '}' && !quoted) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

// The type in MetadataEntry's words; empty if there is no such type in the format.
std::string_view metric_type(std::string_view text, ExpositionFormat format) {
  static constexpr std::array<std::string_view, 8> kTypes{
      "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"};
  if (text == "untyped" && format == ExpositionFormat::kText) return "unknown";
  for (const std::string_view type : kTypes) {
    if (type == text) return type;
  }
  return {};
}

std::string_view ascii_trim(std::string_view text) { return without_end_blanks(skip_blanks(text)); }

}  // namespace

Result<ExpositionFormat> format_from_content_type(std::string_view content_type,
                                                  std::optional<ExpositionFormat> fallback) {
  const std::string_view media_type = ascii_trim(content_type.substr(0, content_type.find(';')));
  if (base::equals_in_any_case(media_type, "application/openmetrics-text")) {
    return ExpositionFormat::kOpenMetrics;
  }
  if (base::equals_in_any_case(media_type, "text/plain")) return ExpositionFormat::kText;
  if (base::equals_in_any_case(media_type, "application/vnd.google.protobuf")) {
    return ExpositionFormat::kProtobuf;
  }
  if (fallback) return *fallback;
  if (content_type.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "non-compliant scrape target sending blank Content-Type and no "
                 "fallback_scrape_protocol specified for target");
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("received unsupported Content-Type \"{}\" and no "
                           "fallback_scrape_protocol specified for target",
                           content_type.substr(0, kQuotedInErrorsMax)));
}

Error ExpositionParser::error(std::string_view what, std::string_view whole_line) const {
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("line {}: {} while parsing: \"{}\"", line_, what,
                           whole_line.substr(0, kQuotedInErrorsMax)));
}

Result<ExpositionEntry> ExpositionParser::next() {
  while (!ended_) {
    if (rest_.empty()) {
      if (format_ == ExpositionFormat::kOpenMetrics) {
        return Error(ErrorCode::kInvalidArgument, "data does not end with # EOF");
      }
      ended_ = true;
      break;
    }
    ++line_;
    const void* const newline = std::memchr(rest_.data(), '\n', rest_.size());
    const std::size_t length =
        newline != nullptr
            ? static_cast<std::size_t>(static_cast<const char*>(newline) - rest_.data())
            : rest_.size();
    const std::string_view whole_line = rest_.substr(0, length);
    rest_.remove_prefix(newline != nullptr ? length + 1 : length);
    if (format_ == ExpositionFormat::kOpenMetrics && whole_line == "# EOF") {
      if (!rest_.empty()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("line {}: unexpected data after # EOF", line_ + 1));
      }
      ended_ = true;
      break;
    }
    std::string_view text = skip_blanks(whole_line);
    if (format_ == ExpositionFormat::kText && text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) {
      if (format_ == ExpositionFormat::kOpenMetrics)
        return error("unexpected blank line", whole_line);
      continue;
    }
    if (text[0] != '#') return parse_sample(text);
    VARVE_TRY_ASSIGN(const ExpositionEntry entry, parse_comment(text, whole_line));
    if (entry != ExpositionEntry::kEnd) return entry;
  }
  return ExpositionEntry::kEnd;
}

// kEnd stands for a comment to pass over.
Result<ExpositionEntry> ExpositionParser::parse_comment(std::string_view text,
                                                        std::string_view whole_line) {
  std::string_view rest = skip_blanks(text.substr(1));
  const std::string_view keyword = take_word(rest);
  if (keyword == "TYPE") return parse_metadata(ExpositionEntry::kType, rest, whole_line);
  if (keyword == "HELP") return parse_metadata(ExpositionEntry::kHelp, rest, whole_line);
  if (format_ != ExpositionFormat::kOpenMetrics) return ExpositionEntry::kEnd;
  if (keyword == "UNIT") return parse_metadata(ExpositionEntry::kUnit, rest, whole_line);
  return error(fmt::format("expected HELP, TYPE, UNIT or EOF after \"# \", got \"{}\"",
                           keyword.substr(0, 20)),
               whole_line);
}

Result<ExpositionEntry> ExpositionParser::parse_metadata(ExpositionEntry entry,
                                                         std::string_view text,
                                                         std::string_view whole_line) {
  std::string_view family;
  if (text.starts_with('"')) {
    const auto close = text.find('"', 1);
    if (close == std::string_view::npos) return error("a quote is not closed", whole_line);
    family = text.substr(1, close - 1);
    text = skip_blanks(text.substr(close + 1));
  } else {
    family = take_word(text);
  }
  if (family.empty()) return error("expected metric name after TYPE, HELP or UNIT", whole_line);
  metadata_.metric_family = family;
  if (entry == ExpositionEntry::kType) {
    const std::string_view written = without_end_blanks(text);
    metadata_.text = metric_type(written, format_);
    if (metadata_.text.empty()) {
      return error(fmt::format("invalid metric type \"{}\"", written.substr(0, 40)), whole_line);
    }
    family_ = family;
    family_type_ = metadata_.text;  // a constant: outlives the line
    with_created_ = metadata_.text == "counter" || metadata_.text == "histogram" ||
                    metadata_.text == "summary";
    return entry;
  }
  if (entry == ExpositionEntry::kUnit) {
    metadata_.text = without_end_blanks(text);
    const std::size_t unit = metadata_.text.size();
    const bool fits = unit == 0 || (family.size() > unit && family.ends_with(metadata_.text) &&
                                    family[family.size() - unit - 1] == '_');
    if (fits) return entry;
    return error(fmt::format("unit \"{}\" not a suffix of metric \"{}\"", metadata_.text, family),
                 whole_line);
  }
  if (!is_utf8(text)) return error("help text is not a valid utf8 string", whole_line);
  metadata_.text = text;
  if (text.find('\\') != std::string_view::npos) {
    help_.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char after = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
      if (after == 'n') {
        help_ += '\n';
        ++i;
      } else if (after == '\\' || (after == '"' && format_ == ExpositionFormat::kOpenMetrics)) {
        help_ += after;
        ++i;
      } else {
        help_ += text[i];
      }
    }
    metadata_.text = help_;
  }
  return entry;
}

Result<ExpositionEntry> ExpositionParser::parse_sample(std::string_view text) {
  const std::string_view whole_line = text;
  sample_.timestamp_ms.reset();
  sample_.exemplars = {};
  sample_.created = false;
  std::string_view exemplar;
  if (format_ == ExpositionFormat::kOpenMetrics) {
    // Labels may hold anything, so "#" opens an exemplar only after them.
    if (std::memchr(text.data(), '#', text.size()) != nullptr) {
      const auto open = text.find_first_of("{ ");
      std::size_t from = 0;
      if (open != std::string_view::npos && text[open] == '{') from = end_of_labels(text, open);
      if (from == std::string_view::npos) return error("labels are not closed", whole_line);
      const auto mark = text.find('#', from);
      if (mark != std::string_view::npos) {
        exemplar = text.substr(mark);
        text = text.substr(0, mark);
      }
    }
  }

  // Behind the labels no brace may stand, so the last one ends them.
  const void* const brace = ::memrchr(text.data(), '}', text.size());
  if (brace != nullptr) {
    const auto length = static_cast<std::size_t>(static_cast<const char*>(brace) - text.data()) + 1;
    sample_.series = text.substr(0, length);
    text = skip_blanks(text.substr(length));
  } else {
    sample_.series = take_word(text);
  }
  if (const auto all = parse_short_decimal(text)) {  // mostly the value is all of the rest
    sample_.value = *all;
  } else {
    const std::string_view value = take_word(text);
    const auto number = parse_exposition_float(value);
    if (!number) {
      return error(fmt::format("expected value after metric, got \"{}\"", value.substr(0, 40)),
                   whole_line);
    }
    sample_.value = *number;
    if (!text.empty()) {
      VARVE_TRY(set_timestamp(take_word(text), whole_line, sample_.timestamp_ms));
      if (!text.empty()) {
        return error(
            fmt::format("expected next entry after timestamp, got \"{}\"", text.substr(0, 40)),
            whole_line);
      }
    }
  }
  if (!exemplar.empty()) VARVE_TRY(parse_exemplar(exemplar, whole_line));
  if (with_created_ && format_ == ExpositionFormat::kOpenMetrics) {
    static constexpr std::string_view kSuffix = "_created";
    const std::string_view series = sample_.series;
    const std::size_t name = family_.size() + kSuffix.size();
    sample_.created = series.size() >= name && series.starts_with(family_) &&
                      series.substr(family_.size()).starts_with(kSuffix) &&
                      (series.size() == name || series[name] == '{' || series[name] == ' ');
  }
  return ExpositionEntry::kSample;
}

// `# {labels} value [timestamp]`
Status ExpositionParser::parse_exemplar(std::string_view text, std::string_view whole_line) {
  text = skip_blanks(text.substr(1));
  const std::size_t end = text.starts_with('{') ? end_of_labels(text, 0) : std::string_view::npos;
  if (end == std::string_view::npos) return error("expected exemplar labels", whole_line);
  exemplar_ = {};
  exemplar_.labels_text = text.substr(0, end);
  text = skip_blanks(text.substr(end));
  const std::string_view value = take_word(text);
  const auto number = parse_exposition_float(value);
  if (!number) {
    return error(
        fmt::format("expected value after exemplar labels, got \"{}\"", value.substr(0, 40)),
        whole_line);
  }
  exemplar_.value = *number;
  if (!text.empty()) {
    VARVE_TRY(set_timestamp(take_word(text), whole_line, exemplar_.timestamp_ms));
    if (!text.empty()) return error("expected next entry after exemplar timestamp", whole_line);
  }
  sample_.exemplars = {&exemplar_, 1};
  return {};
}

// Milliseconds in the text format, seconds with a fraction in OpenMetrics.
Status ExpositionParser::set_timestamp(std::string_view text, std::string_view whole_line,
                                       std::optional<Timestamp>& timestamp_ms) const {
  if (format_ == ExpositionFormat::kText) {
    timestamp_ms = parse_exposition_int(text);
  } else if (const auto seconds = parse_exposition_float(text)) {
    // The bound is what fits an int64 of milliseconds; NaN fails the comparison.
    if (std::fabs(*seconds) < 9.2e15) timestamp_ms = static_cast<Timestamp>(*seconds * 1000);
  }
  if (!timestamp_ms)
    return error(fmt::format("invalid timestamp \"{}\"", text.substr(0, 40)), whole_line);
  return {};
}

}  // namespace varve::wire
