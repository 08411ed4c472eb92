// SPDX-License-Identifier: Apache-2.0
// The command line: Prometheus's flags under Prometheus's names, and the few that are ours.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "promql/features.h"
#include "storage/db.h"
#include "varve/result.h"

namespace varve::server {

struct Flags {
  std::string config_file;
  std::vector<std::string> listen_addresses;
  std::size_t connections_max = 512;
  std::chrono::milliseconds read_timeout{};
  std::string web_config_file;  // "": without TLS and users
  std::string external_url;
  std::string route_prefix;  // "" or "/prefix", no slash at the end
  std::string cors_origin;
  std::string page_title;
  bool enable_lifecycle = false;
  bool enable_admin = false;
  bool enable_remote_write = true;

  std::string storage_path;
  storage::SyncMode sync = storage::SyncMode::kAlways;
  std::chrono::milliseconds sync_interval{100};
  std::chrono::milliseconds retention_time{};  // 0: for ever
  bool retention_time_given = false;           // and not the default
  std::uint64_t retention_bytes = 0;
  bool lock_directory = true;
  std::chrono::milliseconds max_block_duration{};  // 0: up to a week, or a tenth of the retention
  bool repair = false;

  std::chrono::milliseconds lookback_delta{};
  std::chrono::milliseconds query_timeout{};
  std::size_t query_concurrency_max = 20;
  std::uint64_t query_samples_max = 50'000'000;
  std::size_t queries_queued_max = 1000;
  std::uint64_t query_memory_max_bytes = 0;  // 0: a share of what the machine has
  std::uint64_t query_cache_max_bytes = std::uint64_t{64} << 20;
  promql::Features features;
  std::chrono::milliseconds discovery_reload_interval{};
  bool extra_scrape_metrics = false;
  bool start_zeros = false;  // of scrapes and of remote write 2
  bool type_and_unit_labels = false;  // the same

  std::chrono::milliseconds rules_outage_tolerance{};
  std::chrono::milliseconds rules_grace_period{};
  std::chrono::milliseconds rules_resend_delay{};
  bool concurrent_rule_evals = false;
  std::size_t rule_evals_max = 4;
  std::size_t notification_queue_capacity = 10'000;
  std::size_t notification_batch_max = 256;
  bool drain_notifications = true;

  bool config_auto_reload = false;
  std::chrono::milliseconds config_auto_reload_interval{};
  base::LogLevel log_level = base::LogLevel::kInfo;
  base::LogFormat log_format = base::LogFormat::kLogfmt;

  // Every flag with its value as text, sorted, for /api/v1/status/flags.
  std::vector<std::pair<std::string, std::string>> all;
  // What was accepted but has no effect; for the log.
  std::vector<std::string> warnings;
  // Set by --help and --version: print this and stop with status 0.
  std::string answer;
};

// argv without the program's name. kInvalidArgument names the flag, what is wrong with it and, for
// an unknown one, the nearest that exists.
Result<Flags> parse_flags(const std::vector<std::string>& arguments);

// "512MB": powers of 1024 under plain letters, as Prometheus counts. A unit is required.
Result<std::uint64_t> parse_size(std::string_view text);

// The line --version prints first.
std::string version_line();

}  // namespace varve::server
