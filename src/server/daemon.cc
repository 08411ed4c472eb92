// SPDX-License-Identifier: Apache-2.0
#include "server/daemon.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "config/config.h"
#include "config/read_web_config.h"
#include "config/read_rules.h"
#include "dashboards/store.h"
#include "discovery/manager.h"
#include "fs/real_fs.h"
#include "http/client.h"
#include "http/server.h"
#include "http/web_access.h"
#include "model/duration.h"
#include "promql/engine.h"
#include "promql/range_cache.h"
#include "rules/manager.h"
#include "rules/notifier.h"
#include "scrape/manager.h"
#include "server/build_info.h"
#include "server/config_holder.h"
#include "server/machine_memory.h"
#include "server/process_metrics.h"
#include "server/query_log.h"
#include "server/room_options.h"
#include "server/start_pages.h"
#include "storage/db.h"
#include "web/assets.h"

namespace varve::server {
namespace {

// Scrapes under way may hold this part of the machine's memory, a GiB at most and so much at least.
constexpr std::uint64_t kScrapeMemoryShare = 8;
constexpr std::size_t kScrapeMemoryMin = std::size_t{64} << 20;
// How long requests under way may still take after SIGTERM.
constexpr std::chrono::seconds kStopGrace{10};
// Bodies of scrapes are parsed beside ingest and queries; more threads than cores gain nothing.
constexpr std::size_t kScrapeQueueMax = 10'000;
// Discovery waits for names and reads files on these.
constexpr std::size_t kDiscoveryThreads = 2;
constexpr std::size_t kDiscoveryQueueMax = 1000;
// Administrative requests that wait for the one under way.
constexpr std::size_t kAdminQueueMax = 16;
// alertmanagers[0] is "config-0" to discovery, as in Prometheus's metrics.
constexpr std::string_view kAlertmanagerPrefix = "config-";
// Beyond --web.max-connections, for those who ask whether the server lives, and how.
constexpr std::size_t kReservedConnections = 8;

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : std::string(value);
}

api::DashboardFile find_asset(std::string_view name) {
  for (const web::Asset& asset : web::assets()) {
    if (asset.name == name) return {asset.gzip, asset.brotli};
  }
  return {};
}

// All that the files say.
struct Loaded {
  config::Config config;
  std::vector<rules::RuleGroupOptions> rules;
};

Result<Loaded> load_all(fs::FileSystem& files, const Flags& flags) {
  Loaded loaded;
  VARVE_TRY_ASSIGN(
      loaded.config,
      config::load_file(files, flags.config_file, environment,
                        {{flags.retention_time, flags.retention_time_given}, flags.start_zeros}));
  const config::GlobalConfig& global = loaded.config.global;
  VARVE_TRY_ASSIGN(loaded.rules,
                   config::load_rule_files(files, loaded.config.rule_files,
                                           {global.evaluation_interval,
                                            global.name_scheme.value_or(model::NameScheme::kUtf8),
                                            flags.features}));
  return loaded;
}

// Signals are taken by the main thread alone; every other thread is born with them blocked.
sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

// Every target and every client is a descriptor. As Go's programs do, we take what we may have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Daemon {
 public:
  Daemon(const Flags& flags, const base::Clock& clock, base::Logger& log)
      : flags_(flags),
        clock_(clock),
        log_(log),
        config_holder_(metrics_, clock),
        signals_(block_signals()) {}

  int run() {
    log_.info("Starting Varve", {{"version", build_info().version},
                                 {"revision", build_info().revision}});
    for (const std::string& warning : flags_.warnings) log_.warn(warning);
    raise_descriptor_limit();
    auto loaded = load_all(files_, flags_);
    if (!loaded.ok()) {
      log_.error("Error loading config", {{"file", flags_.config_file},
                                          {"err", loaded.error().message()}});
      return kExitUsage;
    }
    // Of what was loaded, not of what is there once all has started: a change meanwhile counts too.
    std::string content = config_content(further_files(loaded->config));
    const Status status = start(std::move(*loaded));
    if (!status.ok()) {
      log_.error("Error starting Varve", {{"err", status.error().message()}});
      stop();
      return kExitFailure;
    }
    drop_start_pages(files_);
    wait_for_signals(std::move(content));
    return stop();
  }

