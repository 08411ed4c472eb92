// SPDX-License-Identifier: Apache-2.0
// The configuration that is in force, and how its last load went.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "config/config.h"
#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::server {

// The patterns of files that are read with the configuration.
inline std::vector<std::string> further_files(const config::Config& config) {
  std::vector<std::string> patterns = config.rule_files;
  patterns.insert(patterns.end(), config.scrape_config_files.begin(),
                  config.scrape_config_files.end());
  return patterns;
}

// Swapped by reloads; thread-safe.
class ConfigHolder {
 public:
  ConfigHolder(base::MetricsRegistry& metrics, const base::Clock& clock)
      : clock_(clock),
        successful_(metrics.gauge("prometheus_config_last_reload_successful",
                                  "Whether the last configuration reload attempt was successful.")),
        success_time_(metrics.gauge("prometheus_config_last_reload_success_timestamp_seconds",
                                    "Timestamp of the last successful configuration reload.")) {}

  void loaded(config::Config config) {
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
    loaded_ms_ = clock_.now_ms();
    ok_ = true;
    successful_.set(1);
    success_time_.set(static_cast<double>(loaded_ms_) / 1000);
  }
  void failed() {
    const std::lock_guard lock(mutex_);
    ok_ = false;
    successful_.set(0);
  }
  std::vector<std::string> further_files() const {
    const std::lock_guard lock(mutex_);
    return server::further_files(config_);
  }
  std::string yaml() const {
    const std::lock_guard lock(mutex_);
    return config::to_yaml(config_);
  }
  Labels external_labels() const {
    const std::lock_guard lock(mutex_);
    return config_.global.external_labels;
  }
  bool ok() const {
    const std::lock_guard lock(mutex_);
    return ok_;
  }
  Timestamp loaded_ms() const {
    const std::lock_guard lock(mutex_);
    return loaded_ms_;
  }

 private:
  const base::Clock& clock_;
  base::Gauge& successful_;
  base::Gauge& success_time_;
  mutable std::mutex mutex_;  // guards what follows
  config::Config config_;
  bool ok_ = false;
  Timestamp loaded_ms_ = 0;
};

}  // namespace varve::server
