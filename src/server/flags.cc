// SPDX-License-Identifier: Apache-2.0
#include "server/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/nearest.h"
#include "base/try.h"
#include "cli/commands.h"
#include "model/duration.h"
#include "server/build_info.h"

namespace varve::server {
namespace {

enum class FlagKind : std::uint8_t { kText, kBool, kDuration, kSize, kCount };
enum class FlagUse : std::uint8_t { kUsed, kIgnored };

struct FlagSpec {
  std::string_view name;
  FlagKind kind;
  std::string_view fallback;
  FlagUse use;
  std::string_view help;
};

constexpr auto kUsed = FlagUse::kUsed;
constexpr auto kIgnored = FlagUse::kIgnored;
constexpr auto kText = FlagKind::kText;
constexpr auto kBool = FlagKind::kBool;
constexpr auto kDuration = FlagKind::kDuration;
constexpr auto kCount = FlagKind::kCount;

// Names and defaults: `prometheus --help` of 3.x, hidden flags included. Ours: storage.wal.*,
// repair, query.max-queued, query.memory-max, query.cache-max.
constexpr FlagSpec kFlags[] = {
    {"config.file", kText, "prometheus.yml", kUsed, "Configuration file."},
    {"config.auto-reload", kBool, "false", kUsed, "Reload when the configuration file changes."},
    {"config.auto-reload-interval", kDuration, "30s", kUsed, "How often to look for changes."},
    {"web.listen-address", kText, "0.0.0.0:9090", kUsed, "Address to listen on; repeatable."},
    {"web.config.file", kText, "", kUsed, "TLS, users, headers; read again as it changes."},
    {"web.read-timeout", kDuration, "5m", kUsed,
     "Longest time to read a request, and to keep an idle connection."},
    {"web.max-connections", kCount, "512", kUsed, "Most simultaneous connections."},
    {"web.max-notifications-subscribers", kCount, "16", kIgnored, ""},
    {"web.external-url", kText, "", kUsed, "URL under which Varve is reached from outside."},
    {"web.route-prefix", kText, "", kUsed, "Prefix of all paths; by default external-url's path."},
    {"web.local-assets", kText, "", kIgnored, ""},
    {"web.user-assets", kText, "", kIgnored, ""},
    {"web.enable-lifecycle", kBool, "false", kUsed, "Allow reload and quit over HTTP."},
    {"web.enable-admin-api", kBool, "false", kUsed, "Allow administration over HTTP."},
    {"web.enable-remote-write-receiver", kBool, "true", kUsed, "Accept remote write."},
    {"web.enable-otlp-receiver", kBool, "false", kIgnored, ""},
    {"web.remote-write-receiver.accepted-protobuf-messages", kText, "prometheus.WriteRequest",
     kIgnored, ""},
    {"web.console.templates", kText, "consoles", kIgnored, ""},
    {"web.console.libraries", kText, "console_libraries", kIgnored, ""},
    {"web.page-title", kText, "Varve", kUsed, "Title of the dashboard."},
    {"web.cors.origin", kText, ".*", kUsed, "Allowed CORS origins, a fully anchored regex."},
    {"storage.tsdb.path", kText, "data/", kUsed, "Where the data lies."},
    {"storage.tsdb.retention.time", kDuration, "15d", kUsed,
     "How long samples are kept; 0: for ever."},
    {"storage.tsdb.retention.size", FlagKind::kSize, "0B", kUsed,
     "Most bytes of blocks, log and head files; 0: no bound."},
    {"storage.tsdb.retention", kDuration, "", kUsed, "Old name of storage.tsdb.retention.time."},
    {"storage.tsdb.no-lockfile", kBool, "false", kUsed, "Do not lock the data directory."},
    {"storage.tsdb.min-block-duration", kDuration, "2h", kUsed,
     "Length of the blocks cut from the head; only 2h."},
    {"storage.tsdb.max-block-duration", kDuration, "0s", kUsed,
     "Longest block compaction makes (of 2h, 8h, 24h, 7d); 0s: a tenth of the retention, at least "
     "24h."},
    {"repair", kBool, "false", kUsed,
     "Set damaged parts of the data directory aside, saying which, and start without them."},
    {"storage.tsdb.wal-compression", kBool, "true", kIgnored, ""},
    {"storage.tsdb.wal-compression-type", kText, "snappy", kIgnored, ""},
    {"storage.tsdb.wal-segment-size", kText, "0B", kIgnored, ""},
    {"storage.tsdb.allow-overlapping-blocks", kBool, "true", kIgnored, ""},
    {"storage.tsdb.allow-overlapping-compaction", kBool, "true", kIgnored, ""},
    {"storage.tsdb.head-chunks-write-queue-size", kCount, "0", kIgnored, ""},
    {"storage.tsdb.samples-per-chunk", kCount, "120", kIgnored, ""},
    {"storage.tsdb.max-block-chunk-segment-size", kText, "0B", kIgnored, ""},
    {"storage.wal.fsync", kText, "always", kUsed,
     "When writes are acknowledged: always (after fdatasync), interval, off."},
    {"storage.wal.fsync-interval", kDuration, "100ms", kUsed, "Between syncs in mode interval."},
    {"storage.agent.path", kText, "data-agent/", kIgnored, ""},
    {"storage.agent.wal-compression", kBool, "true", kIgnored, ""},
    {"storage.agent.wal-compression-type", kText, "snappy", kIgnored, ""},
    {"storage.agent.retention.min-time", kText, "", kIgnored, ""},
    {"storage.agent.retention.max-time", kText, "", kIgnored, ""},
    {"storage.agent.no-lockfile", kBool, "false", kIgnored, ""},
    {"storage.remote.flush-deadline", kDuration, "1m", kIgnored, ""},
    {"storage.remote.read-sample-limit", kText, "5e7", kIgnored, ""},
    {"storage.remote.read-concurrent-limit", kCount, "10", kIgnored, ""},
    {"storage.remote.read-max-bytes-in-frame", kText, "1048576", kIgnored, ""},
    {"rules.alert.for-outage-tolerance", kDuration, "1h", kUsed,
     "Longest outage after which the `for` state of alerts is restored."},
    {"rules.alert.for-grace-period", kDuration, "10m", kUsed,
     "Least time between restoring an alert and its firing; shorter `for`s are not restored."},
    {"rules.alert.resend-delay", kDuration, "1m", kUsed,
     "Least time before an alert is sent to an Alertmanager again."},
    {"rules.max-concurrent-evals", kCount, "4", kUsed,
     "Rules evaluated side by side within groups, with the feature concurrent-rule-eval."},
    {"alertmanager.notification-queue-capacity", kCount, "10000", kUsed,
     "Most alerts waiting for one Alertmanager."},
    {"alertmanager.notification-batch-size", kCount, "256", kUsed,
     "Most alerts in one request to an Alertmanager."},
    {"alertmanager.drain-notification-queue-on-shutdown", kBool, "true", kUsed,
     "Send waiting alerts before shutting down."},
    {"alertmanager.timeout", kDuration, "10s", kIgnored, ""},
    {"scrape.adjust-timestamps", kBool, "true", kIgnored, ""},
    {"scrape.timestamp-tolerance", kDuration, "2ms", kIgnored, ""},
    {"scrape.discovery-reload-interval", kDuration, "1s", kUsed,
     "Least time between two updates of a job's targets by discovery."},
    {"scrape.name-escaping-scheme", kText, "values", kIgnored, ""},
    {"query.lookback-delta", kDuration, "5m", kUsed,
     "How far back an instant value is looked for."},
    {"query.timeout", kDuration, "2m", kUsed, "Longest time a query may take."},
    {"query.max-concurrency", kCount, "20", kUsed,
     "Most queries evaluated at a time; never more than there are cores (or 2)."},
    {"query.max-samples", kCount, "50000000", kUsed, "Most samples one query may hold in memory."},
    {"query.max-queued", kCount, "1000", kUsed, "Most queries that wait for their turn."},
    {"query.memory-max", FlagKind::kSize, "0B", kUsed,
     "Most memory of all queries together; 0: a quarter of the machine's or the container's."},
    {"query.cache-max", FlagKind::kSize, "64MB", kUsed,
     "Most memory for results of range queries that are kept for the next ones; 0: none are."},
    {"enable-feature", kText, "", kUsed,
     "Comma-separated feature names, as Prometheus's; repeatable."},
    {"agent", kBool, "false", kIgnored, ""},
    {"auto-gomaxprocs", kBool, "true", kIgnored, ""},
    {"auto-gomemlimit", kBool, "true", kIgnored, ""},
    {"auto-gomemlimit.ratio", kText, "0.9", kIgnored, ""},
    {"log.level", kText, "info", kUsed, "debug, info, warn or error."},
    {"log.format", kText, "logfmt", kUsed, "logfmt or json."},
};

// Features of Prometheus, and of its older versions, that are always on here. What is neither here
// nor in enable_feature is not done, and said to be ignored: nobody shall believe that it is.
constexpr std::string_view kAlwaysOn[] = {
    "exemplar-storage", "expand-external-labels", "memory-snapshot-on-shutdown",
    "metadata-wal-records", "new-service-discovery-manager", "no-default-scrape-port",
    "ooo-native-histograms", "promql-at-modifier", "promql-negative-offset", "utf8-names"};

using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

Error flag_error(std::string_view name, std::string_view text) {
  return {ErrorCode::kInvalidArgument, fmt::format("flag --{}: {}", name, text)};
}

std::string help_text() {
  std::string text =
      "usage: varve [<flags>]\n       varve <command> …\n\nCommands:\n" + cli::usage() +
      "\nThe Varve time-series database. Flags have Prometheus's names and meanings.\n\nFlags:\n"
      "  -h, --help\n  --version\n";
  for (const FlagSpec& flag : kFlags) {
    if (flag.use == kIgnored) continue;
    text += fmt::format("  --{}{}={}\n        {}\n", flag.kind == kBool ? "[no-]" : "", flag.name,
                        flag.fallback, flag.help);
  }
  text += "\nOther flags of Prometheus are accepted with a warning and have no effect.\n";
  return text;
}

Result<Values> read_command_line(const std::vector<std::string>& arguments) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  Values values;
  std::map<std::string, std::vector<std::string>, std::less<>> given;
  std::map<std::string, bool, std::less<>> switches;
  for (const FlagSpec& flag : kFlags) {
    const std::string name(flag.name);
    if (flag.kind == kBool) {
      switches[name] = flag.fallback == "true";
      app.add_flag(fmt::format("--{},!--no-{}", name, name), switches[name]);
    } else {
      app.add_option("--" + name, given[name])->take_all()->allow_extra_args(false);
    }
  }
  try {
    // CLI11 wants them last first.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Error& error) {
    return Error(ErrorCode::kInvalidArgument, error.what());
  }
  for (const std::string& extra : app.remaining()) {
    if (!extra.starts_with('-')) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("unexpected argument {}; --help lists flags and commands", extra));
    }
    const std::string name = extra.substr(extra.find_first_not_of('-') == std::string::npos
                                              ? extra.size()
                                              : extra.find_first_not_of('-'));
    std::vector<std::string_view> names;
    for (const FlagSpec& flag : kFlags) names.push_back(flag.name);
    const std::string bare = name.substr(0, name.find('='));
    const std::string_view nearest = base::nearest(bare, names);
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("unknown flag --{}{}", bare,
                             nearest.empty() ? "; varve --help lists the flags"
                                             : fmt::format(", did you mean --{}?", nearest)));
  }
  for (const FlagSpec& flag : kFlags) {
    const std::string name(flag.name);
    if (flag.kind == kBool) {
      if (app.count("--" + name) > 0) {
        values[name] = {switches[name] ? "true" : "false"};
      }
    } else if (!given[name].empty()) {
      values[name] = given[name];
    }
  }
  return values;
}

