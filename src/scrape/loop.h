// SPDX-License-Identifier: Apache-2.0
// One target over time: what its scrapes become in storage, and what is known about it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/client.h"
#include "scrape/manager.h"
#include "scrape/series_cache.h"
#include "scrape/target.h"
#include "scrape/work_memory.h"
#include "storage/write_batch.h"
#include "wire/exposition.h"

namespace varve::base {
class Logger;
}

namespace varve::scrape {

class FailureLog;
class Metrics;
class PoolMetrics;

// What all loops share; outlives them.
struct LoopContext {
  storage::Appendable& storage;
  const base::Clock& clock;
  base::Logger& log;
  Metrics& metrics;
  SpareWorkMemory& spare_memory;
};

// What a loop is told; replaced as a whole by a reload, unchanged while a scrape uses it.
struct LoopSettings {
  std::shared_ptr<const PoolOptions> pool;
  Target target;
  bool extra_metrics = false;
  bool start_zeros = false;  // a sample of 0 at the time where a counter says it began
  bool type_and_unit_labels = false;
  std::shared_ptr<FailureLog> failure_log;  // null: none
  std::shared_ptr<PoolMetrics> metrics;
  std::string forced_error;  // not empty: every scrape fails with it (target_limit)
};

// How one scrape went on the network.
struct ScrapeInput {
  Timestamp time_ms = 0;  // the timestamp of its samples
  Result<http::ClientResponse> response;
  std::chrono::nanoseconds started{};  // by the monotonic clock
  std::size_t body_max_bytes = 0;      // of the decompressed body; 0: no limit
};

// record() and end() are called by one thread at a time: whoever holds the claim. The rest is
// thread-safe.
class Loop {
 public:
  Loop(LoopContext context, std::shared_ptr<const LoopSettings> settings);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // At most one scrape of a target is under way. claim() is false while another holds it.
  bool claim() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  std::shared_ptr<const LoopSettings> settings() const;
  // Keeps the state; texts are looked up anew if the new settings may give them another meaning.
  void change(std::shared_ptr<const LoopSettings> settings);

  // Stores what a scrape brought: samples, up and its like, stale markers for what is gone.
  void record(ScrapeInput input);
  // The target is gone for good: stale markers for all of its series.
  void end(Timestamp time_ms);
  // Whether any scrape has been recorded.
  bool started() const;

  TargetStatus status() const;
  void metadata(std::string_view family, std::vector<TargetMetadata>& out) const;

 private:
  struct Reading;
  struct Outcome {
    std::uint64_t scraped = 0;     // samples in the body
    std::uint64_t kept = 0;        // after metric relabelling
    std::uint64_t added = 0;       // series not known before
    std::uint64_t duplicates = 0;  // of a series within this body
    double body_bytes = 0;         // -1: over the limit
    bool over_sample_limit = false;
    bool over_bucket_limit = false;
  };
  struct Metadata {
    std::string type = "unknown", help, unit;
    std::uint32_t seen = 0;  // the reading that last had it; under the claim
    std::size_t bytes() const { return type.size() + help.size() + unit.size(); }
  };
  using MetadataMap = std::map<std::string, Metadata, std::less<>>;

  void prepare(const std::shared_ptr<const LoopSettings>& settings);
  // loop_read.cc
  Status fill(const LoopSettings& settings, const http::ClientResponse& response,
              Timestamp time_ms, Outcome& outcome);
  template <typename Parser>
  Status read_entries(Parser& parser, Reading& reading);
  Status add_sample(const wire::ExpositionSample& sample, Reading& reading);
  void add_exemplars(const wire::ExpositionSample& sample, Timestamp sample_time);
  Result<std::optional<Labels>> resolve(const wire::ExpositionSample& sample,
                                        const Reading& reading);
  Result<bool> collect_classic(std::string_view family, const wire::ExpositionSample& sample,
                               Reading& reading);
  Status finish_classic(Reading& reading);
  void add_start(const wire::ExpositionSample& created, Reading& reading);
  void add_metadata(wire::ExpositionEntry kind, const wire::ExpositionMetadata& entry);
  // Forgets families that the last readings have not had.
  void trim_metadata();

  void add_entry(storage::SeriesId id, const Labels* labels, Timestamp time_ms, double value);
  void add_histogram_entry(storage::SeriesId id, const Labels* labels, Timestamp time_ms,
                           const Histogram& histogram);
  void append_start_zeros();
  void forget_starts();
  void add_report(const LoopSettings& settings, Timestamp time_ms, double seconds,
                  const Outcome& outcome, bool up);
  Status append(const LoopSettings& settings, Outcome& outcome);
  void take_ids(const storage::WriteOutcome& outcome);
  void append_stale(const LoopSettings& settings, Timestamp time_ms);
  // Brings this loop's share in its pool's metrics up to date.
  void share(const std::shared_ptr<PoolMetrics>& metrics);
  void count_refusals(const LoopSettings& settings, const storage::WriteOutcome& outcome);

  static constexpr std::size_t kReportSeries = 8;

  const LoopContext context_;
  std::atomic<bool> busy_{false};

  // Under the claim.
  SeriesCache cache_;
  std::shared_ptr<const LoopSettings> prepared_;  // what cache_ and report_labels_ were made by
  std::array<Labels, kReportSeries> report_labels_;
  std::array<storage::SeriesId, kReportSeries> report_ids_{};
  storage::WriteBatch batch_;
  std::deque<Labels> new_labels_;          // of the batch's new series
  std::vector<std::string_view> pending_;  // texts of new series; their slots know the entry
  std::deque<std::string> own_texts_;      // those of pending_ that the body does not hold
  std::vector<std::pair<std::size_t, Timestamp>> starts_;  // entries of the batch that say theirs
  // The start times that storage has been told of; only with start_zeros.
  std::unordered_map<storage::SeriesId, Timestamp> told_starts_;
  std::set<std::string, std::less<>> changed_families_;  // metadata that storage has not got yet
  std::vector<storage::SeriesId> stale_;
  std::size_t last_batch_ = 0;  // entries of the last whole scrape, to reserve for the next
  std::chrono::nanoseconds last_start_{};
  std::size_t metadata_bytes_ = 0;
  std::size_t metadata_name_bytes_ = 0;
  std::uint32_t readings_ = 0;  // bodies read
  // What share() has added to which metrics.
  struct Share {
    std::shared_ptr<PoolMetrics> metrics;
    double entries = 0, bytes = 0, series = 0;
  } share_;

  mutable std::mutex mutex_;  // guards the rest
  std::shared_ptr<const LoopSettings> settings_;
  TargetStatus status_;
  MetadataMap metadata_;
  MetadataMap::iterator metadata_hint_ = metadata_.end();  // under the claim
};

}  // namespace varve::scrape
