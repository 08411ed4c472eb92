// SPDX-License-Identifier: Apache-2.0
// Native histogram chunks: each histogram as the difference to the one before it, one byte form for
// open and closed chunks. Also the place where counter resets between consecutive histograms are
// found, by Prometheus's rules. See FORMAT.md, "Histogram chunk".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::codec {

// Bounds of what one histogram may hold; more is refused by check_histogram() and by the decoder.
inline constexpr std::size_t kHistogramBucketsMax = 65'536;
inline constexpr std::size_t kHistogramSpansMax = 65'536;
inline constexpr std::size_t kHistogramChunkSamplesMax = 65'535;

// Whether a histogram can be stored: span lengths and counts agree and are within the bounds above.
// kInvalidArgument names what is wrong. (That the counts make sense is the writers' business.)
Status check_histogram(const Histogram& histogram);

// The hint with which `next`, coming right after `previous`, is given back: gauge if it says so,
// reset as detected (or as it says itself), unknown where Prometheus does not compare the two (no
// previous (nullptr), after a stale marker, a gauge, another schema, zero threshold or kind), else
// not_reset. Source: prometheus tsdb/chunkenc/histogram.go, appendable().
CounterResetHint next_reset_hint(const Histogram* previous, const Histogram& next);

// The open histogram chunk of one series and the memory of the series' last histogram, which
// outlives the chunk. Owned by the head's series, under its lock; bytes() of a copy decode as they
// are. A value type.
class HistogramAppender {
 public:
  // Precondition: check_histogram(), and size() < kHistogramChunkSamplesMax. Times ascend.
  void append(Timestamp t, const Histogram& histogram);

  std::size_t size() const { return count_; }  // histograms in the open chunk
  Timestamp last_time() const { return last_time_; }
  // The newest histogram with its hint, as decoding gives it; nullptr before the first.
  const HistogramPtr& last() const { return last_; }
  // The open chunk, a complete histogram chunk after each append; empty if size() is 0.
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  // Takes the open chunk and starts a new one, which continues the series: resets are still found,
  // but what does not reset is unknown, as the first of every chunk is in Prometheus.
  std::vector<std::uint8_t> finish();
  // Into a new appender: an open chunk as bytes() gave it (empty: none is open) and last().
  // kCorruption if the bytes are no chunk; the appender is as new then.
  Status restore(std::span<const std::uint8_t> bytes, Timestamp last_time, HistogramPtr last);
  // What this holds on the heap.
  std::size_t memory_bytes() const;

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t count_ = 0;
  Timestamp last_time_ = 0;
  std::int64_t last_delta_ = 0;
  HistogramPtr last_;
  HistogramPtr baseline_;  // the last one of the open chunk that is no stale marker
};

// Decodes a whole chunk and appends to the vectors. kCorruption if the bytes are no chunk or claim
// more than the bounds above; the vectors are then as they were.
Status decode_histograms(std::span<const std::uint8_t> bytes, std::vector<Timestamp>& times,
                         std::vector<HistogramPtr>& histograms);

}  // namespace varve::storage::codec
