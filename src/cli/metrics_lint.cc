// SPDX-License-Identifier: Apache-2.0
#include "cli/metrics_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "wire/exposition.h"

namespace varve::cli {
namespace {

constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
    {"amperes", "amperes"},    {"bytes", "bytes"},     {"celsius", "celsius"},
    {"grams", "grams"},        {"joules", "joules"},   {"kelvin", "kelvin"},
    {"meters", "meters"},      {"metres", "metres"},   {"seconds", "seconds"},
    {"volts", "volts"},        {"minutes", "seconds"}, {"hours", "seconds"},
    {"days", "seconds"},       {"weeks", "seconds"},   {"kelvins", "kelvin"},
    {"fahrenheit", "celsius"}, {"rankine", "celsius"}, {"inches", "meters"},
    {"yards", "meters"},       {"miles", "meters"},    {"bits", "bytes"},
    {"calories", "joules"},    {"pounds", "grams"},    {"ounces", "grams"}};

constexpr std::string_view kPrefixes[] = {"pico", "nano",  "micro", "milli", "centi", "deci",
                                          "deca", "hecto", "kilo",  "kibi",  "mega",  "mibi",
                                          "giga", "gibi",  "tera",  "tebi",  "peta",  "pebi"};

constexpr std::string_view kAbbreviations[] = {"s",  "ms", "us", "ns", "sec", "b", "kb",
                                               "mb", "gb", "tb", "pb", "m",   "h", "d"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool has_word(std::string_view name, std::string_view word) {
  return name.find(fmt::format("_{}_", word)) != std::string_view::npos ||
         name.ends_with(fmt::format("_{}", word));
}

bool camel_case(std::string_view name) {
  for (std::size_t i = 1; i < name.size(); ++i) {
    const bool humps = name[i - 1] >= 'a' && name[i - 1] <= 'z' && name[i] >= 'A' && name[i] <= 'Z';
    if (humps) return true;
  }
  return false;
}

std::string_view base_unit(std::string_view word) {
  for (const auto& [unit, base] : kUnits) {
    if (unit == word) return base;
  }
  return {};
}

// The first unit in the name with its base unit.
std::pair<std::string_view, std::string_view> unit_of(std::string_view name) {
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('_'), name.size());
    const std::string_view word = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    if (const auto base = base_unit(word); !base.empty()) return {word, base};
    for (const std::string_view prefix : kPrefixes) {
      if (!word.starts_with(prefix)) continue;
      if (const auto base = base_unit(word.substr(prefix.size())); !base.empty()) {
        return {word, base};
      }
    }
  }
  return {};
}

void lint_suffixes(const MetricFamily& family, std::vector<std::string>& out) {
  const bool untyped = family.type == "untyped";
  const bool is_total = family.name.ends_with("_total");
  if (family.type == "counter" && !is_total) {
    out.emplace_back("counter metrics should have \"_total\" suffix");
  } else if (!untyped && family.type != "counter" && is_total) {
    out.emplace_back("non-counter metrics should not have \"_total\" suffix");
  }
  if (untyped) return;
  const bool histogram = family.type == "histogram", summary = family.type == "summary";
  if (!histogram && family.name.ends_with("_bucket")) {
    out.emplace_back("non-histogram metrics should not have \"_bucket\" suffix");
  }
  for (const std::string_view suffix : {"_count", "_sum"}) {
    if (histogram || summary || !family.name.ends_with(suffix)) continue;
    out.push_back(
        fmt::format("non-histogram and non-summary metrics should not have \"{}\" suffix", suffix));
  }
  for (const Labels& labels : family.metrics) {
    if (!histogram && labels.has("le")) {
      out.emplace_back("non-histogram metrics should not have \"le\" label");
    }
    if (!summary && labels.has("quantile")) {
      out.emplace_back("non-summary metrics should not have \"quantile\" label");
    }
  }
}

