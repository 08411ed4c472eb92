// SPDX-License-Identifier: Apache-2.0
// JSON as Prometheus's API writes it: sample times as seconds with up to three decimals, sample
// values as strings. Appends to a string that the caller sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::api {

// A quoted string; <, > and & are escaped as Go's encoder does, so that JSON in a page is harmless,
// and each byte that belongs to no UTF-8 character becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_json_strings(std::string& out, std::span<const std::string> texts);
// {"a":"b"}
void append_json_labels(std::string& out, const Labels& labels);
// 1435781430.781
void append_json_time(std::string& out, Timestamp time_ms);
// "12.5", with the quotes.
void append_json_value(std::string& out, double value);
// [1435781430.781,"12.5"]
void append_json_sample(std::string& out, const Sample& sample);
// A list of these without its brackets, until `out` has `goal` bytes or somewhat more; how many.
std::size_t append_json_samples(std::string& out, std::span<const Sample> samples,
                                std::size_t goal);
// {"count":"2","sum":"3","buckets":[[0,"0.5","1","2"]]}
void append_json_histogram(std::string& out, const Histogram& histogram);
// 2026-11-21T00:00:00.123Z with quotes; Go's zero time for 0.
void append_json_rfc3339(std::string& out, Timestamp time_ms);

}  // namespace varve::api
