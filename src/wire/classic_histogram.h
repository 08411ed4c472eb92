// SPDX-License-Identifier: Apache-2.0
// Gathers the series of classic histograms, as they come in a scrape, into native histograms with
// custom buckets. Knows the text of series, not their labels: what a scrape brings every time is
// told apart without being parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/sample.h"
#include "wire/exposition.h"

namespace varve::wire {

// What a series text says about a classic histogram of the family.
struct ClassicPart {
  enum class Kind : unsigned char { kBucket, kCount, kSum };
  Kind kind = Kind::kBucket;
  double upper_bound = 0;  // of kBucket
  std::string series;      // text of the whole histogram: without suffix and `le`
};

// The part that `series` is of a histogram of this family; nullopt if it is something else, such as
// a bucket without a bound.
std::optional<ClassicPart> classic_part(std::string_view series, std::string_view family);

// The labels of a series text without `le` and `quantile`: what the series of one histogram or
// summary have in common, and their `_created` line with them.
std::string shared_labels_text(std::string_view series);

// Usage: classic_part() of each sample of a family of type histogram; before a part of another
// series than series() is added, and at the family's end, take(). Not thread-safe.
class ClassicHistogramCollector {
 public:
  struct Exemplar {
    std::string labels_text;
    double value = 0;
    Timestamp timestamp_ms = 0;
  };
  // What take() gives; views into it are valid until the next add().
  struct Collected {
    std::string series;
    Histogram histogram;
    std::optional<Timestamp> timestamp_ms, start_ms;  // start: of the first part, time: of the last
    std::vector<Exemplar> exemplars;                  // those that have a time of their own
  };

  bool open() const { return open_; }
  // The text of the histogram that is being gathered.
  std::string_view series() const { return collected_.series; }

  void add(ClassicPart part, const ExpositionSample& sample);
  // What has been gathered, and begins anew. nullopt for parts that contradict each other: counts
  // that fall from bucket to bucket, or do not add up.
  std::optional<Collected> take();

 private:
  void add_bucket(double upper_bound, double count);
  bool convert(Histogram& out);

  bool open_ = false;
  bool broken_ = false;
  std::optional<double> count_;
  std::vector<std::pair<double, double>> buckets_;  // upper bound → cumulative count, ascending
  Collected collected_;
};

}  // namespace varve::wire
