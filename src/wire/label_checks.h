// SPDX-License-Identifier: Apache-2.0
// What every door demands of labels that come from outside, before they become Labels.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"

namespace varve::wire {

// Whether all of it is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

enum class MetricNameRule : unsigned char { kRequired, kNotNeeded };

// Sorts `labels`, drops empty values. kInvalidArgument, with all labels in the text, for an empty
// or repeated name, invalid UTF-8, or a metric name that is required and missing or empty.
Result<Labels> checked_labels(std::vector<LabelView>& labels, MetricNameRule metric_name);

// `{a="b", c="d"}` for error texts: in the given order, repetitions included, bytes that are not
// UTF-8 escaped, at most about 1 kB.
std::string describe_labels(std::span<const LabelView> labels);

}  // namespace varve::wire