class Reader {
 public:
  explicit Reader(Values values) : values_(std::move(values)) {}

  bool given(std::string_view name) const { return values_.contains(name); }
  std::vector<std::string> list(std::string_view name) const {
    const auto at = values_.find(name);
    if (at != values_.end()) return at->second;
    const std::string_view fallback = spec(name).fallback;
    return fallback.empty() ? std::vector<std::string>() : std::vector{std::string(fallback)};
  }
  std::string text(std::string_view name) const {
    const auto all = list(name);
    return all.empty() ? std::string() : all.back();
  }
  bool on(std::string_view name) const { return text(name) == "true"; }

  Result<std::chrono::milliseconds> duration(std::string_view name) const {
    const auto parsed = model::parse_duration(text(name));
    if (!parsed.ok()) {
      return flag_error(
          name,
          fmt::format("not a valid duration string: \"{}\" (such as 15d, 1h30m)", text(name)));
    }
    return std::chrono::milliseconds(*parsed);
  }
  Result<std::uint64_t> count(std::string_view name) const {
    const std::string value = text(name);
    std::uint64_t number = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (status != std::errc() || end != value.data() + value.size()) {
      return flag_error(name, fmt::format("\"{}\" is not a whole number of 0 or more", value));
    }
    return number;
  }
  Result<std::size_t> choice(std::string_view name,
                             std::span<const std::string_view> choices) const {
    const std::string value = text(name);
    const auto at = std::find(choices.begin(), choices.end(), value);
    if (at == choices.end()) {
      return flag_error(name, fmt::format("\"{}\" must be one of {}", value,
                                          fmt::join(choices, ", ")));
    }
    return static_cast<std::size_t>(at - choices.begin());
  }

