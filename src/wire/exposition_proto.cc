// SPDX-License-Identifier: Apache-2.0
// Source of the field numbers: io/prometheus/client/metrics.proto of prometheus/client_model; of
// what stands for what: Prometheus 3.14's reader of it (model/textparse).
#include "wire/exposition_proto.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

#include "base/try.h"
#include "model/histogram.h"
#include "model/number.h"
#include "wire/bucket_fields.h"
#include "wire/label_checks.h"

namespace varve::wire {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

constexpr std::int32_t kCounter = 0, kGauge = 1, kSummary = 2, kUntyped = 3, kHistogram = 4,
                       kGaugeHistogram = 5;
constexpr double kInf = std::numeric_limits<double>::infinity();
// Families and messages that are quoted in errors are cut.
constexpr std::size_t kQuotedInErrorsMax = 120;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

std::string_view type_name(std::int32_t type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kSummary:
      return "summary";
    case kUntyped:
      return "unknown";
    case kHistogram:
      return "histogram";
    case kGaugeHistogram:
      return "gaugehistogram";
    default:
      return {};
  }
}

std::string_view view(const protozero::data_view& data) { return {data.data(), data.size()}; }

bool is_bare(std::string_view name, bool metric) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || (metric && c == ':');
    if (!word) return false;
  }
  return true;
}

void append_escaped(std::string& out, std::string_view text) {
  if (text.find_first_of("\\\"\n") == std::string_view::npos) {
    out += text;
    return;
  }
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

// `name="value"`, with a comma before it if it is not the first.
void append_label(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ',';
  if (is_bare(name, false)) {
    out += name;
  } else {
    out += '"';
    append_escaped(out, name);
    out += '"';
  }
  out += "=\"";
  append_escaped(out, value);
  out += '"';
}

// Reads one LabelPair.
void append_label_pair(std::string& out, pbf_reader pair) {
  std::string_view name, value;
  while (pair.next()) {
    switch (pair.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        name = view(pair.get_view());
        break;
      case tag_and_type(2, pbf_wire_type::length_delimited):
        value = view(pair.get_view());
        break;
      default:
        pair.skip();
    }
  }
  append_label(out, name, value);
}

// google.protobuf.Timestamp in milliseconds. Unsigned inside, so that absurd seconds wrap instead
// of being undefined.
Timestamp read_timestamp(pbf_reader message) {
  std::uint64_t seconds = 0;
  std::int64_t nanos = 0;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
        seconds = static_cast<std::uint64_t>(message.get_int64());
        break;
      case tag_and_type(2, pbf_wire_type::varint):
        nanos = message.get_int32();
        break;
      default:
        message.skip();
    }
  }
  return static_cast<Timestamp>(seconds * 1000 + static_cast<std::uint64_t>(nanos / 1'000'000));
}

struct Exemplar {
  std::string labels;  // `{…}`
  double value = 0;
  std::optional<Timestamp> timestamp_ms;
};

Exemplar read_exemplar(pbf_reader message) {
  Exemplar out;
  std::string labels;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        append_label_pair(labels, message.get_message());
        break;
      case tag_and_type(2, pbf_wire_type::fixed64):
        out.value = message.get_double();
        break;
      case tag_and_type(3, pbf_wire_type::length_delimited):
        out.timestamp_ms = read_timestamp(message.get_message());
        break;
      default:
        message.skip();
    }
  }
  out.labels = '{' + labels + '}';
  return out;
}

struct ClassicBucket {
  double upper_bound = 0;
  double cumulative = 0;
  std::optional<Exemplar> exemplar;
};

ClassicBucket read_bucket(pbf_reader message) {
  ClassicBucket bucket;
  double whole = 0;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
        whole = static_cast<double>(message.get_uint64());
        break;
      case tag_and_type(2, pbf_wire_type::fixed64):
        bucket.upper_bound = message.get_double();
        break;
      case tag_and_type(3, pbf_wire_type::length_delimited):
        bucket.exemplar = read_exemplar(message.get_message());
        break;
      case tag_and_type(4, pbf_wire_type::fixed64):
        bucket.cumulative = message.get_double();
        break;
      default:
        message.skip();
    }
  }
  if (bucket.cumulative == 0) bucket.cumulative = whole;
  return bucket;
}