 private:
  Status start(Loaded loaded) {
    const config::Config& config = loaded.config;
    register_process_metrics(metrics_, files_, clock_);
    const api::BuildInfo build = build_info();
    metrics_
        .gauge("prometheus_build_info", "What this binary was built from.",
               {{"branch", build.branch}, {"goversion", build.compiler},
                {"revision", build.revision}, {"version", build.version}})
        .set(1);
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t query_threads =
        std::clamp<std::size_t>(flags_.query_concurrency_max, 1, std::max<std::size_t>(cores, 2));
    query_pool_ = std::make_unique<base::ThreadPool>("query", query_threads,
                                                     flags_.queries_queued_max);
    admin_pool_ = std::make_unique<base::ThreadPool>("admin", 1, kAdminQueueMax);
    engine_ = std::make_unique<promql::Engine>(engine_options(flags_, config, files_), clock_,
                                               query_pool_.get(), &query_memory_);
    metrics_.callback(base::MetricsRegistry::CallbackKind::kGauge, "varve_memory_bytes",
                      "Bytes reserved, by owner.",
                      [this] { return static_cast<double>(query_memory_.bytes()); },
                      {{"owner", "query"}});
    range_cache_ = std::make_unique<promql::RangeCache>(
        static_cast<std::int64_t>(flags_.query_cache_max_bytes), metrics_);
    api_ = std::make_unique<api::Api>(api_options(), services(config));

    http::ServerOptions server_options;
    server_options.listen_addresses = flags_.listen_addresses;
    server_options.lanes = cores;
    server_options.connections_max = flags_.connections_max;
    server_options.connections_reserved = kReservedConnections;
    for (const char* path : {"/-/healthy", "/-/ready", "/metrics"}) {
      server_options.reserved_paths.push_back(flags_.route_prefix + path);
    }
    server_options.read_timeout = flags_.read_timeout;
    server_options.body_max_bytes = api::Limits().write_body_max_bytes;
    http::Handler handler = [this](http::ExchangePtr exchange) {
      api_->handle(std::move(exchange));
    };
    if (!flags_.web_config_file.empty()) {
      VARVE_TRY_ASSIGN(
          web_access_,
          http::WebAccess::create(
              [this] { return config::read_web_config(files_, flags_.web_config_file); }, files_,
              log_));
      handler = web_access_->guard(std::move(handler));
      server_options.tls = [this] { return web_access_->tls(); };
    }
    auto server = http::Server::start(server_options, std::move(handler), log_, metrics_);
    if (!server.ok()) return std::move(server).error().with("--web.listen-address");
    server_ = std::move(*server);
    // With the port that was given where any was asked for.
    for (std::size_t i = 0; i < flags_.listen_addresses.size(); ++i) {
      const std::string& asked = flags_.listen_addresses[i];
      log_.info("Listening on", {{"address", asked.substr(0, asked.rfind(':') + 1) +
                                                 std::to_string(server_->ports()[i])},
                                 {"component", "web"}});
    }

    const storage::Options storage = storage_options(flags_, config.storage);
    VARVE_TRY_ASSIGN(db_, storage::Db::open(storage, files_, clock_, log_, metrics_));
    ladder_ = storage.ladder;
    VARVE_TRY_ASSIGN(dashboards_,
                     dashboards::Store::open(
                         files_, fs::join(flags_.storage_path, "varve/dashboards"), clock_, log_));
    provision_dashboards();
    shown_dashboards_.store(dashboards_.get(), std::memory_order_release);
    VARVE_TRY_ASSIGN(client_, http::Client::create(files_));
    scrape_pool_ = std::make_unique<base::ThreadPool>("scrape", cores, kScrapeQueueMax);
    scrape::ManagerOptions scrape_options;
    scrape_options.own_port = std::to_string(server_->ports().front());
    scrape_options.external_host = fmt::format("{}:{}", host_name(), scrape_options.own_port);
    scrape_options.extra_scrape_metrics = flags_.extra_scrape_metrics;
    scrape_options.start_zeros = flags_.start_zeros;
    scrape_options.type_and_unit_labels = flags_.type_and_unit_labels;
    scrape_options.bodies_total_max_bytes = std::clamp<std::size_t>(
        machine_memory_bytes(files_) / kScrapeMemoryShare, kScrapeMemoryMin,
        scrape_options.bodies_total_max_bytes);
    {
      // The server runs: a reload may come at any time.
      const std::lock_guard lock(reload_mutex_);
      scrape_ = scrape::Manager::create(
          scrape_options, {*client_, *db_, *scrape_pool_, files_, clock_, log_, metrics_});
      make_rules();
      VARVE_TRY(make_discovery());
      VARVE_TRY(apply(std::move(loaded)));
      scrape_->start();
      notifier_->start();
      scrape_discovery_->start();
      notify_discovery_->start();
      rules_->start();
    }
    api_->ready(*db_, *scrape_, rules_.get(), notifier_.get());
    log_.info("Server is ready to receive web requests.");
    return {};
  }

