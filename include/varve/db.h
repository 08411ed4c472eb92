// SPDX-License-Identifier: Apache-2.0
// Varve as a library: a time-series database in a directory, inside your program.
//
//   auto db = varve::Database::open("metrics");
//   if (!db.ok()) return fail(db.error().message());
//   auto written =
//       (*db)->append({{{{"__name__", "temperature"}, {"room", "lab"}}, {{now_ms, 21.5}}, {}}});
//   auto result = (*db)->query("max_over_time(temperature[1h])", now_ms);
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/labels.h"
#include "varve/query.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve {

// When append() returns.
enum class Durability : std::uint8_t {
  kSync,      // after fdatasync: what was accepted survives a power cut
  kInterval,  // at once; synced every 100 ms, which is what a power cut may cost
  kNone,      // at once; survives the end of the process, not a power cut
};

struct DatabaseOptions {
  Durability durability = Durability::kSync;
  // What is that much older than the newest sample of all goes, whole blocks at a time; 0: nothing.
  std::chrono::milliseconds retention = std::chrono::hours(24 * 15);
  // Samples older than the newest of their series are accepted up to this age; 0: refused.
  std::chrono::milliseconds out_of_order_window{0};
  // The longest that one query may take; then it fails with kTimeout.
  std::chrono::milliseconds query_timeout = std::chrono::minutes(2);
  // The most samples that one query may hold in memory; then it fails with kLimitExceeded.
  std::uint64_t query_samples_max = 50'000'000;
  // How far back from a step its newest sample may lie, as Prometheus's --query.lookback-delta.
  std::chrono::milliseconds lookback_delta = std::chrono::minutes(5);
  // Threads that all queries together may use beside their callers'; 0: none.
  std::size_t query_threads = 1;
  // PromQL's experimental functions and aggregators.
  bool experimental_functions = false;
  // Gets the log lines of level warn and above, each with its line break, from any thread; must not
  // throw. Nothing is written if it is null.
  void (*log)(std::string_view line) = nullptr;
};

// Samples of one series, each list oldest first. A series has one value at a time: of a float and a
// histogram at one timestamp one is refused.
struct SeriesData {
  Labels labels;  // must have a metric name, `__name__`; names and values are UTF-8
  std::vector<Sample> samples;
  std::vector<std::pair<Timestamp, Histogram>> histograms;
};

// What became of an append. A refused sample does not touch its neighbours. Refused is what lies
// more than ten minutes ahead of the clock, is older than the options accept, or says something
// else of a time that has a sample.
struct AppendReport {
  std::uint64_t accepted = 0;  // floats and histograms; repeating a stored sample counts
  std::uint64_t refused = 0;
  std::string first_refusal;  // names the series and the reason; "" if none
};

// One process may have a directory open at a time; within it, all methods are thread-safe. The
// destructor comes when no other call is under way.
class Database {
 public:
  // Creates the directory if it is missing; else recovers what is in it. Errors: kUnavailable (in
  // use by another process), kCorruption, kIo.
  static Result<std::unique_ptr<Database>> open(const std::string& directory,
                                                const DatabaseOptions& options = {});
  virtual ~Database() = default;  // as a crash: nothing that was acknowledged is lost

  // Returns when the batch is as durable as the options say. kUnavailable: the log cannot be
  // written (the disk is full or failing); nothing more is accepted until the database is reopened.
  virtual Result<AppendReport> append(std::span<const SeriesData> series) = 0;
  Result<AppendReport> append(std::initializer_list<SeriesData> series) {
    return append(std::span<const SeriesData>(series.begin(), series.size()));
  }

  // Evaluates PromQL at one time. Errors: kInvalidArgument (with line:column), kExecution,
  // kTimeout, kLimitExceeded.
  virtual Result<QueryResult> query(std::string_view expression, Timestamp time_ms) = 0;
  // At start_ms, start_ms + step_ms, …, up to end_ms (included). kInvalidArgument also for step_ms
  // <= 0 and end_ms < start_ms.
  virtual Result<QueryResult> query_range(std::string_view expression, Timestamp start_ms,
                                          Timestamp end_ms, std::int64_t step_ms) = 0;

  // Syncs everything and releases the directory; the first error that occurred. Idempotent.
  // append() then answers kUnavailable; queries should be over by then.
  virtual Status close() = 0;
};

}  // namespace varve