// A histogram as it came, classic and native at once.
struct ReadHistogram {
  double count = 0, count_float = 0, sum = 0, zero_count = 0, zero_count_float = 0;
  std::vector<ClassicBucket> buckets;
  std::vector<Exemplar> exemplars;
  std::optional<Timestamp> created_ms;
  Histogram native;  // spans, schema, threshold, integer counts
  std::vector<double> positive_floats, negative_floats;

  bool is_native() const {
    return !native.positive_spans.empty() || !native.negative_spans.empty() ||
           native.zero_threshold > 0 || zero_count > 0 || zero_count_float > 0;
  }
};

ReadHistogram read_histogram(pbf_reader message) {
  ReadHistogram out;
  std::uint64_t positive = 0, negative = 0;
  while (message.next()) {
    switch (message.tag()) {
      case 10:
        read_deltas(message, negative, out.native.negative_counts);
        continue;
      case 11:
        read_doubles(message, out.negative_floats);
        continue;
      case 13:
        read_deltas(message, positive, out.native.positive_counts);
        continue;
      case 14:
        read_doubles(message, out.positive_floats);
        continue;
      default:
        break;
    }
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
        out.count = static_cast<double>(message.get_uint64());
        break;
      case tag_and_type(2, pbf_wire_type::fixed64):
        out.sum = message.get_double();
        break;
      case tag_and_type(3, pbf_wire_type::length_delimited):
        out.buckets.push_back(read_bucket(message.get_message()));
        break;
      case tag_and_type(4, pbf_wire_type::fixed64):
        out.count_float = message.get_double();
        break;
      case tag_and_type(5, pbf_wire_type::varint):
        out.native.schema = message.get_sint32();
        break;
      case tag_and_type(6, pbf_wire_type::fixed64):
        out.native.zero_threshold = message.get_double();
        break;
      case tag_and_type(7, pbf_wire_type::varint):
        out.zero_count = static_cast<double>(message.get_uint64());
        break;
      case tag_and_type(8, pbf_wire_type::fixed64):
        out.zero_count_float = message.get_double();
        break;
      case tag_and_type(9, pbf_wire_type::length_delimited):
        out.native.negative_spans.push_back(read_span(message.get_message()));
        break;
      case tag_and_type(12, pbf_wire_type::length_delimited):
        out.native.positive_spans.push_back(read_span(message.get_message()));
        break;
      case tag_and_type(15, pbf_wire_type::length_delimited):
        out.created_ms = read_timestamp(message.get_message());
        break;
      case tag_and_type(16, pbf_wire_type::length_delimited):
        out.exemplars.push_back(read_exemplar(message.get_message()));
        break;
      default:
        message.skip();
    }
  }
  return out;
}

