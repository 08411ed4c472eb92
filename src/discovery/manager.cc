// SPDX-License-Identifier: Apache-2.0
#include "discovery/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/recent_quantiles.h"
#include "base/thread_pool.h"
#include "http/client.h"

namespace varve::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// The thread looks up at least this often, whatever it waits for.
constexpr milliseconds kWaitMax{1000};
// When the workers' queue is full.
constexpr milliseconds kWorkerRetry{500};
constexpr double kQuantiles[] = {0.5, 0.9, 0.99};
// Pieces of watches that wait to be read; a watch that brings more is ended, and taken up later
// from where it was read to.
constexpr std::size_t kPiecesMaxBytes = std::size_t{64} << 20;
// Answers that wait to be read, of all sources together.
constexpr std::size_t kAnswersMaxBytes = std::size_t{1} << 30;

class Provider;

// A callback of a source; void once the source has gone.
struct Task {
  std::weak_ptr<Provider> owner;
  std::function<void()> run;
};

// What threads of others leave for the manager; outlives it where a request does.
struct Mailbox {
  std::mutex mutex;  // guards the rest; innermost
  std::condition_variable_any changed;
  std::deque<Task> tasks;
  std::atomic<std::size_t> piece_bytes{0};  // of watches, in tasks
  std::atomic<bool> closed{false};  // no task is taken, work that waits for a worker is not begun

  void post(Task task) {
    const std::lock_guard lock(mutex);
    if (closed) return;
    tasks.push_back(std::move(task));
    changed.notify_all();
  }

  // Tasks hold the mailbox, so those that nobody will do must go for it to go.
  void close() {
    closed = true;
    std::deque<Task> left;
    const std::lock_guard lock(mutex);
    left.swap(tasks);
  }
};
using MailboxPtr = std::shared_ptr<Mailbox>;

class ManagerImpl;

// What is told about the rounds of all sources of one kind of one subscriber.
class RefreshMetrics {
 public:
  RefreshMetrics(base::MetricsRegistry& registry, const base::MetricLabels& labels);
  ~RefreshMetrics() { registry_.remove_callbacks(this); }
  RefreshMetrics(const RefreshMetrics&) = delete;
  RefreshMetrics& operator=(const RefreshMetrics&) = delete;

  void round(double seconds, bool ok) {
    rounds_.add();
    seconds_.add(seconds);
    durations_.observe(seconds);
    if (!ok) failures_.add();
  }

 private:
  base::MetricsRegistry& registry_;
  base::Counter failures_, rounds_, seconds_;
  base::RecentQuantiles durations_;
};

// One source with what it last found, shared by all who have the same options.
class Provider final : public Context, public std::enable_shared_from_this<Provider> {
 public:
  Provider(ManagerImpl& manager, std::uint64_t id, SourceOptions source_options)
      : options(std::move(source_options)), manager_(manager), id_(id) {}
  ~Provider() override;
  // The first subscriber's name stands in metrics.
  void start(const std::string& config);

  bool running() const { return source_ != nullptr; }
  // The name under which a group is told to subscribers: two sources may use the same.
  std::string key(const std::string& source) const { return fmt::format("{}#{}", source, id_); }

  void after(milliseconds delay, std::function<void()> then) override;
  void fetch(http::ClientRequest request,
             std::function<void(Result<http::ClientResponse>)> then) override;
  void stream(http::ClientRequest request, std::function<void(std::string)> piece,
              std::function<void(Result<http::ClientResponse>)> then) override;
  void run_blocking(std::function<std::function<void()>()> work) override;
  void publish(std::vector<model::TargetGroup> found) override;
  void refreshed(nanoseconds began, const Status& status) override;
  fs::FileSystem& files() override;
  const base::Clock& clock() override;
  base::Logger& log() override;
  base::MetricsRegistry& metrics() override;
  const ParseYaml& parse_yaml() override;
  const Resolve& resolve() override;

  const SourceOptions options;
  std::map<std::string, model::TargetGroup> groups;  // by key, never empty ones
  std::set<std::string> subscribers;