  static const FlagSpec& spec(std::string_view name) {
    return *std::find_if(std::begin(kFlags), std::end(kFlags),
                         [name](const FlagSpec& flag) { return flag.name == name; });
  }

 private:
  Values values_;
};

void enable_feature(Flags& flags, std::string_view name) {
  if (name == "promql-experimental-functions") {
    flags.features.experimental_functions = true;
  } else if (name == "promql-delayed-name-removal") {
    flags.features.delayed_name_removal = true;
  } else if (name == "promql-extended-range-selectors") {
    flags.features.extended_range_selectors = true;
  } else if (name == "promql-binop-fill-modifiers") {
    flags.features.binop_fill_modifiers = true;
  } else if (name == "use-start-timestamps") {
    flags.features.use_start_timestamps = true;
  } else if (name == "promql-per-step-stats") {
    flags.features.per_step_stats = true;
  } else if (name == "promql-duration-expr") {
    flags.features.duration_expressions = true;
  } else if (name == "concurrent-rule-eval") {
    flags.concurrent_rule_evals = true;
  } else if (name == "extra-scrape-metrics") {
    flags.extra_scrape_metrics = true;
  } else if (name == "created-timestamp-zero-ingestion") {
    flags.start_zeros = true;
  } else if (name == "type-and-unit-labels") {
    flags.type_and_unit_labels = true;
    flags.features.type_and_unit_labels = true;
  } else if (name == "auto-reload-config") {
    flags.config_auto_reload = true;
  } else if (name == "remote-write-receiver") {
    flags.enable_remote_write = true;
  } else if (name == "native-histograms") {
    flags.warnings.emplace_back(
        "feature native-histograms in --enable-feature is ignored: what is scraped is said by "
        "scrape_native_histograms in the configuration");
  } else if (std::find(std::begin(kAlwaysOn), std::end(kAlwaysOn), name) == std::end(kAlwaysOn)) {
    flags.warnings.push_back(
        fmt::format("unknown feature {} in --enable-feature is ignored", name));
  }
}