// OpenMetrics' spelling of a number in `le` and `quantile`: never without a point or an exponent.
std::string bound_text(double value) {
  std::string text = model::format_float_g(value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

struct ProtoExpositionParser::Rep {
  // One sample that a metric stands for.
  struct Item {
    std::string_view suffix = {};      // of the metric's name
    std::string_view label_name = {};  // of the label that is added; empty: none
    std::string label_value = {};
    double value = 0;
    std::optional<Histogram> histogram = {};
    std::vector<Exemplar> exemplars = {};
  };

  std::string_view rest;  // of the body, after the current family
  ProtoExpositionOptions options;
  std::size_t histograms_bytes = 0;

  std::string_view name, help, unit, type_word;
  std::int32_t type = kCounter;
  std::vector<protozero::data_view> metrics;
  std::size_t next_metric = 0;
  bool help_due = false, unit_due = false, type_due = false;

  std::string labels;  // of the current metric, `a="b",c="d"`
  std::optional<Timestamp> timestamp_ms, start_ms;
  std::vector<Item> items;  // of the current metric
  std::size_t next_item = 0;

  std::string series;
  std::vector<ExpositionExemplar> exemplars;
  ExpositionSample sample;
  ExpositionMetadata metadata;

  Result<ExpositionEntry> next();
  Status read_family();
  Status read_metric(pbf_reader metric);
  Status check_unit() const;
  void read_counter(pbf_reader message);
  void read_summary(pbf_reader message);
  Status read_histograms(ReadHistogram histogram);
  Status add_native(ReadHistogram& histogram);
  void add_classic(ReadHistogram& histogram);
  void show(Item& item);
};

// `…_unit`, and for counters also `…_unit_total`.
Status ProtoExpositionParser::Rep::check_unit() const {
  std::string_view base = name;
  const bool counter = type == kCounter && base.ends_with("_total");
  if (counter) base.remove_suffix(6);
  if (base.size() > unit.size() && base.ends_with(unit) &&
      base[base.size() - unit.size() - 1] == '_') {
    return {};
  }
  return invalid(fmt::format("unit \"{}\" not a suffix of {} \"{}\"", unit,
                             counter ? "counter" : "metric", name));
}

Status ProtoExpositionParser::Rep::read_family() {
  const char* at = rest.data();
  const std::uint64_t length = protozero::decode_varint(&at, rest.data() + rest.size());
  rest.remove_prefix(static_cast<std::size_t>(at - rest.data()));
  if (length > rest.size()) return invalid("a metric family is cut off by the end of the body");
  pbf_reader family(rest.data(), static_cast<std::size_t>(length));
  rest.remove_prefix(static_cast<std::size_t>(length));
  name = help = unit = {};
  type = kCounter;
  metrics.clear();
  next_metric = 0;
  while (family.next()) {
    switch (family.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        name = view(family.get_view());
        break;
      case tag_and_type(2, pbf_wire_type::length_delimited):
        help = view(family.get_view());
        break;
      case tag_and_type(3, pbf_wire_type::varint):
        type = family.get_enum();
        break;
      case tag_and_type(4, pbf_wire_type::length_delimited):
        metrics.push_back(family.get_view());
        break;
      case tag_and_type(5, pbf_wire_type::length_delimited):
        unit = view(family.get_view());
        break;
      default:
        family.skip();
    }
  }
  if (metrics.empty()) return {};
  if (name.empty() || !is_utf8(name)) {
    return invalid(fmt::format("invalid metric name: {}", is_utf8(name) ? name : "(not UTF-8)"));
  }
  if (!is_utf8(help)) {
    return invalid(
        fmt::format("invalid help for metric \"{}\"", name.substr(0, kQuotedInErrorsMax)));
  }
  type_word = type_name(type);
  if (type_word.empty()) {
    return invalid(fmt::format("unknown metric type for metric \"{}\": {}",
                               name.substr(0, kQuotedInErrorsMax), type));
  }
  if (!unit.empty()) VARVE_TRY(check_unit());
  help_due = type_due = true;
  unit_due = !unit.empty();
  return {};
}

Status ProtoExpositionParser::Rep::read_metric(pbf_reader metric) {
  labels.clear();
  timestamp_ms.reset();
  start_ms.reset();
  items.clear();
  next_item = 0;
  std::optional<pbf_reader> body;
  while (metric.next()) {
    switch (metric.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        append_label_pair(labels, metric.get_message());
        continue;
      case tag_and_type(6, pbf_wire_type::varint):
        // The format cannot tell 0 from nothing.
        if (const Timestamp time = metric.get_int64(); time != 0) timestamp_ms = time;
        continue;
      default:
        break;
    }
    const bool wanted =
        metric.wire_type() == pbf_wire_type::length_delimited &&
        ((metric.tag() == 2 && type == kGauge) || (metric.tag() == 3 && type == kCounter) ||
         (metric.tag() == 4 && type == kSummary) || (metric.tag() == 5 && type == kUntyped) ||
         (metric.tag() == 7 && (type == kHistogram || type == kGaugeHistogram)));
    if (wanted) {
      body = metric.get_message();
    } else {
      metric.skip();
    }
  }
  // A metric without its part is one whose numbers are all zero.
  pbf_reader part = body.value_or(pbf_reader());
  switch (type) {
    case kSummary:
      read_summary(part);
      return {};
    case kHistogram:
    case kGaugeHistogram:
      return read_histograms(read_histogram(part));
    default:
      read_counter(part);
      return {};
  }
}

// Counters, gauges and untyped metrics: the latter two are counters that have no more than a value.
void ProtoExpositionParser::Rep::read_counter(pbf_reader message) {
  Item& item = items.emplace_back();
  while (message.next()) {
    if (message.tag_and_type() == tag_and_type(1, pbf_wire_type::fixed64)) {
      item.value = message.get_double();
    } else if (type == kCounter &&
               message.tag_and_type() == tag_and_type(2, pbf_wire_type::length_delimited)) {
      item.exemplars = {read_exemplar(message.get_message())};
    } else if (type == kCounter &&
               message.tag_and_type() == tag_and_type(3, pbf_wire_type::length_delimited)) {
      start_ms = read_timestamp(message.get_message());
    } else {
      message.skip();
    }
  }
}

void ProtoExpositionParser::Rep::read_summary(pbf_reader message) {
  double count = 0, sum = 0;
  std::vector<std::pair<double, double>> quantiles;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
        count = static_cast<double>(message.get_uint64());
        break;
      case tag_and_type(2, pbf_wire_type::fixed64):
        sum = message.get_double();
        break;
      case tag_and_type(3, pbf_wire_type::length_delimited): {
        auto& [quantile, value] = quantiles.emplace_back();
        pbf_reader pair = message.get_message();
        while (pair.next()) {
          switch (pair.tag_and_type()) {
            case tag_and_type(1, pbf_wire_type::fixed64):
              quantile = pair.get_double();
              break;
            case tag_and_type(2, pbf_wire_type::fixed64):
              value = pair.get_double();
              break;
            default:
              pair.skip();
          }
        }
        break;
      }
      case tag_and_type(4, pbf_wire_type::length_delimited):
        start_ms = read_timestamp(message.get_message());
        break;
      default:
        message.skip();
    }
  }
  items.push_back({.suffix = "_count", .value = count});
  items.push_back({.suffix = "_sum", .value = sum});
  for (const auto& [quantile, value] : quantiles) {
    items.push_back(
        {.label_name = "quantile", .label_value = bound_text(quantile), .value = value});
  }
}