  // Dashboards that come as files stand beside the configuration.
  void provision_dashboards() {
    const std::string folder = fs::join(fs::parent_of(flags_.config_file), "dashboards");
    dashboards_->provision(std::span(&folder, 1));
  }

  // Questions that stay open for minutes have a client of their own.
  Status make_discovery() {
    VARVE_TRY_ASSIGN(discovery_client_, http::Client::create(files_));
    discovery_pool_ = std::make_unique<base::ThreadPool>("discovery", kDiscoveryThreads,
                                                         kDiscoveryQueueMax);
    const discovery::ManagerDependencies dependencies{
        *discovery_client_, *discovery_pool_, files_, clock_, log_, metrics_,
        config::parse_target_groups, discovery::system_resolver()};
    scrape_discovery_ = discovery::Manager::create(
        {.name = "scrape", .deliver_interval = flags_.discovery_reload_interval}, dependencies,
        [this](const std::string& job, std::span<const model::TargetGroup> groups) {
          warn(scrape_->update_targets(job, groups));
        });
    notify_discovery_ = discovery::Manager::create(
        {.name = "notify", .positional = true}, dependencies,
        [this](const std::string& name, std::span<const model::TargetGroup> groups) {
          const std::size_t place = std::stoul(name.substr(kAlertmanagerPrefix.size()));
          warn(notifier_->update_targets(place, groups));
        });
    return {};
  }

  void warn(const Status& status) {
    if (!status.ok())
      log_.warn("Discovered targets not taken", {{"err", status.error().message()}});
  }

  void apply_discovery(const config::Config& config) {
    std::vector<discovery::Subscription> jobs;
    for (const auto& [job, sources] : config.scrape_discovery) jobs.push_back({job, sources});
    scrape_discovery_->apply(std::move(jobs));
    std::vector<discovery::Subscription> alertmanagers;
    for (std::size_t i = 0; i < config.alertmanager_discovery.size(); ++i) {
      alertmanagers.push_back({fmt::format("{}{}", kAlertmanagerPrefix, i),
                               config.alertmanager_discovery[i]});
    }
    notify_discovery_->apply(std::move(alertmanagers));
  }

  void make_rules() {
    notifier_ = rules::Notifier::create(
        {flags_.notification_queue_capacity,
         std::max<std::size_t>(1, flags_.notification_batch_max), flags_.drain_notifications},
        {*client_, clock_, log_, metrics_});
    rules::ManagerOptions options;
    options.external_url = external_url(flags_, server_->ports().front());
    options.resend_delay = flags_.rules_resend_delay;
    options.outage_tolerance = flags_.rules_outage_tolerance;
    options.grace_period = flags_.rules_grace_period;
    options.concurrent_evals = flags_.concurrent_rule_evals;
    options.concurrent_evals_max = flags_.rule_evals_max;
    rules_ = rules::Manager::create(
        options, {*engine_, *db_, *db_, notifier_.get(), clock_, log_, metrics_});
  }

  api::Options api_options() const {
    api::Options options;
    options.route_prefix = flags_.route_prefix;
    options.external_url = flags_.external_url;
    options.cors_origin = flags_.cors_origin;
    options.page_title = flags_.page_title;
    options.enable_lifecycle = flags_.enable_lifecycle;
    options.enable_admin = flags_.enable_admin;
    options.enable_remote_write = flags_.enable_remote_write;
    options.remote_write_start_zeros = flags_.start_zeros;
    options.remote_write_type_and_unit = flags_.type_and_unit_labels;
    options.limits.queries_queued_max = flags_.queries_queued_max;
    // Streams stay: most connections remain for those who ask and go.
    options.limits.live_viewers_max = std::min(
        options.limits.live_viewers_max, std::max<std::size_t>(flags_.connections_max / 2, 1));
    return options;
  }

