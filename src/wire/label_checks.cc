// SPDX-License-Identifier: Apache-2.0
#include "wire/label_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/relabel.h"

namespace varve::wire {
namespace {

constexpr std::size_t kDescriptionMaxBytes = 1024;

// The length of the UTF-8 sequence that text begins with, 0 if it begins with none.
std::size_t sequence_length(std::string_view text) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(text.size(), 4); ++length) {
    if (model::valid_utf8(text.substr(0, length))) return length;
  }
  return 0;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const char c = text[0];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (length == 0 || static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

Error refused(std::span<const LabelView> labels, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("invalid metric name or labels, got {}: {}",
                                                        describe_labels(labels), why));
}

}  // namespace

bool is_utf8(std::string_view text) { return model::valid_utf8(text); }

Result<Labels> checked_labels(std::vector<LabelView>& labels, MetricNameRule metric_name) {
  const auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
  if (!std::is_sorted(labels.begin(), labels.end(), by_name)) {
    std::stable_sort(labels.begin(), labels.end(), by_name);
  }
  bool has_metric_name = false;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const LabelView& label = labels[i];
    if (label.name.empty()) return refused(labels, "a label name is empty");
    if (!is_utf8(label.name)) return refused(labels, "a label name is not valid UTF-8");
    if (!is_utf8(label.value)) {
      return refused(labels,
                     fmt::format("the value of label \"{}\" is not valid UTF-8", label.name));
    }
    if (i > 0 && labels[i - 1].name == label.name) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("label name \"{}\" is not unique: invalid sample, labels {}",
                               label.name, describe_labels(labels)));
    }
    has_metric_name |= label.name == kMetricName && !label.value.empty();
  }
  if (metric_name == MetricNameRule::kRequired && !has_metric_name) {
    return refused(labels, "the metric name is missing");
  }
  return Labels(std::span<const LabelView>(labels));
}

std::string describe_labels(std::span<const LabelView> labels) {
  std::string out = "{";
  for (const LabelView& label : labels) {
    if (out.size() > 1) out += ", ";
    if (out.size() > kDescriptionMaxBytes) {
      out += "…";
      break;
    }
    const bool bare =
        !label.name.empty() && std::all_of(label.name.begin(), label.name.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_';
        });
    if (bare) {
      out += label.name;
    } else {
      append_quoted(out, label.name.substr(0, kDescriptionMaxBytes));
    }
    out += '=';
    append_quoted(out, label.value.substr(0, kDescriptionMaxBytes));
  }
  return out + '}';
}

}  // namespace varve::wire
