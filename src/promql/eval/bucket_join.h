// SPDX-License-Identifier: Apache-2.0
// The history of one series as one run of buckets: those of several spans, and samples beside them
// as buckets of one sample each.
#pragma once

#include <cstddef>
#include <vector>

#include "storage/levels.h"
#include "storage/querier.h"
#include "varve/sample.h"

namespace varve::promql {

// To be reused: begin() keeps capacity. What is appended must be later than what is there.
class BucketJoin {
 public:
  void begin(storage::BucketColumns columns);
  // Takes the content of `part` away if it is the first to come.
  void append(storage::SeriesBuckets& part);
  // The samples of `samples` that have not been appended, up to `until_ms` (included). Stale
  // markers must not be among them.
  void append_samples(const storage::SeriesSamples& samples, Timestamp until_ms);
  // Those up to `until_ms` (included) are too old for any window.
  void skip_samples(const storage::SeriesSamples& samples, Timestamp until_ms);

  const storage::SeriesBuckets& buckets() const { return joined_; }
  bool has_samples() const { return has_samples_; }
  // How many of the first i buckets (of floats, of histograms) are no mere samples. Precondition:
  // has_samples().
  std::size_t real_before(std::size_t i) const { return real_[i]; }
  std::size_t real_histograms_before(std::size_t i) const { return real_histograms_[i]; }
  void count_real();

 private:
  storage::SeriesBuckets joined_;
  storage::BucketColumns columns_{};
  std::size_t next_float_ = 0;
  std::size_t next_histogram_ = 0;
  bool has_samples_ = false;
  // [begin, end) of the samples among the buckets, in pairs.
  std::vector<std::size_t> sample_runs_;
  std::vector<std::size_t> histogram_runs_;
  std::vector<std::uint32_t> real_;
  std::vector<std::uint32_t> real_histograms_;
};

}  // namespace varve::promql
