// SPDX-License-Identifier: Apache-2.0
// The configuration file: Prometheus 3.14's YAML, read strictly. An unknown key, a wrong type or a
// broken value is an error that names file, line and column and, for a key, the nearest right one:
// `varve.yml:12:3: field scrape_intervall not known in scrape config, did you mean
// scrape_interval?` Sections that Varve does not act on yet are checked against the known keys and
// kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/options.h"
#include "rules/options.h"
#include "scrape/options.h"
#include "storage/levels.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::config {

// Nodes, nesting and bytes past these end the load with kLimitExceeded; aliases count as what they
// stand for, so that a few lines cannot unfold into gigabytes.
inline constexpr std::size_t kFileMaxBytes = std::size_t{32} << 20;
inline constexpr std::size_t kNodesMax = 4'000'000;
inline constexpr std::size_t kExpandedBytesMax = std::size_t{256} << 20;
inline constexpr std::size_t kDepthMax = 100;

struct GlobalConfig {
  std::chrono::milliseconds scrape_interval = std::chrono::minutes(1);
  std::chrono::milliseconds scrape_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds evaluation_interval = std::chrono::minutes(1);
  std::chrono::milliseconds rule_query_offset{};
  Labels external_labels;  // environment variables expanded
  std::string query_log_file;
  std::string scrape_failure_log_file;
  std::vector<scrape::Protocol> scrape_protocols;  // empty: not set
  scrape::Limits limits;
  std::optional<model::NameScheme> name_scheme;
  std::optional<scrape::NameEscaping> name_escaping;
  bool scrape_native_histograms = false;
  bool convert_classic_histograms_to_nhcb = false;
  bool always_scrape_classic_histograms = false;
  bool extra_scrape_metrics = false;
};

// How long samples are kept where the file does not say: what a flag said, or else its default,
// which a ladder's own retention of raw samples comes before.
struct RawRetention {
  std::chrono::milliseconds value = std::chrono::hours(24 * 15);  // 0: for ever
  bool given = false;                                             // on the command line
};

// What holds where the file does not say.
struct Defaults {
  RawRetention raw;
  // Targets are asked for protobuf first, which tells when counters began in most clients.
  bool protobuf_first = false;
};

// What the file says about storage wins over the flags.
struct StorageConfig {
  std::optional<std::chrono::milliseconds> out_of_order_time_window;
  std::optional<std::chrono::milliseconds> retention_time;
  std::optional<std::uint64_t> retention_bytes;
  std::optional<std::int64_t> exemplars_max;
  // What holds in the end: of the file, the flag, the ladder, the default, in this order.
  std::chrono::milliseconds raw_retention{};
  std::string ladder_name;  // of a preset; its levels stand in `ladder`
  storage::Ladder ladder;
  std::vector<std::string> policy_selectors;  // as written, one for each of ladder.policies
};

// A section that is structurally checked and kept for the part of Varve that will act on it.
struct RawSection {
  std::string yaml;     // as written, secrets in clear: never log or show it
  std::string masked;   // the same with `<secret>` in place of secrets
  int line = 0;         // where it begins
  bool present() const { return line != 0; }
};

struct Config {
  std::string name;  // the file, as it was given
  GlobalConfig global;
  std::optional<std::int64_t> runtime_gogc;  // accepted for Prometheus's sake, without effect
  std::vector<std::string> rule_files;       // globs, joined with the file's folder
  std::vector<std::string> scrape_config_files;
  std::vector<scrape::PoolOptions> scrape_configs;  // those of scrape_config_files last
  std::size_t main_scrape_configs = 0;              // how many stand in the main file
  StorageConfig storage;
  rules::AlertingOptions alerting_options;
  // Beside static_configs: of jobs, by their name, and of alerting_options.alertmanagers, each.
  std::map<std::string, std::vector<discovery::SourceOptions>> scrape_discovery;
  std::vector<std::vector<discovery::SourceOptions>> alertmanager_discovery;
  RawSection alerting, remote_write, remote_read, otlp, tracing;
  // Things that are accepted but do not do what they seem to; for the log.
  std::vector<std::string> warnings;
};

// "" for a variable that is not set.
using Environment = std::function<std::string(const std::string& name)>;

// Reads a file and the scrape_config_files it names. kIo, kInvalidArgument, kLimitExceeded; the
// message begins with `file:line:column:` where there is one.
Result<Config> load_file(fs::FileSystem& files, const std::string& path,
                         const Environment& environment, const Defaults& defaults = {});
// The same for text; `name` stands for the file in messages, relative paths stay as they are, and
// scrape_config_files are not read.
Result<Config> parse(std::string_view text, std::string name, const Environment& environment = {},
                     const Defaults& defaults = {});

// Whether the credentials and client certificates that the jobs name exist: kNotFound with the
// first that does not. Loading does not ask, because a secret may be mounted later.
Status check_files(fs::FileSystem& files, const Config& config);

// Only a list of scrape configs, as in a file of scrape_config_files.
Result<std::vector<scrape::PoolOptions>> parse_scrape_configs(std::string_view text,
                                                              std::string name,
                                                              const GlobalConfig& global);

// Target groups as a file of file_sd_configs holds them; their sources are their numbers.
Result<std::vector<model::TargetGroup>> parse_target_groups(std::string_view content,
                                                            std::string name);

// What becomes of samples as they grow old, a line for raw samples, each level and each retention
// of series; nothing if all are kept as long, and as they are.
std::vector<std::string> describe_history(const StorageConfig& storage);

// As /api/v1/status/config shows it: Prometheus's order of keys, defaults filled in where
// Prometheus does, secrets as `<secret>`.
std::string to_yaml(const Config& config);

}  // namespace varve::config