 private:
  ManagerImpl& manager_;
  const std::uint64_t id_;
  std::string config_;
  std::shared_ptr<RefreshMetrics> refreshes_;
  std::stop_source stop_;  // ends what is under way with the source
  std::unique_ptr<Source> source_;
};

// What one subscriber has been told and is about to be.
struct Subscriber {
  std::set<std::string> told;     // keys
  std::set<std::string> changed;  // keys
  nanoseconds next{};             // the earliest moment of the next delivery
  base::Gauge targets;
};

class ManagerImpl final : public Manager {
 public:
  ManagerImpl(ManagerOptions options, ManagerDependencies dependencies, Deliver deliver);
  ~ManagerImpl() override {
    stop();
    const std::lock_guard lock(mutex_);
    deps_.metrics.remove_callbacks(this);
    providers_.clear();
  }

  void apply(std::vector<Subscription> subscriptions) override;
  void start() override {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  void run_due() override { step(); }
  void stop() override {
    mailbox_->close();
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }

 private:
  friend class Provider;

  std::shared_ptr<RefreshMetrics> refresh_metrics(const std::string& config,
                                                  const std::string& mechanism);
  void run(const std::stop_token& stop);
  // Everything that is due, and when the next thing is.
  nanoseconds step();
  // With mutex_ held:
  void changed(const Provider& provider, const std::string& key);
  void deliver(const std::string& name, Subscriber& subscriber);
  std::shared_ptr<Provider> provider_for(SourceOptions options,
                                         std::vector<std::shared_ptr<Provider>>& before);

  const ManagerOptions options_;
  const ManagerDependencies deps_;
  const Deliver deliver_;
  const MailboxPtr mailbox_ = std::make_shared<Mailbox>();
  base::Gauge& failed_configs_;
  base::Gauge& last_update_;
  base::Counter& received_;
  base::Counter& delayed_;
  base::Counter& updates_;

  std::mutex mutex_;  // guards the rest; take before Mailbox's and the subscribers' own
  bool stopped_ = false;
  std::uint64_t next_id_ = 0;
  std::multimap<nanoseconds, Task> timers_;  // by monotonic time
  const std::shared_ptr<http::BodyBudget> answers_ =
      std::make_shared<http::BodyBudget>(kAnswersMaxBytes);
  // By subscriber and kind: two sources of one kind tell of their rounds together.
  std::map<std::pair<std::string, std::string>, std::weak_ptr<RefreshMetrics>> refresh_metrics_;
  std::vector<std::shared_ptr<Provider>> providers_;
  std::map<std::string, std::unique_ptr<Subscriber>> subscribers_;
  std::jthread thread_;
};

// ---- Provider

Provider::~Provider() { stop_.request_stop(); }

void Provider::start(const std::string& config) {
  config_ = config;
  auto created = create_source(options, *this);
  if (!created.ok()) {
    log().error("Cannot create service discovery", {{"err", created.error().message()},
                                                    {"type", kind_of(options)},
                                                    {"config", config}});
    manager_.failed_configs_.add(1);
    return;
  }
  refreshes_ = manager_.refresh_metrics(config, std::string(kind_of(options)));
  source_ = *std::move(created);
  source_->start();
}

void Provider::after(milliseconds delay, std::function<void()> then) {
  manager_.timers_.emplace(clock().monotonic() + delay, Task{weak_from_this(), std::move(then)});
}

void Provider::fetch(http::ClientRequest request,
                     std::function<void(Result<http::ClientResponse>)> then) {
  if (!request.cancel.stop_possible()) request.cancel = stop_.get_token();
  request.budget = manager_.answers_;
  manager_.deps_.client.fetch(
      std::move(request), [mailbox = manager_.mailbox_, owner = weak_from_this(),
                           then = std::move(then)](Result<http::ClientResponse> response) {
        auto answer = std::make_shared<Result<http::ClientResponse>>(std::move(response));
        mailbox->post({owner, [then, answer] { then(std::move(*answer)); }});
      });
}

void Provider::stream(http::ClientRequest request, std::function<void(std::string)> piece,
                      std::function<void(Result<http::ClientResponse>)> then) {
  request.accept_gzip = false;
  request.on_body = [mailbox = manager_.mailbox_, owner = weak_from_this(),
                     piece = std::move(piece)](std::string_view bytes) {
    if (owner.expired()) return false;
    if (mailbox->piece_bytes.load() + bytes.size() > kPiecesMaxBytes) return false;
    // Gives its bytes back when the task goes, done or not.
    mailbox->piece_bytes += bytes.size();
    const std::shared_ptr<std::string> text(new std::string(bytes),
                                            [mailbox, size = bytes.size()](std::string* held) {
                                              mailbox->piece_bytes -= size;
                                              delete held;
                                            });
    mailbox->post({owner, [piece, text] { piece(*text); }});
    return true;
  };
  fetch(std::move(request), std::move(then));
}

void Provider::run_blocking(std::function<std::function<void()>()> work) {
  const bool posted = manager_.deps_.workers.try_post(
      [mailbox = manager_.mailbox_, owner = weak_from_this(), work] {
        if (!mailbox->closed) mailbox->post({owner, work()});
      });
  if (!posted) after(kWorkerRetry, [this, work] { run_blocking(work); });
}

void Provider::publish(std::vector<model::TargetGroup> found) {
  manager_.received_.add();
  for (model::TargetGroup& group : found) {
    std::string group_key = key(group.source);
    group.source = group_key;
    const auto known = groups.find(group_key);
    if (group.targets.empty()) {
      if (known == groups.end()) continue;
      groups.erase(known);
    } else if (known == groups.end()) {
      groups.emplace(group_key, std::move(group));
    } else {
      if (known->second == group) continue;
      known->second = std::move(group);
    }
    manager_.changed(*this, group_key);
  }
}

void Provider::refreshed(nanoseconds began, const Status& status) {
  const double seconds = std::chrono::duration<double>(clock().monotonic() - began).count();
  refreshes_->round(seconds, status.ok());
  if (status.ok()) return;
  log().error("Unable to refresh target groups", {{"discovery", kind_of(options)},
                                                  {"config", config_},
                                                  {"err", status.error().message()}});
}

fs::FileSystem& Provider::files() { return manager_.deps_.files; }
const base::Clock& Provider::clock() { return manager_.deps_.clock; }
base::Logger& Provider::log() { return manager_.deps_.log; }
base::MetricsRegistry& Provider::metrics() { return manager_.deps_.metrics; }
const ParseYaml& Provider::parse_yaml() { return manager_.deps_.parse_yaml; }
const Resolve& Provider::resolve() { return manager_.deps_.resolve; }

// ---- RefreshMetrics

RefreshMetrics::RefreshMetrics(base::MetricsRegistry& registry, const base::MetricLabels& labels)
    : registry_(registry) {
  registry.callback(
      base::MetricsRegistry::CallbackKind::kCounter, "prometheus_sd_refresh_failures_total",
      "Number of refresh failures for the given SD mechanism.",
      [this] { return failures_.value(); }, labels, this);
  registry.summary(
      "prometheus_sd_refresh_duration_seconds",
      "The duration of a refresh in seconds for the given SD mechanism.",
      [this] {
        base::SummaryValues values{{}, seconds_.value(), rounds_.value()};
        for (const double q : kQuantiles) values.quantiles.emplace_back(q, durations_.quantile(q));
        return values;
      },
      labels, this);
}

// ---- ManagerImpl

std::shared_ptr<RefreshMetrics> ManagerImpl::refresh_metrics(const std::string& config,
                                                             const std::string& mechanism) {
  std::erase_if(refresh_metrics_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<RefreshMetrics>& known = refresh_metrics_[{config, mechanism}];
  std::shared_ptr<RefreshMetrics> metrics = known.lock();
  if (metrics == nullptr) {
    metrics = std::make_shared<RefreshMetrics>(
        deps_.metrics, base::MetricLabels{{"config", config}, {"mechanism", mechanism}});
    known = metrics;
  }
  return metrics;
}

ManagerImpl::ManagerImpl(ManagerOptions options, ManagerDependencies dependencies, Deliver deliver)
    : options_(std::move(options)),
      deps_(std::move(dependencies)),
      deliver_(std::move(deliver)),
      failed_configs_(deps_.metrics.gauge("prometheus_sd_failed_configs",
                                          "Current number of service discovery configurations that "
                                          "failed to load.",
                                          {{"name", options_.name}})),
      last_update_(deps_.metrics.gauge("prometheus_sd_last_update_timestamp_seconds",
                                       "Timestamp of the last update sent to the SD consumers.",
                                       {{"name", options_.name}})),
      received_(deps_.metrics.counter("prometheus_sd_received_updates_total",
                                      "Total number of update events received from the SD "
                                      "providers.",
                                      {{"name", options_.name}})),
      delayed_(deps_.metrics.counter("prometheus_sd_updates_delayed_total",
                                     "Total number of update events that couldn't be sent "
                                     "immediately.",
                                     {{"name", options_.name}})),
      updates_(deps_.metrics.counter("prometheus_sd_updates_total",
                                     "Total number of update events sent to the SD consumers.",
                                     {{"name", options_.name}})) {}

void ManagerImpl::changed(const Provider& provider, const std::string& key) {
  const nanoseconds now = deps_.clock.monotonic();
  for (const std::string& name : provider.subscribers) {
    const auto found = subscribers_.find(name);
    if (found == subscribers_.end()) continue;
    if (found->second->changed.empty() && now < found->second->next) delayed_.add();
    found->second->changed.insert(key);
  }
}

void ManagerImpl::deliver(const std::string& name, Subscriber& subscriber) {
  std::vector<model::TargetGroup> batch;
  for (const std::string& key : subscriber.changed) {
    const model::TargetGroup* group = nullptr;
    for (const auto& provider : providers_) {
      const auto found = provider->groups.find(key);
      if (found == provider->groups.end() || !provider->subscribers.contains(name)) continue;
      group = &found->second;
      break;
    }
    if (group != nullptr) {
      subscriber.told.insert(key);
      batch.push_back(*group);
    } else {
      subscriber.told.erase(key);
      batch.push_back({key, {}, {}});
    }
  }
  subscriber.changed.clear();
  subscriber.next = deps_.clock.monotonic() + options_.deliver_interval;
  std::size_t targets = 0;
  for (const auto& provider : providers_) {
    if (!provider->subscribers.contains(name)) continue;
    for (const auto& [key, group] : provider->groups) targets += group.targets.size();
  }
  subscriber.targets.set(static_cast<double>(targets));
  if (batch.empty()) return;
  updates_.add();
  last_update_.set(static_cast<double>(deps_.clock.now_ms()) / 1000);
  deliver_(name, batch);
}

std::shared_ptr<Provider> ManagerImpl::provider_for(
    SourceOptions options, std::vector<std::shared_ptr<Provider>>& before) {
  const auto same = [&](const auto& provider) { return provider->options == options; };
  if (const auto mine = std::ranges::find_if(providers_, same); mine != providers_.end()) {
    return *mine;
  }
  const auto old = std::ranges::find_if(before, same);
  if (old == before.end()) {
    providers_.push_back(std::make_shared<Provider>(*this, next_id_++, std::move(options)));
  } else {
    providers_.push_back(*old);
    before.erase(old);
  }
  return providers_.back();
}

void ManagerImpl::apply(std::vector<Subscription> subscriptions) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  std::set<std::string> all_told;
  for (const auto& [name, subscriber] : subscribers_) {
    all_told.insert(subscriber->told.begin(), subscriber->told.end());
  }
  std::vector<std::shared_ptr<Provider>> before = std::move(providers_);
  providers_.clear();
  for (const auto& provider : before) provider->subscribers.clear();
  const std::vector<std::shared_ptr<Provider>> known = before;
  failed_configs_.set(0);

  auto old_subscribers = std::move(subscribers_);
  subscribers_.clear();
  for (Subscription& subscription : subscriptions) {
    std::unique_ptr<Subscriber>& subscriber = subscribers_[subscription.name];
    if (const auto old = old_subscribers.find(subscription.name); old != old_subscribers.end()) {
      subscriber = std::move(old->second);
      old_subscribers.erase(old);
    } else {
      subscriber = std::make_unique<Subscriber>();
      deps_.metrics.callback(
          base::MetricsRegistry::CallbackKind::kGauge, "prometheus_sd_discovered_targets",
          "Current number of discovered targets.",
          [gauge = &subscriber->targets] { return gauge->value(); },
          {{"config", subscription.name}, {"name", options_.name}}, subscriber.get());
    }
    for (SourceOptions& source : subscription.sources) {
      provider_for(std::move(source), before)->subscribers.insert(subscription.name);
    }
  }
  for (const auto& [name, subscriber] : old_subscribers) {
    deps_.metrics.remove_callbacks(subscriber.get());
  }
  before.clear();  // sources that nobody wants any more end here

  for (const auto& provider : providers_) {
    // One that could not be created before is tried again.
    const bool goes_on = std::ranges::find(known, provider) != known.end() && provider->running();
    if (!goes_on) provider->start(*provider->subscribers.begin());
  }
  for (auto& [name, subscriber] : subscribers_) {
    std::set<std::string> keys;
    for (const auto& provider : providers_) {
      if (!provider->subscribers.contains(name)) continue;
      for (const auto& [key, group] : provider->groups) keys.insert(key);
    }
    const std::set<std::string>& had = options_.positional ? all_told : subscriber->told;
    for (const std::string& key : had) {
      if (!keys.contains(key)) subscriber->changed.insert(key);
    }
    for (const std::string& key : keys) {
      if (options_.positional || !had.contains(key)) subscriber->changed.insert(key);
    }
    deliver(name, *subscriber);
    subscriber->next = {};  // what new sources find first does not wait
  }
  mailbox_->changed.notify_all();
}

nanoseconds ManagerImpl::step() {
  const std::lock_guard lock(mutex_);
  if (stopped_) return nanoseconds::max();
  const auto perform = [](const Task& task) {
    if (const auto owner = task.owner.lock()) task.run();
  };
  for (bool worked = true; worked;) {
    std::deque<Task> tasks;
    {
      const std::lock_guard mail(mailbox_->mutex);
      tasks.swap(mailbox_->tasks);
    }
    worked = !tasks.empty();
    for (const Task& task : tasks) perform(task);
    const nanoseconds now = deps_.clock.monotonic();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      const Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      perform(task);
      worked = true;
    }
  }
  nanoseconds next = timers_.empty() ? nanoseconds::max() : timers_.begin()->first;
  const nanoseconds now = deps_.clock.monotonic();
  for (auto& [name, subscriber] : subscribers_) {
    if (subscriber->changed.empty()) continue;
    if (now >= subscriber->next) {
      deliver(name, *subscriber);
    } else {
      next = std::min(next, subscriber->next);
    }
  }
  return next;
}