  api::Services services(const config::Config& config) {
    api::Services services;
    services.engine = engine_.get();
    services.query_memory = &query_memory_;
    services.range_cache = range_cache_.get();
    services.queries = query_pool_.get();
    services.admin = admin_pool_.get();
    services.clock = &clock_;
    services.log = &log_;
    services.metrics = &metrics_;
    services.build = build_info();
    services.dashboard = {web::index_html(), find_asset};
    services.dashboards = [this] { return shown_dashboards_.load(std::memory_order_acquire); };
    services.flags = flags_.all;
    services.external_labels = [this] { return config_holder_.external_labels(); };
    services.config_yaml = [this] { return config_holder_.yaml(); };
    services.reload = [this] { return reload(); };
    services.quit = [] { ::kill(::getpid(), SIGTERM); };
    services.last_reload_ok = [this] { return config_holder_.ok(); };
    services.last_reload_time_ms = [this] { return config_holder_.loaded_ms(); };
    services.runtime.start_time_ms = clock_.now_ms();
    if (char* directory = ::getcwd(nullptr, 0); directory != nullptr) {
      services.runtime.working_directory = directory;
      ::free(directory);
    }
    const storage::Options storage = storage_options(flags_, config.storage);
    services.runtime.storage_retention = model::format_duration(storage.retention.count());
    if (storage.retention_bytes > 0) {
      services.runtime.storage_retention += fmt::format(" or {}B", storage.retention_bytes);
    }
    return services;
  }

  // First what may refuse, and then nothing has changed.
  Status apply(Loaded loaded) {
    config::Config& config = loaded.config;
    VARVE_TRY_ASSIGN(auto query_log, open_log_of_queries(config.global.query_log_file));
    const storage::Options storage = storage_options(flags_, config.storage);
    // Before a shorter retention, which must not take what levels are to be made of.
    VARVE_TRY(db_->set_ladder(storage.ladder));
    if (Status ruled = rules_->apply(std::move(loaded.rules), {config.global.external_labels,
                                                               config.global.rule_query_offset});
        !ruled.ok()) {
      VARVE_TRY(db_->set_ladder(ladder_));  // it held until now
      return ruled;
    }
    ladder_ = storage.ladder;
    for (const std::string& warning : config.warnings) log_.warn(warning);
    query_log_enabled_.set(query_log == nullptr ? 0 : 1);
    engine_->set_query_log(std::move(query_log));
    notifier_->apply(config.alerting_options, config.global.external_labels);
    scrape_->apply(config.scrape_configs);
    apply_discovery(config);
    engine_->set_default_subquery_step(config.global.evaluation_interval);
    db_->set_retention(storage.retention, storage.retention_bytes);
    db_->set_out_of_order_window(storage.out_of_order_window);
    provision_dashboards();
    config_holder_.loaded(std::move(config));
    log_.info("Completed loading of configuration file", {{"filename", flags_.config_file}});
    return {};
  }

  // Anew with every load, so that a file that was moved away is let go. Null if none is wanted.
  Result<std::shared_ptr<const promql::QueryLog>> open_log_of_queries(const std::string& path) {
    if (path.empty()) return std::shared_ptr<const promql::QueryLog>();
    auto opened = open_query_log(files_, path, clock_, query_log_failures_);
    if (opened.ok()) return opened;
    return std::move(opened).error().with("unable to open the query log");
  }

  // All or nothing: a configuration that does not load leaves the old one running.
  Status reload() {
    const std::lock_guard lock(reload_mutex_);
    if (!scrape_) return Error(ErrorCode::kUnavailable, "still starting");
    log_.info("Loading configuration file", {{"filename", flags_.config_file}});
    auto loaded = load_all(files_, flags_);
    Status applied;
    if (loaded.ok()) {
      applied = apply(*std::move(loaded));
    } else {
      applied = std::move(loaded).error();
    }
    if (applied.ok()) return {};
    config_holder_.failed();
    log_.error("Error reloading config", {{"err", applied.error().message()}});
    return applied;
  }

