// SPDX-License-Identifier: Apache-2.0
// Samples written in the notation of the test language, which come into sight as time goes on: what
// unit tests of rules are run against.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {
class Queryable;
}

namespace varve::promql {

// Not thread-safe while it changes; between changes it may be read by many.
class TestStorage {
 public:
  // Sample i of a series stands at start_ms + i * interval_ms.
  TestStorage(Timestamp start_ms, std::int64_t interval_ms);
  ~TestStorage();
  TestStorage(const TestStorage&) = delete;
  TestStorage& operator=(const TestStorage&) = delete;

  // `series` like `up{job="a"}`, `values` like `1 2+3x4 _ stale {{schema:0 …}}`. A later line for
  // the same series replaces an earlier one. kInvalidArgument says what is wrong.
  Status add_series(std::string_view series, std::string_view values);
  // Makes the samples up to this time, included, visible. Time does not go back.
  void load_until(Timestamp time_ms);

  // What a database would say to a sample; the histogram if that is set, else the float.
  enum class Outcome : std::uint8_t { kAppended, kOutOfOrder, kDuplicate };
  Outcome append(const Labels& labels, Timestamp time_ms, double value,
                 const HistogramPtr& histogram);

  // Lives as long as this object.
  const storage::Queryable& queryable() const;

 private:
  struct Contents;
  std::unique_ptr<Contents> contents_;
};

// `name{a="b"}`, `{}` or nothing.
Result<Labels> parse_metric(std::string_view text);
// `{{schema:0 sum:1 …}}`, exactly one.
Result<HistogramPtr> parse_histogram(std::string_view text);

}  // namespace varve::promql