// "/a/b" of "http://host/a/b/"; a route prefix begins with a slash and does not end with one.
std::string url_path(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t slash = url.find('/', scheme + 3);
    url = slash == std::string_view::npos ? std::string_view() : url.substr(slash);
  }
  while (url.ends_with('/')) url.remove_suffix(1);
  while (url.starts_with('/')) url.remove_prefix(1);
  return url.empty() ? std::string() : fmt::format("/{}", url);
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGTPE";
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto refused = Error(ErrorCode::kInvalidArgument,
                             fmt::format("\"{}\" is not a size with a unit, such as 512MB", text));
  if (status != std::errc() || !unit.ends_with('B')) {
    if (text == "0") return std::uint64_t{0};
    return refused;
  }
  unit.remove_suffix(1);
  if (unit.ends_with('i')) unit.remove_suffix(1);
  if (unit.empty()) return number;
  const std::size_t power = kUnits.find(unit[0]);
  if (unit.size() != 1 || power == std::string_view::npos) return refused;
  const auto shift = 10 * (power + 1);
  if (number != 0 && number > (~std::uint64_t{0} >> shift)) return refused;
  return number << shift;
}

std::string version_line() {
  const api::BuildInfo build = build_info();
  return fmt::format("varve, version {} (branch: {}, revision: {})", build.version, build.branch,
                     build.revision);
}

