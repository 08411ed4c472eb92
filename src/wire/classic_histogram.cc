// SPDX-License-Identifier: Apache-2.0
// Source of the rules: Prometheus 3.14, util/convertnhcb and model/textparse/nhcbparse.go.
#include "wire/classic_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/histogram.h"
#include "wire/exposition_number.h"

namespace varve::wire {
namespace {

// Buckets of one histogram; more are no histogram, and putting each in its place costs a square.
constexpr std::size_t kBucketsMax = 10'000;
constexpr double kInf = std::numeric_limits<double>::infinity();

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Takes the next element of a label list, up to a comma outside quotes, off `text`.
std::string_view take_element(std::string_view& text) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (quoted && text[end] == '\\') {
      ++end;
    } else if (text[end] == '"') {
      quoted = !quoted;
    } else if (text[end] == ',' && !quoted) {
      break;
    }
  }
  const std::string_view element = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return element;
}

// `le="0.5"` → 0.5; nullopt for another label, NaN for a bound that is none.
std::optional<double> bound_of(std::string_view element) {
  if (element.starts_with("\"le\"")) {
    element.remove_prefix(4);
  } else if (element.starts_with("le")) {
    element.remove_prefix(2);
  } else {
    return std::nullopt;
  }
  element = trimmed(element);
  if (!element.starts_with('=')) return std::nullopt;
  element = trimmed(element.substr(1));
  if (element.size() < 2 || !element.starts_with('"') || !element.ends_with('"'))
    return normal_nan();
  return parse_exposition_float(element.substr(1, element.size() - 2)).value_or(normal_nan());
}

}  // namespace

std::optional<ClassicPart> classic_part(std::string_view series, std::string_view family) {
  if (family.empty()) return std::nullopt;
  // The name stands before the brace, or quoted as the first element behind it.
  std::string_view name = trimmed(series.substr(0, series.find('{')));
  std::string_view rest;
  const auto brace = series.find('{');
  if (brace != std::string_view::npos) {
    rest = series.substr(brace + 1, series.rfind('}') - brace - 1);
  }
  const bool quoted = name.empty();
  if (quoted) {
    name = take_element(rest);
    if (name.size() < 2 || !name.starts_with('"') || !name.ends_with('"')) return std::nullopt;
    name = name.substr(1, name.size() - 2);
  }
  if (!name.starts_with(family)) return std::nullopt;
  const std::string_view suffix = name.substr(family.size());
  ClassicPart part;
  if (suffix == "_bucket") {
    part.kind = ClassicPart::Kind::kBucket;
  } else if (suffix == "_count") {
    part.kind = ClassicPart::Kind::kCount;
  } else if (suffix == "_sum") {
    part.kind = ClassicPart::Kind::kSum;
  } else {
    return std::nullopt;
  }
  std::optional<double> bound;
  std::string labels;
  while (!rest.empty()) {
    const std::string_view element = take_element(rest);
    if (element.empty()) continue;
    if (const auto found = bound_of(element)) {
      bound = found;
      continue;
    }
    if (!labels.empty()) labels += ',';
    labels += element;
  }
  if (part.kind == ClassicPart::Kind::kBucket) {
    if (!bound || std::isnan(*bound)) return std::nullopt;
    part.upper_bound = *bound;
  }
  if (quoted) {
    part.series.append("{\"").append(family).append("\"");
    if (!labels.empty()) part.series.append(",").append(labels);
    part.series += '}';
  } else {
    part.series = family;
    if (!labels.empty()) part.series.append("{").append(labels).append("}");
  }
  return part;
}

std::string shared_labels_text(std::string_view series) {
  std::string out;
  const auto brace = series.find('{');
  if (brace == std::string_view::npos) return out;
  std::string_view rest = series.substr(brace + 1, series.rfind('}') - brace - 1);
  if (trimmed(series.substr(0, brace)).empty()) take_element(rest);  // the quoted name
  while (!rest.empty()) {
    const std::string_view element = take_element(rest);
    if (element.empty() || bound_of(element) || element.starts_with("quantile=")) continue;
    if (!out.empty()) out += ',';
    out += element;
  }
  return out;
}

void ClassicHistogramCollector::add(ClassicPart part, const ExpositionSample& sample) {
  if (!open_) {
    open_ = true;
    broken_ = false;
    count_.reset();
    buckets_.clear();
    collected_ = {};
    collected_.series = std::move(part.series);
    collected_.start_ms = sample.start_ms;
  }
  collected_.timestamp_ms = sample.timestamp_ms;
  for (const ExpositionExemplar& exemplar : sample.exemplars) {
    if (!exemplar.timestamp_ms) continue;
    collected_.exemplars.push_back(
        {std::string(exemplar.labels_text), exemplar.value, *exemplar.timestamp_ms});
  }
  switch (part.kind) {
    case ClassicPart::Kind::kBucket:
      add_bucket(part.upper_bound, sample.value);
      break;
    case ClassicPart::Kind::kSum:
      collected_.histogram.sum = sample.value;
      break;
    case ClassicPart::Kind::kCount:
      broken_ |= sample.value < 0;
      count_ = sample.value;
  }
}

void ClassicHistogramCollector::add_bucket(double upper_bound, double count) {
  broken_ |= buckets_.size() >= kBucketsMax;
  if (broken_) return;
  const auto at = std::lower_bound(
      buckets_.begin(), buckets_.end(), upper_bound,
      [](const std::pair<double, double>& bucket, double bound) { return bucket.first < bound; });
  if (at != buckets_.end() && at->first == upper_bound) return;  // the first of two counts
  broken_ |= count < 0;
  broken_ |= at != buckets_.begin() && count < std::prev(at)->second;
  broken_ |= at != buckets_.end() && count > at->second;
  buckets_.insert(at, {upper_bound, count});
}

bool ClassicHistogramCollector::convert(Histogram& out) {
  if (!count_) {
    if (buckets_.empty()) return false;
    count_ = buckets_.back().second;
  }
  if (buckets_.empty() || buckets_.back().first != kInf) buckets_.emplace_back(kInf, *count_);
  if (*count_ != buckets_.back().second) return false;
  out.schema = kCustomBucketsSchema;
  out.count = *count_;
  out.integer = true;
  double before = 0;
  for (const auto& [bound, total] : buckets_) {
    // The counts are integers if all of them fit one exactly.
    out.integer &= total == std::round(total) && total < 9.2e18;
    if (bound != kInf) out.custom_bounds.push_back(bound);
    out.positive_counts.push_back(total - before);
    before = total;
  }
  out.positive_spans = {{0, static_cast<std::uint32_t>(buckets_.size())}};
  model::compact(out, out.integer ? 2 : 0);
  return model::validate(out).ok();
}

std::optional<ClassicHistogramCollector::Collected> ClassicHistogramCollector::take() {
  if (!open_) return std::nullopt;
  open_ = false;
  if (broken_ || !convert(collected_.histogram)) return std::nullopt;
  return std::move(collected_);
}

}  // namespace varve::wire