Status ProtoExpositionParser::Rep::read_histograms(ReadHistogram histogram) {
  start_ms = histogram.created_ms;
  const bool native = options.native && histogram.is_native();
  if (native) VARVE_TRY(add_native(histogram));
  if (!native || (options.classic && !histogram.buckets.empty())) add_classic(histogram);
  return {};
}

Status ProtoExpositionParser::Rep::add_native(ReadHistogram& read) {
  Histogram& histogram = read.native;
  const bool floats = read.count_float > 0 || read.zero_count_float > 0;
  histogram.integer = !floats;
  histogram.count = floats ? read.count_float : read.count;
  histogram.zero_count = floats ? read.zero_count_float : read.zero_count;
  histogram.sum = read.sum;
  if (floats) {
    histogram.positive_counts = std::move(read.positive_floats);
    histogram.negative_counts = std::move(read.negative_floats);
  }
  if (type == kGaugeHistogram) histogram.counter_reset_hint = CounterResetHint::kGauge;
  histograms_bytes +=
      sizeof(Histogram) + (histogram.positive_counts.size() + histogram.negative_counts.size() +
                           histogram.positive_spans.size() + histogram.negative_spans.size()) *
                              sizeof(double);
  if (histograms_bytes > options.histograms_max_bytes) {
    return Error(ErrorCode::kLimitExceeded,
                 "the native histograms of the scrape take too much memory");
  }
  if (Status valid = model::validate(histogram); !valid.ok()) {
    return std::move(valid).error().with(fmt::format("histogram {}{{{}}}", name, labels));
  }
  model::compact(histogram);
  Item item;
  item.histogram = std::move(histogram);
  // Those of a native histogram need times of their own; without a list of them the classic
  // buckets' serve.
  for (Exemplar& exemplar : read.exemplars) {
    if (exemplar.timestamp_ms) item.exemplars.push_back(std::move(exemplar));
  }
  if (read.exemplars.empty()) {
    for (const ClassicBucket& bucket : read.buckets) {
      if (bucket.exemplar && bucket.exemplar->timestamp_ms)
        item.exemplars.push_back(*bucket.exemplar);
    }
  }
  items.push_back(std::move(item));
  return {};
}

