// SPDX-License-Identifier: Apache-2.0
// How queries read: the one header through which PromQL and the API see storage. A Querier pins a
// consistent state; a Selection is the series that some matchers picked, by dense ordinals, whose
// labels are columns and whose samples are decoded a whole series at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/matcher.h"
#include "storage/levels.h"
#include "storage/sample_columns.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

// The samples of one series in a time range, oldest first. Floats and histograms are apart and
// share no timestamp. Stale markers are in it: leaving them out is the evaluator's business.
// Meant to be reused: read() clears and refills, keeping capacity.
struct SeriesSamples {
  RecalledTimes float_times;
  PlainColumn<double> float_values;
  std::vector<Timestamp> histogram_times;
  std::vector<HistogramPtr> histograms;
  // Start times: since when a counter has been counting, 0 where that is not known. As long as the
  // times they belong to, or empty if no sample has one. Storage on disk keeps none: always empty.
  std::vector<Timestamp> float_starts;
  std::vector<Timestamp> histogram_starts;
  // Non-zero and equal for two reads of one Selection: their float_times are equal. Lets window
  // bounds be computed once for all series of a scrape. 0: not known.
  std::uint64_t times_id = 0;

  void clear() {
    float_times.clear();
    float_values.clear();
    histogram_times.clear();
    histograms.clear();
    float_starts.clear();
    histogram_starts.clear();
    times_id = 0;
  }
};

// The newest sample of a series inside a window.
struct LastSample {
  enum class Kind : std::uint8_t { kNone, kFloat, kHistogram };
  Timestamp timestamp_ms = 0;
  double value = 0;
  HistogramPtr histogram;
  Kind kind = Kind::kNone;
  Timestamp start_ms = 0;  // 0: not known
};

// A label of all series of a Selection: ids[i] names the value of series i. Equal ids mean equal
// values; 0 means the label is absent. values[id] is the string, values[0] is "".
struct LabelColumn {
  std::vector<std::uint32_t> ids;
  std::vector<std::string_view> values;  // live as long as the Selection
};

// Immutable; all methods may be called from several threads at once. Ordinals are [0, size()), in
// no particular order. Must not outlive its Querier.
class Selection {
 public:
  virtual ~Selection() = default;
  virtual std::size_t size() const = 0;

  virtual Labels labels(std::size_t series) const = 0;
  virtual LabelColumn label_column(std::string_view name) const = 0;

  // All samples of a series in `range` (both ends included, within the range select() was given).
  // What is damaged on disk is left out, and Querier::warnings() says so.
  virtual Status read(std::size_t series, TimeRange range, SeriesSamples& out) const = 0;

  // For each of the given series the newest sample in `range`; out.size() == series.size(). Much
  // cheaper than read() where the head holds the newest sample.
  virtual Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                           std::span<LastSample> out) const = 0;

  // Where buckets answer for a series instead of samples (levels.h); empty unless the hints allowed
  // them. Series that share their spans share the very same ones, of which there are few.
  virtual std::span<const LevelSpan> levels(std::size_t series) const {
    static_cast<void>(series);
    return {};
  }
  // The buckets of one of these spans, by its index, that end in `ends`; the selection has those
  // that end in the range given to select(), and for one resolution before and after it. Samples
  // that are not there any more: neither are these in read() nor those here.
  virtual Status read_buckets(std::size_t series, std::size_t span, TimeRange ends,
                              BucketColumns columns, SeriesBuckets& out) const {
    static_cast<void>(series), static_cast<void>(span), static_cast<void>(ends);
    static_cast<void>(columns);
    out.clear();
    return {};
  }
};

// What a query means to do with a selection; storage may use it to read less, and may ignore it.
struct SelectHints {
  std::int64_t step_ms = 0;   // 0: instant
  std::int64_t range_ms = 0;  // of a range selector, else 0
  std::string_view function;  // the innermost function or aggregation around the selector
  std::size_t series_max = 0;  // kLimitExceeded if more series match; 0: no limit
  // kSourceRaw, kSourceAuto or the coarsest resolution. Whoever asks for more than samples must
  // look at Selection::levels(): read() leaves the time of buckets out.
  std::int64_t max_source_resolution_ms = kSourceRaw;
};

struct ExemplarPoint {
  Labels labels;
  double value = 0;
  Timestamp timestamp_ms = 0;
};

struct SeriesExemplars {
  Labels series;
  std::vector<ExemplarPoint> exemplars;
};

// Not thread-safe itself; its Selections are. Pins what it reads until destroyed.
class Querier {
 public:
  virtual ~Querier() = default;

  // Series with at least one sample in `range` possible that satisfy all matchers. At least one
  // matcher must not match the empty string, else kInvalidArgument.
  virtual Result<std::unique_ptr<Selection>> select(std::span<const model::Matcher> matchers,
                                                    TimeRange range,
                                                    const SelectHints& hints = {}) = 0;

  // Sorted, unique. Without matchers all that is known in the range. limit 0: none; `truncated`
  // says whether it cut something.
  struct Names {
    std::vector<std::string> names;
    bool truncated = false;
  };
  virtual Result<Names> label_names(std::span<const model::Matcher> matchers, TimeRange range,
                                    std::size_t limit = 0) = 0;
  virtual Result<Names> label_values(std::string_view label,
                                     std::span<const model::Matcher> matchers, TimeRange range,
                                     std::size_t limit = 0) = 0;

  // What could not be read so far, as sentences for the user; one per damaged place.
  virtual std::vector<std::string> warnings() const { return {}; }
};

// Where queriers come from. Thread-safe.
class Queryable {
 public:
  virtual ~Queryable() = default;
  // `range` is what the query may touch at most.
  virtual Result<std::unique_ptr<Querier>> querier(TimeRange range) const = 0;

  // What a cache of results needs to know. Without these nothing counts as settled, and nothing is
  // kept. All three are for one process: stamps start anew at every opening.
  // 1. What changes before settled_before_ms() (late samples, deletes, imports) changes the stamp
  // of
  //    its time, after queriers can see it and before it is acknowledged. settled_before_ms() never
  //    goes back. "Before" is judged once the change is visible, by the largest value ever
  //    returned.
  // 2. Samples before expired_before_ms() may go by their age at any time, without a stamp.
  virtual std::uint64_t stamp(TimeRange range) const {
    static_cast<void>(range);
    return 0;
  }
  virtual Timestamp settled_before_ms() const { return TimeRange::all().min_ms; }
  virtual Timestamp expired_before_ms() const { return TimeRange::all().min_ms; }

  // Under a SelectHints::max_source_resolution_ms. What a step is made of may lie two resolutions
  // before and one after what it asks for, as far as buckets answer.
  virtual LevelReach level_reach(std::int64_t max_source_resolution_ms) const {
    static_cast<void>(max_source_resolution_ms);
    return {};
  }
};

}  // namespace varve::storage