void lint_labels(const MetricFamily& family, std::vector<std::string>& out) {
  for (const Labels& labels : family.metrics) {
    for (const LabelView& label : labels) {
      if (!camel_case(label.name)) continue;
      out.emplace_back("label names should be written in 'snake_case' not 'camelCase'");
    }
  }
  std::set<Labels> seen;
  for (const Labels& labels : family.metrics) {
    if (!seen.insert(labels).second) out.emplace_back("metric not unique");
  }
}

// The family that a sample belongs to, and whether it is one of several lines of a metric.
struct Place {
  std::string family;
  bool part = false;    // of a histogram or summary
  bool counts = false;  // a bucket or quantile
};

Place place_of(std::string_view name, const Labels& labels,
               const std::map<std::string, MetricFamily>& families) {
  const auto type_of = [&](std::string_view family) -> std::string_view {
    const auto at = families.find(std::string(family));
    return at == families.end() ? std::string_view() : std::string_view(at->second.type);
  };
  for (const std::string_view suffix : {"_bucket", "_count", "_sum"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string_view stem = name.substr(0, name.size() - suffix.size());
    const std::string_view type = type_of(stem);
    if (type == "histogram" || (type == "summary" && suffix != "_bucket")) {
      return {std::string(stem), true, suffix == "_bucket"};
    }
  }
  return {std::string(name), type_of(name) == "summary", labels.has("quantile")};
}

}  // namespace

Result<std::map<std::string, MetricFamily>> read_families(std::string_view page) {
  std::map<std::string, MetricFamily> families;
  std::map<std::string, std::set<Labels>> seen;  // of histograms and summaries
  wire::ExpositionParser parser(page, wire::ExpositionFormat::kText);
  for (;;) {
    VARVE_TRY_ASSIGN(const wire::ExpositionEntry entry, parser.next());
    if (entry == wire::ExpositionEntry::kEnd) return families;
    if (entry == wire::ExpositionEntry::kType || entry == wire::ExpositionEntry::kHelp) {
      const std::string name(parser.metadata().metric_family);
      MetricFamily& family = families[name];
      family.name = name;
      if (entry == wire::ExpositionEntry::kHelp) {
        family.has_help = true;
      } else {
        family.type = parser.metadata().text == "unknown" ? "untyped" : parser.metadata().text;
      }
    }
    if (entry != wire::ExpositionEntry::kSample) continue;
    auto labels = wire::parse_series_text(parser.sample().series);
    if (!labels.ok()) return std::move(labels).error().with(fmt::format("line {}", parser.line()));
    const std::string name(labels->get(kMetricName));
    const Place place = place_of(name, *labels, families);
    MetricFamily& family = families[place.family];
    family.name = place.family;
    LabelsBuilder rest(*labels);
    rest.remove(kMetricName);
    if (place.part) {
      rest.remove(family.type == "histogram" ? "le" : "quantile");
      Labels metric = rest.build();
      const bool is_first = family.metrics.empty() || family.metrics.front() == metric;
      if (is_first && place.counts) ++family.first_parts;
      if (seen[place.family].insert(metric).second) family.metrics.push_back(std::move(metric));
    } else {
      family.metrics.push_back(rest.build());
    }
  }
}

std::vector<std::string> lint(const MetricFamily& family) {
  std::vector<std::string> out;
  if (family.metrics.empty()) return out;  // declared only
  const std::string name = lower(family.name);
  if (!family.has_help) out.emplace_back("no help text");
  if (const auto [unit, base] = unit_of(family.name); unit != base) {
    out.push_back(fmt::format("use base unit \"{}\" instead of \"{}\"", base, unit));
  }
  lint_suffixes(family, out);
  if (family.type != "untyped" && has_word(name, family.type)) {
    out.push_back(fmt::format("metric name should not include type '{}'", family.type));
  }
  if (name.find(':') != std::string::npos) {
    out.emplace_back("metric names should not contain ':'");
  }
  if (camel_case(family.name)) {
    out.emplace_back("metric names should be written in 'snake_case' not 'camelCase'");
  }
  for (const std::string_view abbreviation : kAbbreviations) {
    if (has_word(name, abbreviation)) {
      out.emplace_back("metric names should not contain abbreviated units");
    }
  }
  lint_labels(family, out);
  return out;
}

}  // namespace varve::cli
