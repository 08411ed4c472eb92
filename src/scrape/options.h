// SPDX-License-Identifier: Apache-2.0
// What one scrape pool (a job of scrape_configs) is told, with Prometheus 3.14's defaults. config
// fills it, resolving everything that a job inherits from `global`.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/client_options.h"
#include "model/relabel.h"
#include "model/target_group.h"
#include "varve/labels.h"

namespace varve::scrape {

enum class Protocol : std::uint8_t {
  kPrometheusProto,
  kOpenMetricsText0_0_1,
  kOpenMetricsText1_0_0,
  kPrometheusText0_0_4,
  kPrometheusText1_0_0,
};

// "OpenMetricsText1.0.0", …; reading is case-sensitive, as in Prometheus.
std::string_view to_string(Protocol protocol);
std::optional<Protocol> parse_protocol(std::string_view name);
inline constexpr std::array kDefaultProtocols{
    Protocol::kOpenMetricsText1_0_0, Protocol::kOpenMetricsText0_0_1,
    Protocol::kPrometheusText1_0_0, Protocol::kPrometheusText0_0_4};
inline constexpr std::array kProtoFirstProtocols{
    Protocol::kPrometheusProto, Protocol::kOpenMetricsText1_0_0, Protocol::kOpenMetricsText0_0_1,
    Protocol::kPrometheusText1_0_0, Protocol::kPrometheusText0_0_4};

enum class NameEscaping : std::uint8_t { kAllowUtf8, kUnderscores, kDots, kValues };
// "allow-utf-8", "underscores", "dots", "values".
std::string_view to_string(NameEscaping escaping);
std::optional<NameEscaping> parse_name_escaping(std::string_view name);

using model::TargetGroup;

// 0 means no limit everywhere.
struct Limits {
  std::uint64_t body_size_bytes = 0;  // after decompression
  std::uint64_t samples = 0;          // after metric relabelling
  std::uint64_t targets = 0;          // after target relabelling
  std::uint64_t labels = 0;
  std::uint64_t label_name_length = 0;
  std::uint64_t label_value_length = 0;
  std::uint64_t kept_dropped_targets = 0;
  std::uint64_t native_histogram_buckets = 0;
  double native_histogram_min_bucket_factor = 0;
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct PoolOptions {
  std::string job_name;
  std::chrono::milliseconds interval = std::chrono::minutes(1);
  std::chrono::milliseconds timeout = std::chrono::seconds(10);
  std::string metrics_path = "/metrics";
  std::string scheme = "http";
  std::map<std::string, std::vector<std::string>> params;
  bool honor_labels = false;
  bool honor_timestamps = true;
  bool track_timestamps_staleness = false;
  bool enable_compression = true;
  bool extra_scrape_metrics = false;
  bool scrape_native_histograms = false;
  bool always_scrape_classic_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  std::vector<Protocol> protocols{kDefaultProtocols.begin(), kDefaultProtocols.end()};
  std::optional<Protocol> fallback_protocol;
  model::NameScheme name_scheme = model::NameScheme::kUtf8;
  NameEscaping name_escaping = NameEscaping::kAllowUtf8;
  std::string failure_log_file;
  Limits limits;
  http::ClientOptions client;
  std::vector<TargetGroup> static_configs;
  std::vector<model::RelabelRule> relabel;
  std::vector<model::RelabelRule> metric_relabel;
  friend bool operator==(const PoolOptions&, const PoolOptions&) = default;
};

}  // namespace varve::scrape
