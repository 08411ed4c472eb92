// SPDX-License-Identifier: Apache-2.0
// Scraping: pulls every target of every pool at its own even pace, without a thread per target. One
// timer thread starts requests, the HTTP client carries them, a pool of workers parses and appends.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scrape/options.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::base {
class Clock;
class Logger;
class MetricsRegistry;
class ThreadPool;
}  // namespace varve::base
namespace varve::fs {
class FileSystem;
}
namespace varve::http {
class Client;
}
namespace varve::storage {
class Appendable;
struct MetadataEntry;
}  // namespace varve::storage

namespace varve::scrape {

enum class Health : std::uint8_t { kUnknown, kUp, kDown };
// "unknown", "up", "down".
std::string_view to_string(Health health);

// An entry of /api/v1/targets' activeTargets.
struct TargetStatus {
  Labels discovered_labels;
  Labels labels;  // without those that begin with "__"
  std::string scrape_pool;
  std::string scrape_url;
  std::string global_url;
  std::string last_error;
  Timestamp last_scrape_ms = 0;  // 0: not yet
  std::chrono::nanoseconds last_scrape_duration{};
  Health health = Health::kUnknown;
  std::chrono::milliseconds interval{};
  std::chrono::milliseconds timeout{};
};

// An entry of droppedTargets: a target that relabelling dropped.
struct DroppedTarget {
  Labels discovered_labels;
  std::string scrape_pool;
};

struct TargetMetadata {
  Labels target;  // the target's labels
  std::string metric_family;
  std::string type;
  std::string help;
  std::string unit;
};

// What the whole process decides, not one pool.
struct ManagerOptions {
  // Where this server is reached, for globalUrl of targets on the loopback: "http", "host:9090".
  std::string external_scheme = "http";
  std::string external_host = {};
  std::string own_port = {};          // of the listen address
  bool extra_scrape_metrics = false;  // --enable-feature=extra-scrape-metrics
  bool start_zeros = false;           // --enable-feature=created-timestamp-zero-ingestion
  bool type_and_unit_labels = false;  // --enable-feature=type-and-unit-labels
  std::uint64_t offset_seed = 0;      // moves all scrapes, so that two replicas do not coincide
  // Bytes of response bodies as they come in, and of what they unfold to and become until they are
  // stored, over all targets. A scrape that passes it fails, visibly, instead of growing the
  // process.
  std::size_t bodies_total_max_bytes = std::size_t{1} << 30;
  // The bound of one body where the pool sets none; a target that streams for ever ends here. At
  // most a sixteenth of the bytes above, so that a few such targets leave the others room.
  std::size_t body_default_max_bytes = std::size_t{256} << 20;
};

// Borrowed; must outlive the manager. `files` is for secrets kept in files.
struct ManagerDependencies {
  http::Client& client;
  storage::Appendable& storage;
  base::ThreadPool& workers;
  fs::FileSystem& files;
  const base::Clock& clock;
  base::Logger& log;
  base::MetricsRegistry& metrics;
};

// Thread-safe. Owned by the server, destroyed before what it borrows.
class Manager {
 public:
  static std::unique_ptr<Manager> create(ManagerOptions options, ManagerDependencies dependencies);
  virtual ~Manager() = default;  // stop()

  // Starts the timer thread. A test calls run_due() instead.
  virtual void start() = 0;
  // Starts every scrape that is due at the clock's time and returns the time of the next one, the
  // maximum Timestamp if there is none. Not to be called beside start().
  virtual Timestamp run_due() = 0;

  // A (re)load. Targets that stay (same pool, labels and URL) keep their state and their pace;
  // those that go, alone or with their whole job, end with stale markers. Pool names are unique.
  virtual void apply(std::vector<PoolOptions> pools) = 0;
  // What discovery found for a pool, beside its static targets: replaces the groups of these
  // sources (an empty group removes its source). kNotFound if there is no such pool.
  virtual Status update_targets(std::string_view pool, std::span<const TargetGroup> groups) = 0;

  // No scrape begins any more; those under way are waited for or given up with the client. Stale
  // markers are not written: after a restart the series go on, as in Prometheus. Idempotent.
  virtual void stop() = 0;

  // Snapshots; all pools if `pool` is empty. Sorted by pool, then URL.
  virtual std::vector<TargetStatus> targets(std::string_view pool = {}) const = 0;
  virtual std::vector<DroppedTarget> dropped_targets(std::string_view pool = {}) const = 0;
  // The number of dropped targets by pool, also of those beyond keep_dropped_targets.
  virtual std::vector<std::pair<std::string, std::size_t>> dropped_counts() const = 0;
  virtual std::vector<std::string> pools() const = 0;  // sorted
  // A pool's relabel_configs. kNotFound in Prometheus's words.
  virtual Result<std::vector<model::RelabelRule>> relabel_rules(std::string_view pool) const = 0;
  // Of the targets' last scrapes; all families if `family` is empty.
  virtual std::vector<TargetMetadata> metadata(std::string_view family = {}) const = 0;
};

}  // namespace varve::scrape
