// SPDX-License-Identifier: Apache-2.0
// Field numbers: prometheus/client_model io/prometheus/client/metrics.proto.
#include "wire/exposition_write.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <protozero/pbf_builder.hpp>
#include <protozero/varint.hpp>
#include <utility>

#include "model/number.h"

namespace varve::wire {
namespace {

enum class FamilyField : protozero::pbf_tag_type { kName = 1, kType = 3, kMetric = 4 };
enum class MetricField : protozero::pbf_tag_type {
  kLabel = 1, kUntyped = 5, kTimestampMs = 6, kHistogram = 7
};
enum class LabelField : protozero::pbf_tag_type { kName = 1, kValue = 2 };
enum class UntypedField : protozero::pbf_tag_type { kValue = 1 };
enum class HistogramField : protozero::pbf_tag_type {
  kSum = 2, kCountFloat = 4, kSchema = 5, kZeroThreshold = 6, kZeroCountFloat = 8,
  kNegativeSpan = 9, kNegativeCount = 11, kPositiveSpan = 12, kPositiveCount = 14
};
enum class SpanField : protozero::pbf_tag_type { kOffset = 1, kLength = 2 };
// enum MetricType
constexpr std::int32_t kTypeUntyped = 3;
constexpr std::int32_t kTypeHistogram = 4;
constexpr std::int32_t kTypeGaugeHistogram = 5;

bool legacy_char(unsigned char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
         (!first && c >= '0' && c <= '9');
}

bool legacy_name(std::string_view name) {
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!legacy_char(static_cast<unsigned char>(name[i]), i == 0)) return false;
  }
  return !name.empty();
}

// The code point at `at` of valid UTF-8, and how many bytes it takes.
std::pair<std::uint32_t, std::size_t> code_point(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1f) << 6 | (byte(1) & 0x3f), 2};
  if (lead < 0xf0) return {(lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f),
          4};
}

