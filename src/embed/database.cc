// SPDX-License-Identifier: Apache-2.0
// varve::Database over the storage engine and PromQL. It owns what the daemon builds by hand.
#include "varve/db.h"

#include <condition_variable>
#include <mutex>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "fs/real_fs.h"
#include "promql/engine.h"
#include "storage/db.h"

namespace varve {
namespace {

constexpr std::size_t kQueryQueueMax = 1000;

base::Logger::Sink log_sink(const DatabaseOptions& options) {
  if (options.log == nullptr) return [](std::string_view) {};
  return options.log;
}

class EmbeddedDatabase final : public Database {
 public:
  explicit EmbeddedDatabase(const DatabaseOptions& options)
      : log_(base::LogLevel::kWarn, base::LogFormat::kLogfmt, clock_, log_sink(options)),
        pool_("varve-query", options.query_threads, kQueryQueueMax),
        engine_(engine_options(options), clock_, &pool_, &query_memory_) {}

  ~EmbeddedDatabase() override = default;

  Status open(const std::string& directory, const DatabaseOptions& options) {
    storage::Options storage;
    storage.path = directory;
    storage.sync = options.durability == Durability::kSync       ? storage::SyncMode::kAlways
                   : options.durability == Durability::kInterval ? storage::SyncMode::kInterval
                                                                 : storage::SyncMode::kOff;
    storage.retention = options.retention;
    storage.out_of_order_window = options.out_of_order_window;
    VARVE_TRY_ASSIGN(storage_, storage::Db::open(storage, files_, clock_, log_, metrics_));
    return {};
  }

  Result<AppendReport> append(std::span<const SeriesData> series) override {
    storage::WriteBatch batch;
    for (const SeriesData& data : series) {
      storage::SeriesEntry entry;
      entry.labels = &data.labels;
      entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
      entry.samples_count = static_cast<std::uint32_t>(data.samples.size());
      entry.histograms_begin = static_cast<std::uint32_t>(batch.histograms.size());
      entry.histograms_count = static_cast<std::uint32_t>(data.histograms.size());
      batch.samples.insert(batch.samples.end(), data.samples.begin(), data.samples.end());
      for (const auto& [time_ms, histogram] : data.histograms) {
        batch.histograms.push_back({time_ms, histogram});
      }
      batch.series.push_back(entry);
    }
    const std::uint64_t offered = batch.samples.size() + batch.histograms.size();
    VARVE_TRY_ASSIGN(storage::WriteOutcome outcome, storage_->append(batch));
    VARVE_TRY(wait_durable(outcome.ticket));
    AppendReport report;
    report.accepted = outcome.samples_appended + outcome.histograms_appended;
    report.refused = offered - report.accepted;
    report.first_refusal = std::move(outcome.first_error);
    return report;
  }

  Result<QueryResult> query(std::string_view expression, Timestamp time_ms) override {
    return engine_.instant(*storage_, expression, time_ms, query_params());
  }

  Result<QueryResult> query_range(std::string_view expression, Timestamp start_ms,
                                  Timestamp end_ms, std::int64_t step_ms) override {
    if (step_ms <= 0) return Error(ErrorCode::kInvalidArgument, "the step must be positive");
    if (end_ms < start_ms) {
      return Error(ErrorCode::kInvalidArgument, "the end must not be before the start");
    }
    return engine_.range(*storage_, expression, start_ms, end_ms, step_ms, query_params());
  }

  Status close() override { return storage_->close(); }

 private:
  static promql::EngineOptions engine_options(const DatabaseOptions& options) {
    promql::EngineOptions engine;
    engine.lookback_delta = options.lookback_delta;
    engine.timeout = options.query_timeout;
    engine.samples_max = options.query_samples_max;
    engine.features.experimental_functions = options.experimental_functions;
    return engine;
  }

  static promql::QueryParams query_params() {
    promql::QueryParams params;
    params.max_source_resolution_ms = storage::kSourceAuto;
    return params;
  }

  Status wait_durable(storage::Ticket ticket) {
    struct Wait {
      std::mutex mutex;  // guards result
      std::condition_variable done;
      std::optional<Status> result;
    };
    const auto wait = std::make_shared<Wait>();
    storage_->when_durable(ticket, [wait](Status status) {
      const std::lock_guard lock(wait->mutex);
      wait->result = std::move(status);
      wait->done.notify_one();
    });
    std::unique_lock lock(wait->mutex);
    wait->done.wait(lock, [&] { return wait->result.has_value(); });
    return std::move(*wait->result);
  }

  base::SystemClock clock_;
  base::Logger log_;
  fs::RealFs files_;
  base::MetricsRegistry metrics_;
  base::MemoryAccount query_memory_{"query"};
  base::ThreadPool pool_;
  promql::Engine engine_;
  std::unique_ptr<storage::Db> storage_;
};

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& directory,
                                                 const DatabaseOptions& options) {
  auto database = std::make_unique<EmbeddedDatabase>(options);
  VARVE_TRY(database->open(directory, options));
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace varve
