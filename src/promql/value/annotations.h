// SPDX-License-Identifier: Apache-2.0
// The remarks an evaluation makes, deduplicated, in the order in which they first occurred. Tasks
// of one query write to sinks of their own, merged in task order, so that the result is the same
// however many threads ran.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "promql/ast.h"
#include "varve/query.h"
#include "varve/sample.h"

namespace varve::promql {

// Not thread-safe.
class AnnotationSink {
 public:
  // `text` without the prefix "PromQL warning: " and without the position at the end.
  void warning(std::string_view text, Position where) { add(Kind::kWarning, text, where); }
  void info(std::string_view text, Position where) { add(Kind::kInfo, text, where); }

  // "input to histogram_quantile needed to be fixed for monotonicity …": occurrences are merged
  // into one remark with the extent of the fixes. `name` may be "".
  void forced_monotonicity(std::string_view name, Position where, Timestamp time_ms,
                           double bucket_min, double bucket_max, double diff_max);
  // A warning whose repetitions are counted: "… for metric "x" (3 occurrences)".
  void counted_warning(std::string_view text, Position where);
  // As storage or others worded it, without prefix or position.
  void plain_warning(std::string_view text) { add(Kind::kPlain, text, {}); }
  // About the whole query: no position.
  void query_info(std::string_view text) { add(Kind::kQueryInfo, text, {}); }

  void merge(const AnnotationSink& other);
  bool empty() const { return entries_.empty(); }
  // Complete texts; `expression` is what the positions refer to.
  Annotations render(std::string_view expression) const;

 private:
  enum class Kind : std::uint8_t { kWarning, kInfo, kMonotonicity, kCounted, kPlain, kQueryInfo };
  struct Entry {
    Kind kind = Kind::kWarning;
    std::string text;
    Position where;
    std::uint64_t count = 1;
    Timestamp time_min_ms = 0;
    Timestamp time_max_ms = 0;
    double bucket_min = 0;
    double bucket_max = 0;
    double diff_max = 0;
  };
  Entry& add(Kind kind, std::string_view text, Position where, bool* added = nullptr);

  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;  // kind, start, text → entry
};

// RFC 3339 in UTC, whole seconds: "1970-01-01T00:05:00Z".
std::string format_seconds(Timestamp time_ms);

}  // namespace varve::promql