void ManagerImpl::run(const std::stop_token& stop) {
  base::name_this_thread("discovery");
  while (!stop.stop_requested()) {
    const nanoseconds next = step();
    const nanoseconds now = deps_.clock.monotonic();
    const nanoseconds wait =
        std::clamp<nanoseconds>(next == nanoseconds::max() ? kWaitMax : next - now,
                                milliseconds(1), kWaitMax);
    std::unique_lock lock(mailbox_->mutex);
    mailbox_->changed.wait_for(lock, stop, wait, [this] { return !mailbox_->tasks.empty(); });
  }
}

}  // namespace

std::unique_ptr<Manager> Manager::create(ManagerOptions options, ManagerDependencies dependencies,
                                         Deliver deliver) {
  return std::make_unique<ManagerImpl>(std::move(options), std::move(dependencies),
                                       std::move(deliver));
}

Result<std::unique_ptr<Source>> create_source(const SourceOptions& options, Context& context) {
  if (const auto* file = std::get_if<FileOptions>(&options)) {
    return create_file_source(*file, context);
  }
  if (const auto* http = std::get_if<HttpOptions>(&options)) {
    return create_http_source(*http, context);
  }
  if (const auto* dns = std::get_if<DnsOptions>(&options)) return create_dns_source(*dns, context);
  if (const auto* consul = std::get_if<ConsulOptions>(&options)) {
    return create_consul_source(*consul, context);
  }
  return create_kubernetes_source(std::get<KubernetesOptions>(options), context);
}

}  // namespace varve::discovery
