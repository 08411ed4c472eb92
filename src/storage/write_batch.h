// SPDX-License-Identifier: Apache-2.0
// What writers hand to storage: a batch of samples, their series named in the cheapest way the
// writer has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

// Identifies a series for the life of the process; never reused. 0 is no series.
enum class SeriesId : std::uint32_t { kNone = 0 };

struct HistogramSample {
  Timestamp timestamp_ms = 0;
  Histogram histogram;
};

struct ExemplarSample {
  Labels labels;
  double value = 0;
  Timestamp timestamp_ms = 0;
};

// The samples of one series in a batch: index ranges into the batch's arrays, in the order they
// arrived. Exactly one of the three names is given, looked at in this order: `id` of an earlier
// append; `labels`, canonical; `key`, raw bytes of the writer's protocol that always mean the same
// labels, which the batch's decoder turns into labels when they are seen for the first time.
struct SeriesEntry {
  SeriesId id = SeriesId::kNone;
  const Labels* labels = nullptr;
  std::string_view key;
  std::uint32_t samples_begin = 0, samples_count = 0;
  std::uint32_t histograms_begin = 0, histograms_count = 0;
  std::uint32_t exemplars_begin = 0, exemplars_count = 0;
};

struct MetadataEntry {
  std::string metric_family;
  std::string type;  // counter gauge histogram gaugehistogram summary info stateset unknown
  std::string help;
  std::string unit;
};

// Turns a key into labels. Called under no lock, only for keys that are new to the process.
class KeyDecoder {
 public:
  virtual ~KeyDecoder() = default;
  // kInvalidArgument: labels to be refused, in Prometheus's words. kCorruption: no key; append()
  // fails.
  virtual Result<Labels> decode(std::string_view key) const = 0;
};

// Borrowed for the length of the append call.
struct WriteBatch {
  std::vector<SeriesEntry> series;
  std::vector<Sample> samples;
  std::vector<HistogramSample> histograms;
  std::vector<ExemplarSample> exemplars;
  std::vector<MetadataEntry> metadata;
  // Separates the keys of protocols from each other: equal key bytes under different spaces are
  // different keys.
  std::uint64_t key_space = 0;
  const KeyDecoder* decoder = nullptr;  // needed if any series has a key

  void clear() {
    series.clear();
    samples.clear();
    histograms.clear();
    exemplars.clear();
    metadata.clear();
  }
};

// A position in the log; durable once the log has been synced up to it.
enum class Ticket : std::uint64_t {};

// What became of a batch. Samples are accepted one by one: a refused one does not touch the rest.
struct WriteOutcome {
  std::uint64_t samples_appended = 0;     // includes silently accepted identical duplicates
  std::uint64_t histograms_appended = 0;
  std::uint64_t exemplars_appended = 0;
  std::uint64_t out_of_order = 0, too_old = 0, too_far_ahead = 0, duplicate = 0;
  std::uint64_t invalid_series = 0;  // entries whose labels or histogram were refused
  // The first refusal, with the series and what was wrong, in Prometheus's words.
  std::string first_error;
  ErrorCode first_error_code = ErrorCode::kInvalidArgument;
  // The id of each entry of the batch, kNone where it was refused.
  std::vector<SeriesId> ids;
  Ticket ticket{};

  bool all_accepted() const {
    return out_of_order + too_old + too_far_ahead + duplicate + invalid_series == 0;
  }
};

struct AppendOptions {
  bool want_ids = false;  // fill WriteOutcome::ids
  // Refuse what is older than its series' newest sample, however wide the window for late samples:
  // for results and markers, which are about now or about nothing.
  bool in_order_only = false;
  // Nobody is told when the batch is durable: it may wait a little for others to share a frame of
  // the log with. when_durable() may be called all the same.
  bool unawaited = false;
};

// Where samples go. Thread-safe.
class Appendable {
 public:
  virtual ~Appendable() = default;

  // Applies the batch to memory and stages it for the log. kUnavailable: the log has failed or
  // storage is stopping, nothing was applied; kCorruption: the decoder
  // refuses a key so, nothing was applied; kLimitExceeded: too many series (retry later).
  virtual Result<WriteOutcome> append(const WriteBatch& batch,
                                      const AppendOptions& options = {}) = 0;

  // Calls `done` once the ticket is durable under the configured sync mode (at once for `off`), or
  // with the error of the log. On the log's thread or the caller's; must be short and not block.
  virtual void when_durable(Ticket ticket, std::function<void(Status)> done) = 0;
};

}  // namespace varve::storage