  // `content` is the configuration's when it was loaded.
  void wait_for_signals(std::string content) {
    const auto every = flags_.config_auto_reload_interval;
    timespec period{};
    period.tv_sec = every.count() / 1000;
    period.tv_nsec = every.count() % 1000 * 1'000'000;
    for (;;) {
      const int number = flags_.config_auto_reload ? ::sigtimedwait(&signals_, nullptr, &period)
                                                   : ::sigwaitinfo(&signals_, nullptr);
      if (number == SIGHUP) {
        static_cast<void>(reload());  // it has logged its error
      } else if (number == SIGTERM || number == SIGINT) {
        log_.warn("Received an OS signal, exiting gracefully...",
                  {{"signal", number == SIGTERM ? "terminated" : "interrupt"}});
        return;
      } else if (std::string now = config_content(config_holder_.further_files());
                 flags_.config_auto_reload && now != content) {
        content = std::move(now);
        static_cast<void>(reload());
      }
    }
  }

  std::string config_content(const std::vector<std::string>& patterns) {
    if (!flags_.config_auto_reload) return {};
    std::string all;
    const auto add = [&](const std::string& path) {
      auto content = files_.read_file(path, config::kFileMaxBytes);
      if (content.ok()) all += fmt::format("{}\n{}\n{}\n", path, content->size(), *content);
    };
    add(flags_.config_file);
    if (const auto further = config::rule_file_paths(files_, patterns); further.ok()) {
      for (const std::string& path : *further) add(path);
    }
    return all;
  }

  // In reverse order of start(); whatever was not built is skipped.
  int stop() {
    if (api_) api_->stopping();
    if (scrape_discovery_) scrape_discovery_->stop();
    if (notify_discovery_) notify_discovery_->stop();
    if (scrape_) scrape_->stop();
    if (rules_) rules_->stop();
    if (notifier_) notifier_->stop();
    if (server_) server_->stop(kStopGrace);
    scrape_pool_.reset();
    query_pool_.reset();
    int exit = kExitOk;
    if (db_) {
      if (const Status closed = db_->close(); !closed.ok()) {
        log_.error("Error closing storage", {{"err", closed.error().message()}});
        exit = kExitFailure;
      }
    }
    admin_pool_.reset();  // closing has made its work give up
    server_.reset();
    web_access_.reset();
    api_.reset();
    scrape_discovery_.reset();
    notify_discovery_.reset();
    discovery_client_.reset();
    discovery_pool_.reset();
    rules_.reset();
    notifier_.reset();
    scrape_.reset();
    client_.reset();
    range_cache_.reset();
    engine_.reset();
    db_.reset();
    log_.info("See you next time!");
    return exit;
  }

  const Flags& flags_;
  const base::Clock& clock_;
  base::Logger& log_;
  fs::RealFs files_;
  base::MetricsRegistry metrics_;
  base::Gauge& query_log_enabled_ =
      metrics_.gauge("prometheus_engine_query_log_enabled", "State of the query log.");
  base::Counter& query_log_failures_ = metrics_.counter(
      "prometheus_engine_query_log_failures_total", "The number of query log failures.");
  base::MemoryAccount query_memory_{"query"};
  ConfigHolder config_holder_;
  const sigset_t signals_;
  std::mutex reload_mutex_;  // one reload at a time; guards the making of scrape_
  std::unique_ptr<base::ThreadPool> query_pool_;
  std::unique_ptr<base::ThreadPool> admin_pool_;
  std::unique_ptr<promql::Engine> engine_;
  std::unique_ptr<promql::RangeCache> range_cache_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<http::WebAccess> web_access_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<storage::Db> db_;
  storage::Ladder ladder_;  // what the last load that was taken has set
  std::unique_ptr<dashboards::Store> dashboards_;
  std::atomic<dashboards::Store*> shown_dashboards_{nullptr};
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<base::ThreadPool> scrape_pool_;
  std::unique_ptr<scrape::Manager> scrape_;
  std::unique_ptr<rules::Notifier> notifier_;
  std::unique_ptr<rules::Manager> rules_;
  std::unique_ptr<http::Client> discovery_client_;
  std::unique_ptr<base::ThreadPool> discovery_pool_;
  std::unique_ptr<discovery::Manager> scrape_discovery_;
  std::unique_ptr<discovery::Manager> notify_discovery_;
};

}  // namespace

int run_daemon(const Flags& flags) {
  const base::SystemClock clock;
  base::Logger log(flags.log_level, flags.log_format, clock);
  return Daemon(flags, clock, log).run();
}

}  // namespace varve::server
