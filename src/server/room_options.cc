// SPDX-License-Identifier: Apache-2.0
#include "server/room_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <vector>

#include "server/machine_memory.h"

namespace varve::server {
namespace {

// Queries together may hold this part of the machine's memory if --query.memory-max does not say.
constexpr std::uint64_t kQueryMemoryShare = 4;

}  // namespace

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string external_url(const Flags& flags, std::uint16_t port) {
  std::string url = flags.external_url;
  if (url.empty()) url = fmt::format("http://{}:{}{}", host_name(), port, flags.route_prefix);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

storage::Options storage_options(const Flags& flags, const config::StorageConfig& config) {
  storage::Options options;
  options.path = flags.storage_path;
  options.sync = flags.sync;
  options.sync_interval = flags.sync_interval;
  options.retention = config.raw_retention;
  options.ladder = config.ladder;
  options.retention_bytes = config.retention_bytes.value_or(flags.retention_bytes);
  options.lock_directory = flags.lock_directory;
  options.repair = flags.repair;
  if (flags.max_block_duration.count() > 0) {
    std::erase_if(options.block_windows, [&flags](std::chrono::milliseconds window) {
      return window > flags.max_block_duration;
    });
  }
  if (config.out_of_order_time_window)
    options.out_of_order_window = *config.out_of_order_time_window;
  if (config.exemplars_max && *config.exemplars_max >= 0) {
    options.exemplars_max = static_cast<std::size_t>(*config.exemplars_max);
  }
  options.recovery_threads = std::max(1U, std::thread::hardware_concurrency());
  return options;
}

promql::EngineOptions engine_options(const Flags& flags, const config::Config& config,
                                     fs::FileSystem& files) {
  promql::EngineOptions options;
  options.lookback_delta = flags.lookback_delta;
  options.timeout = flags.query_timeout;
  options.samples_max = flags.query_samples_max;
  const std::uint64_t memory_max = flags.query_memory_max_bytes != 0
                                       ? flags.query_memory_max_bytes
                                       : machine_memory_bytes(files) / kQueryMemoryShare;
  options.memory_max_bytes = static_cast<std::int64_t>(
      std::min<std::uint64_t>(memory_max, std::numeric_limits<std::int64_t>::max()));
  options.default_subquery_step = config.global.evaluation_interval;
  options.features = flags.features;
  return options;
}

}  // namespace varve::server
