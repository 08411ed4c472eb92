// SPDX-License-Identifier: Apache-2.0
// The text formats that scrape targets answer: Prometheus text (0.0.4, 1.0.0) and OpenMetrics
// (0.0.1, 1.0.0). One pass over a whole body; labels are not parsed here, because the series text
// of a line is the same in every scrape and can be looked up: parse_series_text() is for misses.
// The third format is exposition_proto.h's; it speaks the same entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::wire {

// What a metric family is told to be, as labels of its series (--enable-feature=
// type-and-unit-labels).
inline constexpr std::string_view kTypeLabel = "__type__", kUnitLabel = "__unit__";

enum class ExpositionFormat : std::uint8_t { kText, kOpenMetrics, kProtobuf };

// By the Content-Type of an answer. If it is missing, broken or of another type, the fallback if
// there is one (the pool's fallback_scrape_protocol), else kInvalidArgument in Prometheus 3's
// words.
Result<ExpositionFormat> format_from_content_type(
    std::string_view content_type, std::optional<ExpositionFormat> fallback = std::nullopt);

// What a line is. Comments and blank lines are passed over.
enum class ExpositionEntry : std::uint8_t { kSample, kType, kHelp, kUnit, kEnd };

// Views into the body or the parser, until the next call of next().
struct ExpositionExemplar {
  std::string_view labels_text;  // `{…}`, for parse_label_set()
  double value = 0;
  std::optional<Timestamp> timestamp_ms;
};

// Views into the body or the parser, until the next call of next().
struct ExpositionSample {
  std::string_view series;  // name and labels as they stand, or as the text format would say them
  double value = 0;         // NaN is kNormalNanBits; without meaning beside a histogram
  const Histogram* histogram = nullptr;  // native, valid (model::validate)
  std::optional<Timestamp> timestamp_ms;
  std::span<const ExpositionExemplar> exemplars;  // of a float at most one
  // When the series began, where the format says it beside the value (protobuf).
  std::optional<Timestamp> start_ms;
  // OpenMetrics: the `_created` line of the family that the last TYPE line named.
  bool created = false;
};

// A TYPE, HELP or UNIT line. Views into the body or the parser, until the next call of next().
struct ExpositionMetadata {
  std::string_view metric_family;
  std::string_view text;  // type (MetadataEntry's words), unescaped help or unit
};

// Reads one body, which must outlive it. For one thread. Memory: one HELP text.
class ExpositionParser {
 public:
  // Precondition: the format is a text format.
  ExpositionParser(std::string_view body, ExpositionFormat format)
      : rest_(body), format_(format) {}
  ExpositionParser(const ExpositionParser&) = delete;  // sample_ views into it
  ExpositionParser& operator=(const ExpositionParser&) = delete;

  // The next entry; kEnd from the end on. The first error (kInvalidArgument, with the line's number
  // and text, in Prometheus's words where it has them) is final: the rest must not be used.
  // OpenMetrics demands "# EOF" as the last line.
  Result<ExpositionEntry> next();

  // After kSample, and after kType, kHelp or kUnit.
  const ExpositionSample& sample() const { return sample_; }
  const ExpositionMetadata& metadata() const { return metadata_; }
  // Of the last TYPE line: the family and its type in MetadataEntry's words; "" before the first.
  std::string_view family() const { return family_; }
  std::string_view family_type() const { return family_type_; }
  // The number of the line of the last entry, from 1.
  std::size_t line() const { return line_; }

 private:
  Result<ExpositionEntry> parse_comment(std::string_view text, std::string_view whole_line);
  Result<ExpositionEntry> parse_metadata(ExpositionEntry entry, std::string_view text,
                                         std::string_view whole_line);
  Result<ExpositionEntry> parse_sample(std::string_view text);
  Status parse_exemplar(std::string_view text, std::string_view whole_line);
  Status set_timestamp(std::string_view text, std::string_view whole_line,
                       std::optional<Timestamp>& timestamp_ms) const;
  Error error(std::string_view what, std::string_view whole_line) const;

  std::string_view rest_;
  ExpositionFormat format_;
  std::size_t line_ = 0;
  bool ended_ = false;
  ExpositionSample sample_;
  ExpositionMetadata metadata_;
  ExpositionExemplar exemplar_;
  std::string_view family_;
  std::string_view family_type_;
  bool with_created_ = false;  // the type of family_ allows `_created`
  std::string help_;
};

// The labels of a series text, `__name__` included, empty values dropped; quoted UTF-8 names are
// understood. kInvalidArgument for broken syntax, a missing metric name, a duplicate label, invalid
// UTF-8; add the line number (ExpositionParser::line).
Result<Labels> parse_series_text(std::string_view series);
// The same for `{…}` without a metric name: the labels of an exemplar.
Result<Labels> parse_label_set(std::string_view braces);
// Whether a series text is of the family: named as it, or with what its type (MetadataEntry's word)
// adds to the name.
bool in_family(std::string_view series, std::string_view family, std::string_view type);

}  // namespace varve::wire