Result<Flags> parse_flags(const std::vector<std::string>& arguments) {
  Flags flags;
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "-h" || argument == "--help") {
      flags.answer = help_text();
      return flags;
    }
    if (argument == "--version") {
      flags.answer = version_line() + '\n';
      return flags;
    }
  }
  VARVE_TRY_ASSIGN(Values values, read_command_line(arguments));
  const Reader reader(std::move(values));
  for (const FlagSpec& flag : kFlags) {
    if (flag.kind == kDuration && !reader.text(flag.name).empty()) {
      VARVE_TRY(reader.duration(flag.name));
    }
    if (flag.kind == kCount) VARVE_TRY(reader.count(flag.name));
    if (flag.use == kIgnored && reader.given(flag.name)) {
      flags.warnings.push_back(
          fmt::format("--{} is accepted but has no effect in Varve", flag.name));
    }
    flags.all.emplace_back(flag.name, fmt::format("{}", fmt::join(reader.list(flag.name), ",")));
  }
  std::sort(flags.all.begin(), flags.all.end());

  flags.config_file = reader.text("config.file");
  flags.config_auto_reload = reader.on("config.auto-reload");
  VARVE_TRY_ASSIGN(flags.config_auto_reload_interval,
                   reader.duration("config.auto-reload-interval"));
  flags.listen_addresses = reader.list("web.listen-address");
  VARVE_TRY_ASSIGN(flags.connections_max, reader.count("web.max-connections"));
  VARVE_TRY_ASSIGN(flags.read_timeout, reader.duration("web.read-timeout"));
  flags.web_config_file = reader.text("web.config.file");
  flags.external_url = reader.text("web.external-url");
  flags.route_prefix = url_path(reader.given("web.route-prefix") ? reader.text("web.route-prefix")
                                                                 : flags.external_url);
  flags.cors_origin = reader.text("web.cors.origin");
  flags.page_title = reader.text("web.page-title");
  flags.enable_lifecycle = reader.on("web.enable-lifecycle");
  flags.enable_admin = reader.on("web.enable-admin-api");
  flags.enable_remote_write = reader.on("web.enable-remote-write-receiver");

  flags.storage_path = reader.text("storage.tsdb.path");
  flags.lock_directory = !reader.on("storage.tsdb.no-lockfile");
  constexpr std::array<std::string_view, 3> kSyncModes{"always", "interval", "off"};
  VARVE_TRY_ASSIGN(const std::size_t sync, reader.choice("storage.wal.fsync", kSyncModes));
  flags.sync = static_cast<storage::SyncMode>(sync);
  VARVE_TRY_ASSIGN(flags.sync_interval, reader.duration("storage.wal.fsync-interval"));
  const auto retention_flag =
      reader.given("storage.tsdb.retention") && !reader.given("storage.tsdb.retention.time")
          ? "storage.tsdb.retention"
          : "storage.tsdb.retention.time";
  VARVE_TRY_ASSIGN(flags.retention_time, reader.duration(retention_flag));
  flags.retention_time_given = reader.given(retention_flag);
  const auto retention_size = parse_size(reader.text("storage.tsdb.retention.size"));
  if (!retention_size.ok()) {
    return flag_error("storage.tsdb.retention.size", retention_size.error().message());
  }
  flags.retention_bytes = *retention_size;
  flags.repair = reader.on("repair");
  constexpr std::chrono::hours kBlockMin{2};
  VARVE_TRY_ASSIGN(const std::chrono::milliseconds block_min,
                   reader.duration("storage.tsdb.min-block-duration"));
  if (block_min != kBlockMin) {
    flags.warnings.emplace_back(
        "--storage.tsdb.min-block-duration is ignored: the head is cut into blocks of 2h");
  }
  VARVE_TRY_ASSIGN(flags.max_block_duration, reader.duration("storage.tsdb.max-block-duration"));
  if (flags.max_block_duration.count() > 0 && flags.max_block_duration < kBlockMin) {
    return flag_error("storage.tsdb.max-block-duration", "must be 0s or at least 2h");
  }

  VARVE_TRY_ASSIGN(flags.lookback_delta, reader.duration("query.lookback-delta"));
  VARVE_TRY_ASSIGN(flags.query_timeout, reader.duration("query.timeout"));
  VARVE_TRY_ASSIGN(flags.query_concurrency_max, reader.count("query.max-concurrency"));
  VARVE_TRY_ASSIGN(flags.query_samples_max, reader.count("query.max-samples"));
  VARVE_TRY_ASSIGN(flags.queries_queued_max, reader.count("query.max-queued"));
  const auto memory_max = parse_size(reader.text("query.memory-max"));
  if (!memory_max.ok()) return flag_error("query.memory-max", memory_max.error().message());
  flags.query_memory_max_bytes = *memory_max;
  const auto cache_max = parse_size(reader.text("query.cache-max"));
  if (!cache_max.ok()) return flag_error("query.cache-max", cache_max.error().message());
  flags.query_cache_max_bytes = *cache_max;
  for (const std::string& list : reader.list("enable-feature")) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      if (comma != 0) enable_feature(flags, rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  VARVE_TRY_ASSIGN(flags.rules_outage_tolerance,
                   reader.duration("rules.alert.for-outage-tolerance"));
  VARVE_TRY_ASSIGN(flags.rules_grace_period, reader.duration("rules.alert.for-grace-period"));
  VARVE_TRY_ASSIGN(flags.rules_resend_delay, reader.duration("rules.alert.resend-delay"));
  VARVE_TRY_ASSIGN(flags.rule_evals_max, reader.count("rules.max-concurrent-evals"));
  VARVE_TRY_ASSIGN(flags.notification_queue_capacity,
                   reader.count("alertmanager.notification-queue-capacity"));
  VARVE_TRY_ASSIGN(flags.notification_batch_max,
                   reader.count("alertmanager.notification-batch-size"));
  VARVE_TRY_ASSIGN(flags.discovery_reload_interval,
                   reader.duration("scrape.discovery-reload-interval"));
  flags.drain_notifications = reader.on("alertmanager.drain-notification-queue-on-shutdown");
  constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warn", "error"};
  VARVE_TRY_ASSIGN(const std::size_t level, reader.choice("log.level", kLevels));
  flags.log_level = static_cast<base::LogLevel>(level);
  constexpr std::array<std::string_view, 2> kFormats{"logfmt", "json"};
  VARVE_TRY_ASSIGN(const std::size_t format, reader.choice("log.format", kFormats));
  flags.log_format = static_cast<base::LogFormat>(format);
  return flags;
}

}  // namespace varve::server
