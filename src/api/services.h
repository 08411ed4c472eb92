// SPDX-License-Identifier: Apache-2.0
// What the endpoints work with, gathered by `server` and handed to all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::base {
class Clock;
class Logger;
class MemoryAccount;
class MetricsRegistry;
class ThreadPool;
}  // namespace varve::base
namespace varve::dashboards {
class Store;
}
namespace varve::promql {
class Engine;
class RangeCache;
}

namespace varve::api {

struct BuildInfo {
  std::string version;
  std::string revision;
  std::string branch;
  std::string build_user;
  std::string build_date;
  std::string compiler;
};

// One file of the dashboard in the codings that it is kept in; both "": there is no such file.
struct DashboardFile {
  std::string_view gzip;
  std::string_view brotli;
};

// The dashboard as `web` has it; api serves it and looks into none of it.
struct Dashboard {
  std::string_view index_html;  // with the places to fill in; "" if there is no dashboard
  std::function<DashboardFile(std::string_view name)> file;
};

struct Limits {
  std::size_t write_body_max_bytes = std::size_t{32} << 20;          // as sent
  std::size_t write_uncompressed_max_bytes = std::size_t{128} << 20;  // after snappy
  std::size_t form_body_max_bytes = std::size_t{10} << 20;           // POST forms, as Go's net/http
  std::size_t queries_queued_max = 1000;  // more waiting queries answer 503 (--query.max-queued)
  std::size_t live_viewers_max = 200;  // streams of /api/v1/live; each holds a connection
  std::size_t live_queries_max = 2000;  // different ones, of all these streams
};

struct Options {
  std::string route_prefix;  // "" or "/prefix"
  std::string external_url;
  std::string cors_origin = ".*";
  std::string page_title = "Varve Time Series Database";
  bool enable_lifecycle = false;
  bool enable_admin = false;
  bool enable_remote_write = true;
  bool remote_write_start_zeros = false;  // a sample of 0 where remote write 2 says a counter began
  bool remote_write_type_and_unit = false;  // of remote write 2, as labels
  Limits limits;
};

// Borrowed; outlives the Api.
struct Services {
  promql::Engine* engine = nullptr;
  promql::RangeCache* range_cache = nullptr;  // of the storage; null: none
  base::MemoryAccount* query_memory = nullptr;  // what the engine charges; null: nobody counts
  base::ThreadPool* queries = nullptr;
  base::ThreadPool* admin = nullptr;  // for /api/v1/admin; null: on `queries`
  const base::Clock* clock = nullptr;
  base::Logger* log = nullptr;
  base::MetricsRegistry* metrics = nullptr;
  BuildInfo build;
  Dashboard dashboard;
  std::function<dashboards::Store*()> dashboards;          // null while starting
  std::vector<std::pair<std::string, std::string>> flags;  // all values as text
  std::function<Labels()> external_labels;                 // global.external_labels; may be empty
  std::function<std::string()> config_yaml;  // the loaded configuration, secrets hidden
  std::function<Status()> reload;                          // blocks until done
  std::function<void()> quit;
  struct Runtime {
    Timestamp start_time_ms = 0;
    std::string working_directory;
    std::string storage_retention;
  } runtime;
  std::function<bool()> last_reload_ok;
  std::function<Timestamp()> last_reload_time_ms;
};

}  // namespace varve::api
