// SPDX-License-Identifier: Apache-2.0
// Samples in memory behind storage's reading interface: what the test language loads into. It does
// what a database does to histograms on the way: it detects counter resets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "storage/querier.h"
#include "varve/labels.h"
#include "varve/query.h"
#include "varve/sample.h"

namespace varve::promql::test_language {

// Changed only between queries; reading is thread-safe then.
class MemoryStorage final : public storage::Queryable {
 public:
  void clear() { series_.clear(); }
  // A sample for a time that has one already replaces it. `start_ms` 0: not known.
  void add(const Labels& labels, Timestamp time_ms, double value, Timestamp start_ms = 0);
  void add(const Labels& labels, Timestamp time_ms, HistogramPtr histogram,
           Timestamp start_ms = 0);
  // From now on these spans are answered by buckets, folded from the samples, where a query allows
  // them; without sketches unless asked for. Spans as storage::Selection::levels() has them.
  void keep_levels(std::vector<storage::LevelSpan> spans, bool sketches = false) {
    levels_ = std::move(spans);
    sketches_ = sketches;
  }
  const std::vector<storage::LevelSpan>& levels() const { return levels_; }
  bool sketches() const { return sketches_; }
  storage::LevelReach level_reach(std::int64_t max_source_resolution_ms) const override;

  // Gives the counter histograms the reset hints a database would read back. After every load.
  void detect_resets();

  Result<std::unique_ptr<storage::Querier>> querier(TimeRange range) const override;

  struct StoredHistogram {
    HistogramPtr loaded;   // with the hint as written
    HistogramPtr visible;  // with the hint as detected
  };
  struct StoredSeries {
    std::map<Timestamp, double> floats;
    std::map<Timestamp, StoredHistogram> histograms;
    std::map<Timestamp, Timestamp> starts;  // start times by sample time, where known

    Timestamp start_of(Timestamp time_ms) const;  // 0: not known
    void set_start(Timestamp time_ms, Timestamp start_ms);
  };
  const std::map<Labels, StoredSeries>& series() const { return series_; }

 private:
  std::map<Labels, StoredSeries> series_;
  std::vector<storage::LevelSpan> levels_;
  bool sketches_ = false;
};

}  // namespace varve::promql::test_language