// The text format's escaping of label values.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\') out += "\\\\";
    else if (c == '"') out += "\\\"";
    else if (c == '\n') out += "\\n";
    else out += c;
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void put_spans(protozero::pbf_builder<HistogramField>& histogram, HistogramField field,
               const std::vector<HistogramSpan>& spans) {
  for (const HistogramSpan& span : spans) {
    protozero::pbf_builder<SpanField> message(histogram, field);
    message.add_sint32(SpanField::kOffset, span.offset);
    message.add_uint32(SpanField::kLength, span.length);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = trim(text.substr(0, at));
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

std::optional<NameEscaping> escaping_named(std::string_view name) {
  if (name == "allow-utf-8") return NameEscaping::kNone;
  if (name == "underscores") return NameEscaping::kUnderscores;
  if (name == "dots") return NameEscaping::kDots;
  if (name == "values") return NameEscaping::kValues;
  return std::nullopt;
}

}  // namespace

WrittenForm WrittenForm::negotiate(std::string_view accept) {
  struct Choice {
    double quality = -1;
    WrittenForm form;
  };
  Choice best;
  while (!accept.empty()) {
    std::string_view entry = take_until(accept, ',');
    const std::string_view type = take_until(entry, ';');
    Choice choice{1, {}};
    std::string_view version;
    std::string_view proto;
    std::string_view encoding;
    while (!entry.empty()) {
      std::string_view value = take_until(entry, ';');
      const std::string_view name = take_until(value, '=');
      value = trim(value);
      if (name == "q") choice.quality = std::strtod(std::string(value).c_str(), nullptr);
      if (name == "version") version = value;
      if (name == "proto") proto = value;
      if (name == "encoding") encoding = value;
      if (name == "escaping") {
        if (const auto known = escaping_named(value)) choice.form.escaping = *known;
      }
    }
    if (type == "application/vnd.google.protobuf") {
      if (proto != "io.prometheus.client.MetricFamily" || encoding != "delimited") continue;
      choice.form.format = WrittenFormat::kProtobuf;
    } else if (type != "text/plain" || (!version.empty() && version != "0.0.4")) {
      // Not ours, but what it says about names is heeded where nothing fits.
      if (best.quality < 0) best.form.escaping = choice.form.escaping;
      continue;
    }
    if (choice.quality > best.quality) best = choice;
  }
  return best.form;
}

std::string WrittenForm::content_type() const {
  std::string text =
      format == WrittenFormat::kText
          ? "text/plain; version=0.0.4; charset=utf-8; escaping="
          : "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
            "encoding=delimited; escaping=";
  switch (escaping) {
    case NameEscaping::kNone: return text + "allow-utf-8";
    case NameEscaping::kUnderscores: return text + "underscores";
    case NameEscaping::kDots: return text + "dots";
    case NameEscaping::kValues: return text + "values";
  }
  return text;
}

std::string escape_name(std::string_view name, NameEscaping escaping) {
  if (name.empty() || escaping == NameEscaping::kNone) return std::string(name);
  // Dots escapes underscores too, so it never leaves a name alone.
  if (escaping != NameEscaping::kDots && legacy_name(name)) return std::string(name);
  std::string out = escaping == NameEscaping::kValues ? "U__" : "";
  for (std::size_t i = 0; i < name.size();) {
    const auto [point, size] = code_point(name, i);
    const bool plain = point < 0x80 && legacy_char(static_cast<unsigned char>(point), i == 0);
    if (escaping == NameEscaping::kUnderscores) {
      out += plain ? static_cast<char>(point) : '_';
    } else if (point == '_') {
      out += "__";
    } else if (plain) {
      out += static_cast<char>(point);
    } else if (escaping == NameEscaping::kDots) {
      out += point == '.' ? "_dot_" : "__";
    } else {
      fmt::format_to(std::back_inserter(out), "_{:x}_", point);
    }
    i += size;
  }
  return out;
}

template <typename Each>
void FamilyWriter::each_label(const Labels& labels, const Each& each) const {
  for (const LabelView& label : labels) {
    if (label.name != kMetricName) each(label.name, label.value);
  }
  for (const LabelView& label : extra_) {
    if (labels.get(label.name).empty()) each(label.name, label.value);
  }
  if (extra_empty_instance_ && labels.get("instance").empty()) {
    each(std::string_view("instance"), std::string_view());
  }
}

void FamilyWriter::add(const WrittenSample& sample, std::string& out) {
  const std::string_view name = sample.labels.get(kMetricName);
  if (name.empty()) return;
  Kind kind = Kind::kUntyped;
  if (sample.histogram) {
    if (form_.format == WrittenFormat::kText || sample.histogram->custom_buckets()) return;
    kind = sample.histogram->counter_reset_hint == CounterResetHint::kGauge ? Kind::kGaugeHistogram
                                                                            : Kind::kHistogram;
  }
  if (name != name_ || kind != kind_) begin(name, kind, out);
  if (form_.format == WrittenFormat::kText) {
    add_text(sample, name, out);
  } else {
    add_protobuf(sample);
  }
}

void FamilyWriter::begin(std::string_view name, Kind kind, std::string& out) {
  finish(out);
  name_ = name;
  kind_ = kind;
  const std::string written = escape_name(name, form_.escaping);
  if (form_.format == WrittenFormat::kText) {
    out += "# TYPE ";
    if (legacy_name(written)) out += written;
    else append_quoted(out, written);
    out += " untyped\n";
    return;
  }
  protozero::pbf_builder<FamilyField> family(family_);
  family.add_string(FamilyField::kName, written);
  family.add_enum(FamilyField::kType, kind == Kind::kUntyped     ? kTypeUntyped
                                      : kind == Kind::kHistogram ? kTypeHistogram
                                                                 : kTypeGaugeHistogram);
}

void FamilyWriter::finish(std::string& out) {
  if (!family_.empty()) {
    protozero::write_varint(std::back_inserter(out), family_.size());
    out += family_;
    family_.clear();
  }
  name_.clear();
  kind_ = Kind::kNone;
}

void FamilyWriter::add_text(const WrittenSample& sample, std::string_view name,
                            std::string& out) const {
  const std::string written = escape_name(name, form_.escaping);
  const bool quoted = !legacy_name(written);
  bool first = true;
  if (quoted) {
    out += '{';
    append_quoted(out, written);
    first = false;
  } else {
    out += written;
  }
  each_label(sample.labels, [&](std::string_view label, std::string_view value) {
    out += first && !quoted ? '{' : ',';
    first = false;
    const std::string label_written = escape_name(label, form_.escaping);
    if (legacy_name(label_written)) out += label_written;
    else append_quoted(out, label_written);
    out += '=';
    append_quoted(out, value);
  });
  if (!first) out += '}';
  out += ' ';
  out += model::format_float_g(sample.value);
  fmt::format_to(std::back_inserter(out), " {}\n", sample.timestamp_ms);
}

void FamilyWriter::add_protobuf(const WrittenSample& sample) {
  protozero::pbf_builder<FamilyField> family(family_);
  protozero::pbf_builder<MetricField> metric(family, FamilyField::kMetric);
  each_label(sample.labels, [&](std::string_view label, std::string_view value) {
    protozero::pbf_builder<LabelField> pair(metric, MetricField::kLabel);
    pair.add_string(LabelField::kName, escape_name(label, form_.escaping));
    pair.add_string(LabelField::kValue, value.data(), value.size());
  });
  if (!sample.histogram) {
    protozero::pbf_builder<UntypedField> untyped(metric, MetricField::kUntyped);
    untyped.add_double(UntypedField::kValue, sample.value);
  } else {
    const Histogram& from = *sample.histogram;
    protozero::pbf_builder<HistogramField> to(metric, MetricField::kHistogram);
    to.add_double(HistogramField::kSum, from.sum);
    to.add_double(HistogramField::kCountFloat, from.count);
    to.add_sint32(HistogramField::kSchema, from.schema);
    to.add_double(HistogramField::kZeroThreshold, from.zero_threshold);
    to.add_double(HistogramField::kZeroCountFloat, from.zero_count);
    put_spans(to, HistogramField::kNegativeSpan, from.negative_spans);
    for (const double count : from.negative_counts) {
      to.add_double(HistogramField::kNegativeCount, count);
    }
    put_spans(to, HistogramField::kPositiveSpan, from.positive_spans);
    for (const double count : from.positive_counts) {
      to.add_double(HistogramField::kPositiveCount, count);
    }
  }
  metric.add_int64(MetricField::kTimestampMs, sample.timestamp_ms);
}

}  // namespace varve::wire
