// SPDX-License-Identifier: Apache-2.0
// `name{label="value",…}`, `{"utf-8 name",label="value"}` and `{label="value"}` to Labels.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/try.h"
#include "wire/exposition.h"
#include "wire/label_checks.h"

namespace varve::wire {
namespace {

constexpr std::size_t kQuotedInErrorsMax = 120;

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_name_char(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// Reads one series text. Views point into the text, or into unescaped_ where it had escapes.
class SeriesReader {
 public:
  explicit SeriesReader(std::string_view text) : text_(text), rest_(text) {}

  Status read() {
    skip_blanks();
    if (!rest_.empty() && (is_name_start(rest_[0]) || rest_[0] == ':')) {
      std::size_t length = 1;
      while (length < rest_.size() && (is_name_char(rest_[length]) || rest_[length] == ':'))
        ++length;
      labels_.push_back({kMetricName, rest_.substr(0, length)});
      rest_.remove_prefix(length);
      skip_blanks();
      if (rest_.empty()) return {};
    }
    if (!take('{')) return error("expected a metric name or \"{\"");
    for (;;) {
      skip_blanks();
      if (take('}')) break;
      VARVE_TRY(read_label());
      skip_blanks();
      if (take('}')) break;
      if (!take(',')) return error("expected comma or brace close");
    }
    skip_blanks();
    return rest_.empty() ? Status() : error("unexpected text after the labels");
  }

  std::vector<LabelView>& labels() { return labels_; }

 private:
  Status read_label() {
    std::string_view name;
    if (!rest_.empty() && rest_[0] == '"') {
      VARVE_TRY_ASSIGN(name, read_quoted());
      skip_blanks();
      if (rest_.empty() || rest_[0] != '=') {  // a quoted metric name stands alone
        labels_.push_back({kMetricName, name});
        return {};
      }
    } else {
      std::size_t length = 0;
      if (!rest_.empty() && is_name_start(rest_[0])) {
        while (length < rest_.size() && is_name_char(rest_[length])) ++length;
      }
      if (length == 0) return error("expected label name");
      name = rest_.substr(0, length);
      rest_.remove_prefix(length);
      skip_blanks();
    }
    if (!take('=')) return error("expected equal");
    skip_blanks();
    if (rest_.empty() || rest_[0] != '"') return error("expected label value");
    VARVE_TRY_ASSIGN(const std::string_view value, read_quoted());
    labels_.push_back({name, value});
    return {};
  }

  // Precondition: rest_ begins with a quote. `\\`, `\"` and `\n` are escapes; before any other
  // character the backslash stays, as in Prometheus.
  Result<std::string_view> read_quoted() {
    const auto special = rest_.find_first_of("\"\\", 1);
    if (special == std::string_view::npos) return error("a quote is not closed");
    if (rest_[special] == '"') {
      const std::string_view plain = rest_.substr(1, special - 1);
      rest_.remove_prefix(special + 1);
      return plain;
    }
    std::string& text = unescaped_.emplace_back(rest_.substr(1, special - 1));
    for (std::size_t i = special; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return std::string_view(text);
      }
      if (rest_[i] != '\\') {
        text += rest_[i];
        continue;
      }
      if (++i == rest_.size()) break;
      switch (rest_[i]) {
        case 'n': text += '\n'; break;
        case '"':
        case '\\': text += rest_[i]; break;
        default:
          text += '\\';
          text += rest_[i];
      }
    }
    return error("a quote is not closed");
  }

  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t')) rest_.remove_prefix(1);
  }
  Error error(std::string_view expected) const {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}, got \"{}\" while parsing: \"{}\"", expected, rest_.substr(0, 20),
                             text_.substr(0, kQuotedInErrorsMax)));
  }

  std::string_view text_;
  std::string_view rest_;
  std::vector<LabelView> labels_;
  std::deque<std::string> unescaped_;
};

}  // namespace

Result<Labels> parse_series_text(std::string_view series) {
  SeriesReader reader(series);
  VARVE_TRY(reader.read());
  return checked_labels(reader.labels(), MetricNameRule::kRequired);
}

Result<Labels> parse_label_set(std::string_view braces) {
  SeriesReader reader(braces);
  VARVE_TRY(reader.read());
  return checked_labels(reader.labels(), MetricNameRule::kNotNeeded);
}

bool in_family(std::string_view series, std::string_view family, std::string_view type) {
  std::optional<Labels> parsed;
  std::string_view name = series.substr(0, series.find_first_of("{ \t"));
  if (name.empty()) {  // a name in quotes
    auto labels = parse_series_text(series);
    if (!labels.ok()) return false;
    parsed = *std::move(labels);
    name = parsed->get(kMetricName);
  }
  if (!name.starts_with(family)) return false;
  const std::string_view added = name.substr(family.size());
  if (added.empty()) return true;
  const auto one_of = [added](std::initializer_list<std::string_view> suffixes) {
    return std::find(suffixes.begin(), suffixes.end(), added) != suffixes.end();
  };
  if (type == "counter") return one_of({"_total", "_created"});
  if (type == "histogram") return one_of({"_bucket", "_count", "_sum", "_created"});
  if (type == "gaugehistogram") return one_of({"_bucket", "_gcount", "_gsum", "_count", "_sum"});
  if (type == "summary") return one_of({"_count", "_sum", "_created"});
  return type == "info" && one_of({"_info"});
}

}  // namespace varve::wire