void ProtoExpositionParser::Rep::add_classic(ReadHistogram& histogram) {
  const double count = histogram.count_float != 0 ? histogram.count_float : histogram.count;
  items.push_back({.suffix = "_count", .value = count});
  items.push_back({.suffix = "_sum", .value = histogram.sum});
  bool infinite = false;
  for (ClassicBucket& bucket : histogram.buckets) {
    Item& item = items.emplace_back();
    item.suffix = "_bucket";
    item.label_name = "le";
    item.label_value = bound_text(bucket.upper_bound);
    item.value = bucket.cumulative;
    if (bucket.exemplar) item.exemplars = {*std::move(bucket.exemplar)};
    if (bucket.upper_bound == kInf) {
      infinite = true;
      break;
    }
  }
  if (infinite) return;
  items.push_back({.suffix = "_bucket", .label_name = "le", .label_value = "+Inf", .value = count});
}

void ProtoExpositionParser::Rep::show(Item& item) {
  series.clear();
  std::string all = labels;
  if (!item.label_name.empty()) append_label(all, item.label_name, item.label_value);
  if (is_bare(name, true)) {
    series += name;
    series += item.suffix;
    if (!all.empty()) series += '{' + all + '}';
  } else {
    series += "{\"";
    append_escaped(series, name);
    series += item.suffix;
    series += '"';
    if (!all.empty()) series += ',';
    series += all + '}';
  }
  exemplars.clear();
  for (const Exemplar& exemplar : item.exemplars) {
    exemplars.push_back({exemplar.labels, exemplar.value, exemplar.timestamp_ms});
  }
  sample.series = series;
  sample.value = std::isnan(item.value) ? normal_nan() : item.value;
  sample.histogram = item.histogram ? &*item.histogram : nullptr;
  sample.timestamp_ms = timestamp_ms;
  sample.exemplars = exemplars;
  sample.start_ms = start_ms;
}

Result<ExpositionEntry> ProtoExpositionParser::Rep::next() {
  for (;;) {
    metadata = {name, {}};
    if (help_due) {
      help_due = false;
      metadata.text = help;
      return ExpositionEntry::kHelp;
    }
    if (unit_due) {
      unit_due = false;
      metadata.text = unit;
      return ExpositionEntry::kUnit;
    }
    if (type_due) {
      type_due = false;
      metadata.text = type_word;
      return ExpositionEntry::kType;
    }
    if (next_item < items.size()) {
      show(items[next_item++]);
      return ExpositionEntry::kSample;
    }
    if (next_metric < metrics.size()) {
      VARVE_TRY(read_metric(pbf_reader(metrics[next_metric++])));
      continue;
    }
    if (rest.empty()) return ExpositionEntry::kEnd;
    items.clear();
    next_item = 0;
    VARVE_TRY(read_family());
  }
}

ProtoExpositionParser::ProtoExpositionParser(std::string_view body, ProtoExpositionOptions options)
    : rep_(std::make_unique<Rep>()) {
  rep_->rest = body;
  rep_->options = options;
}
ProtoExpositionParser::~ProtoExpositionParser() = default;

Result<ExpositionEntry> ProtoExpositionParser::next() {
  try {
    return rep_->next();
  } catch (const protozero::exception& broken) {
    return invalid(fmt::format("invalid protobuf: {}", broken.what()));
  }
}

const ExpositionSample& ProtoExpositionParser::sample() const { return rep_->sample; }
const ExpositionMetadata& ProtoExpositionParser::metadata() const { return rep_->metadata; }
std::string_view ProtoExpositionParser::family() const { return rep_->name; }
std::string_view ProtoExpositionParser::family_type() const { return rep_->type_word; }

}  // namespace varve::wire
