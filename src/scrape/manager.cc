// SPDX-License-Identifier: Apache-2.0
#include "scrape/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <queue>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "http/client.h"
#include "scrape/failure_log.h"
#include "scrape/loop.h"
#include "scrape/metrics.h"
#include "scrape/request.h"
#include "scrape/schedule.h"
#include "scrape/target.h"

namespace varve::scrape {
namespace {

using std::chrono::milliseconds;

// The timer looks up at least this often, whatever it waits for.
constexpr milliseconds kTimerWaitMax{1000};
// How long the end of a target waits when its last scrape is still under way.
constexpr milliseconds kEndRetry{100};

double seconds_between(std::chrono::nanoseconds begin, std::chrono::nanoseconds end) {
  return std::chrono::duration<double>(end - begin).count();
}

milliseconds monotonic_ms(const base::Clock& clock) {
  return std::chrono::duration_cast<milliseconds>(clock.monotonic());
}

// What requests under way share with the manager and may outlive it by: after stop() they find
// `stopped` and touch nothing else.
struct Core {
  Core(ManagerOptions the_options, ManagerDependencies dependencies)
      : options(std::move(the_options)),
        deps(dependencies),
        metrics(dependencies.metrics),
        bodies(std::make_shared<http::BodyBudget>(options.bodies_total_max_bytes)) {}

  // Between a true enter() and leave() the dependencies may be used.
  bool enter() {
    const std::lock_guard lock(mutex);
    if (stopped) return false;
    ++running;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex);
    if (--running == 0) idle.notify_all();
  }
  void stop() {
    std::unique_lock lock(mutex);
    stopped = true;
    idle.wait(lock, [this] { return running == 0; });
  }

  const ManagerOptions options;
  const ManagerDependencies deps;
  Metrics metrics;
  const std::shared_ptr<http::BodyBudget> bodies;  // and what is made of them, until it is stored
  SpareWorkMemory spare_memory;
  std::mutex mutex;  // guards stopped and running; take after Manager's
  std::condition_variable idle;
  bool stopped = false;
  std::size_t running = 0;
};
using CorePtr = std::shared_ptr<Core>;
using LoopPtr = std::shared_ptr<Loop>;

// Precondition: the core is entered and the loop claimed; undoes both.
void record(const CorePtr& core, const LoopPtr& loop, ScrapeInput input) {
  loop->record(std::move(input));
  loop->release();
  core->leave();
}

// Of a decompressed body. While a body comes it is held twice at worst, packed and growing.
constexpr std::size_t kDefaultBodyShare = 16;

std::size_t body_max_bytes(const Core& core, const LoopSettings& settings) {
  const std::uint64_t limit = settings.pool->limits.body_size_bytes;
  return limit > 0 ? limit
                   : std::min(core.options.body_default_max_bytes,
                              std::max<std::size_t>(1, core.options.bodies_total_max_bytes /
                                                           kDefaultBodyShare));
}

// On the client's thread: hands a response to the workers.
void deliver(const CorePtr& core, const LoopPtr& loop, Timestamp time_ms,
             std::chrono::nanoseconds started, Result<http::ClientResponse> response) {
  if (!core->enter()) return;
  if (response.ok()) {
    if (response->lease == nullptr) response->lease = http::lease_of(core->bodies);
    if (!response->lease->grow_to(response->body.size())) {
      response = Error(ErrorCode::kUnavailable, "too many bytes of scrapes are waiting to be read");
    }
  }
  auto input = std::make_shared<ScrapeInput>(
      ScrapeInput{time_ms, std::move(response), started, body_max_bytes(*core, *loop->settings())});
  const bool posted = core->deps.workers.try_post(
      [core, loop, input] { record(core, loop, std::move(*input)); });
  if (posted) return;
  input->response = Error(ErrorCode::kUnavailable, "too many scrapes are waiting to be read");
  record(core, loop, std::move(*input));  // without a body this is short
}

void scrape(const CorePtr& core, const LoopPtr& loop, Timestamp time_ms) {
  if (!core->enter()) return;
  if (!loop->claim()) {
    core->metrics.skipped.add();
    core->leave();
    return;
  }
  const auto settings = loop->settings();
  const auto started = core->deps.clock.monotonic();
  if (!settings->forced_error.empty()) {
    deliver(core, loop, time_ms, started, Error(ErrorCode::kUnavailable, settings->forced_error));
    core->leave();
    return;
  }
  http::ClientRequest request =
      scrape_request(settings->target, settings->pool, body_max_bytes(*core, *settings));
  request.budget = core->bodies;
  core->deps.client.fetch(
      std::move(request),
      [core, loop, time_ms, started](Result<http::ClientResponse> response) {
        deliver(core, loop, time_ms, started, std::move(response));
      });
  core->leave();
}

class ManagerImpl final : public Manager {
 public:
  ManagerImpl(ManagerOptions options, ManagerDependencies dependencies)
      : core_(std::make_shared<Core>(std::move(options), dependencies)) {}
  ~ManagerImpl() override { stop(); }

  void start() override;
  Timestamp run_due() override;
  void apply(std::vector<PoolOptions> pools) override;
  Status update_targets(std::string_view pool, std::span<const TargetGroup> groups) override;
  void stop() override;

  std::vector<TargetStatus> targets(std::string_view pool) const override;
  std::vector<DroppedTarget> dropped_targets(std::string_view pool) const override;
  std::vector<std::pair<std::string, std::size_t>> dropped_counts() const override;
  std::vector<std::string> pools() const override;
  Result<std::vector<model::RelabelRule>> relabel_rules(std::string_view pool) const override;
  std::vector<TargetMetadata> metadata(std::string_view family) const override;

 private:
  // A target of a pool, or one that has left it and is about to end.
  struct Runner {
    LoopPtr loop;
    Pace pace;
    bool retired = false;
    milliseconds end_due{};     // of a retired one
    Timestamp end_time_ms = 0;  // of its stale markers
    std::string retired_key = {};
    std::uint64_t version = 0;  // of its newest place in the heap; older ones are void
    milliseconds due() const { return retired ? end_due : pace.due(); }
  };
  using RunnerPtr = std::shared_ptr<Runner>;
  struct Pool {
    std::shared_ptr<const PoolOptions> options;
    std::shared_ptr<PoolMetrics> metrics;
    std::shared_ptr<FailureLog> failure_log;
    std::map<std::string, TargetGroup> discovered;  // by source
    std::map<std::string, RunnerPtr> active;        // by identity
    std::vector<DroppedTarget> dropped;
    std::size_t dropped_count = 0;
  };
  struct Due {
    milliseconds at;
    std::uint64_t version;
    RunnerPtr runner;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  using Logs = std::map<std::string, std::shared_ptr<FailureLog>>;  // by path

  // All with mutex_ held.
  std::shared_ptr<FailureLog> failure_log(const PoolOptions& options, Logs& logs);
  void sync(Pool& pool);
  std::map<std::string, Target> wanted(Pool& pool);
  void retire(const std::string& pool, const std::string& identity, const RunnerPtr& runner);
  void enqueue(const RunnerPtr& runner);
  void enter_labels(const Runner& runner);
  void leave_labels(const Runner& runner);

  void end(const RunnerPtr& runner);
  // The monotonic time of the next thing due.
  milliseconds run();

  static std::string retired_key(const std::string& pool, const std::string& identity) {
    return pool + '\n' + identity;
  }

  const CorePtr core_;
  mutable std::mutex mutex_;  // guards the rest; take before Core's
  std::condition_variable_any wake_;
  bool changed_ = false;  // the heap has something the timer has not seen
  std::map<std::string, Pool> pools_;
  std::map<std::string, RunnerPtr> retired_;
  // How many active targets have these labels: two jobs may make the same series.
  std::unordered_map<Labels, std::size_t> active_labels_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> heap_;
  std::jthread timer_;
};

void ManagerImpl::enqueue(const RunnerPtr& runner) {
  heap_.push({runner->due(), ++runner->version, runner});
  changed_ = true;
  wake_.notify_all();
}

std::map<std::string, Target> ManagerImpl::wanted(Pool& pool) {
  std::map<std::string, Target> found;
  pool.dropped.clear();
  pool.dropped_count = 0;
  const auto add_group = [&](const TargetGroup& group) {
    for (std::size_t i = 0; i < group.targets.size(); ++i) {
      auto populated = populate(group.targets[i], group.labels, *pool.options);
      if (!populated.ok()) {
        pool.metrics->sync_failures.add();
        core_->deps.log.error("Creating target failed",
                              {{"scrape_pool", pool.options->job_name},
                               {"err", fmt::format("instance {} in group {}: {}", i, group.source,
                                                   populated.error().message())}});
      } else if (populated->dropped) {
        ++pool.dropped_count;
        const std::uint64_t kept = pool.options->limits.kept_dropped_targets;
        if (kept == 0 || pool.dropped.size() < kept) {
          pool.dropped.push_back({std::move(populated->target.discovered), pool.options->job_name});
        }
      } else {
        std::string identity = populated->target.identity();
        found.emplace(std::move(identity), std::move(populated->target));
      }
    }
  };
  for (const TargetGroup& group : pool.options->static_configs) add_group(group);
  for (const auto& [source, group] : pool.discovered) add_group(group);
  return found;
}

void ManagerImpl::sync(Pool& pool) {
  const std::string& name = pool.options->job_name;
  const base::Clock& clock = core_->deps.clock;
  const std::chrono::nanoseconds began = clock.monotonic();
  std::map<std::string, Target> targets = wanted(pool);
  std::string forced_error;
  const std::uint64_t limit = pool.options->limits.targets;
  if (limit > 0 && targets.size() > limit) {
    core_->metrics.exceeded_target_limit.add();
    forced_error = fmt::format("target_limit exceeded (number of targets: {}, limit: {})",
                               targets.size(), limit);
  }
  for (auto it = pool.active.begin(); it != pool.active.end();) {
    if (targets.contains(it->first)) {
      ++it;
      continue;
    }
    retire(name, it->first, it->second);
    it = pool.active.erase(it);
  }
  const bool extra = core_->options.extra_scrape_metrics || pool.options->extra_scrape_metrics;
  const Timestamp wall_now = clock.now_ms();
  const milliseconds monotonic_now = monotonic_ms(clock);
  for (auto& [identity, target] : targets) {
    const milliseconds interval = target.interval;
    const Pace fresh(interval, target.offset(core_->options.offset_seed), wall_now, monotonic_now);
    auto settings = std::make_shared<const LoopSettings>(LoopSettings{
        pool.options, std::move(target), extra, core_->options.start_zeros,
        core_->options.type_and_unit_labels, pool.failure_log, pool.metrics, forced_error});
    RunnerPtr& runner = pool.active[identity];
    if (runner == nullptr) {
      const auto back = retired_.find(retired_key(name, identity));
      if (back == retired_.end()) {
        runner = std::make_shared<Runner>(
            Runner{std::make_shared<Loop>(LoopContext{core_->deps.storage, clock, core_->deps.log,
                                                      core_->metrics, core_->spare_memory},
                                          std::move(settings)),
                   fresh});
        enter_labels(*runner);
        enqueue(runner);
        continue;
      }
      // It left and came back before its end: it goes on where it was.
      runner = back->second;
      retired_.erase(back);
      runner->retired = false;
      enter_labels(*runner);
      runner->pace = fresh;
      enqueue(runner);
    } else if (runner->pace.interval() != interval) {
      runner->pace = fresh;
      enqueue(runner);
    }
    runner->loop->change(std::move(settings));
  }
  pool.metrics->targets.set(static_cast<double>(pool.active.size()));
  pool.metrics->target_limit.set(static_cast<double>(limit));
  pool.metrics->observe_sync(seconds_between(began, clock.monotonic()));
}

// A target that goes may be on its way to another pool or come back; its stale markers wait until
// the scrape after the next one would have been over, and carry the time of the next one.
void ManagerImpl::retire(const std::string& pool, const std::string& identity,
                         const RunnerPtr& runner) {
  const milliseconds interval = runner->pace.interval();
  runner->retired = true;
  runner->end_due = runner->pace.due() + interval + interval / 10;
  runner->end_time_ms = runner->pace.due_wall();
  runner->retired_key = retired_key(pool, identity);
  retired_[runner->retired_key] = runner;
  leave_labels(*runner);
  enqueue(runner);
}

// The failure log of a pool; one that cannot be opened is said once and done without.
std::shared_ptr<FailureLog> ManagerImpl::failure_log(const PoolOptions& options, Logs& logs) {
  const std::string& path = options.failure_log_file;
  if (path.empty()) return nullptr;
  const auto known = logs.find(path);
  if (known != logs.end()) return known->second;
  auto opened = FailureLog::open(core_->deps.files, path, core_->deps.clock);
  if (!opened.ok()) {
    core_->deps.log.error("Unable to create scrape failure logger",
                          {{"scrape_pool", options.job_name}, {"err", opened.error().message()}});
  }
  return logs[path] = opened.ok() ? *std::move(opened) : nullptr;
}

void ManagerImpl::apply(std::vector<PoolOptions> pools) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Pool> before = std::move(pools_);
  pools_.clear();
  Logs logs;  // opened anew by every load, so that a file that was moved away is let go
  for (PoolOptions& options : pools) {
    const std::string name = options.job_name;
    if (core_->options.start_zeros && std::ranges::equal(options.protocols, kDefaultProtocols)) {
      // Protobuf tells start times beside the values.
      options.protocols.assign(kProtoFirstProtocols.begin(), kProtoFirstProtocols.end());
    }
    const auto began = core_->deps.clock.monotonic();
    const auto old = before.find(name);
    Pool& pool = pools_[name];
    const bool is_new = old == before.end();
    if (is_new) {
      core_->metrics.pools_total.add();
      pool.metrics = std::make_shared<PoolMetrics>(core_->metrics.registry(), name);
    } else {
      pool = std::move(old->second);
      before.erase(old);
      if (*pool.options == options && options.failure_log_file.empty()) continue;
      core_->metrics.pool_reloads.add();
    }
    pool.failure_log = failure_log(options, logs);
    pool.options = std::make_shared<const PoolOptions>(std::move(options));
    sync(pool);
    if (!is_new) {
      core_->metrics.observe_reload(pool.options->interval,
                                    seconds_between(began, core_->deps.clock.monotonic()));
    }
  }
  for (auto& [name, pool] : before) {
    for (const auto& [identity, runner] : pool.active) retire(name, identity, runner);
  }
}

Status ManagerImpl::update_targets(std::string_view pool, std::span<const TargetGroup> groups) {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(std::string(pool));
  if (found == pools_.end()) {
    return Error(ErrorCode::kNotFound, fmt::format("no scrape pool \"{}\"", pool));
  }
  for (const TargetGroup& group : groups) {
    if (group.targets.empty()) {
      found->second.discovered.erase(group.source);
    } else {
      found->second.discovered[group.source] = group;
    }
  }
  sync(found->second);
  return {};
}

void ManagerImpl::enter_labels(const Runner& runner) {
  ++active_labels_[runner.loop->settings()->target.labels];
}

void ManagerImpl::leave_labels(const Runner& runner) {
  const auto found = active_labels_.find(runner.loop->settings()->target.labels);
  if (--found->second == 0) active_labels_.erase(found);
}

// The last act of a target that is gone.
void ManagerImpl::end(const RunnerPtr& runner) {
  if (!core_->enter()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!runner->retired) {  // it has just come back
      core_->leave();
      return;
    }
    if (!runner->loop->claim()) {
      runner->end_due = monotonic_ms(core_->deps.clock) + kEndRetry;
      enqueue(runner);
      core_->leave();
      return;
    }
    retired_.erase(runner->retired_key);
    // If another target makes the same series now, they have not ended.
    if (active_labels_.contains(runner->loop->settings()->target.labels)) {
      core_->leave();
      return;
    }
  }
  const auto finish = [core = core_, loop = runner->loop, time_ms = runner->end_time_ms] {
    loop->end(time_ms);
    loop->release();
    core->leave();
  };
  if (!core_->deps.workers.try_post(finish)) finish();
}

milliseconds ManagerImpl::run() {
  const base::Clock& clock = core_->deps.clock;
  std::vector<std::pair<RunnerPtr, Timestamp>> starting;
  std::vector<RunnerPtr> ending;
  milliseconds next = milliseconds::max();
  {
    const std::lock_guard lock(mutex_);
    changed_ = false;
    const milliseconds now = monotonic_ms(clock);
    while (!heap_.empty()) {
      const Due& top = heap_.top();
      const RunnerPtr runner = top.runner;
      const bool valid = top.version == runner->version;
      if (valid && top.at > now && (runner->retired || !runner->pace.ripe(now))) {
        next = top.at;
        break;
      }
      heap_.pop();
      if (!valid) continue;
      if (runner->retired) {
        ending.push_back(runner);
        continue;
      }
      starting.emplace_back(runner, runner->pace.tick(clock.now_ms(), now));
      heap_.push({runner->due(), ++runner->version, runner});
    }
  }
  // To make all requests before the first is handed over spares nothing: the client, once woken, is
  // given the core, and sends one before the next one comes.
  for (const auto& [runner, time_ms] : starting) scrape(core_, runner->loop, time_ms);
  for (const RunnerPtr& runner : ending) end(runner);
  return next;
}

Timestamp ManagerImpl::run_due() {
  const milliseconds next = run();
  if (next == milliseconds::max()) return std::numeric_limits<Timestamp>::max();
  const base::Clock& clock = core_->deps.clock;
  return clock.now_ms() + (next - monotonic_ms(clock)).count();
}

void ManagerImpl::start() {
  timer_ = std::jthread([this](const std::stop_token& stopping) {
    base::name_this_thread("scrape-timer");
    while (!stopping.stop_requested()) {
      const milliseconds next = run();
      std::unique_lock lock(mutex_);
      if (changed_) continue;
      const auto now = core_->deps.clock.monotonic();
      const std::chrono::nanoseconds wait =
          next == milliseconds::max()
              ? std::chrono::nanoseconds(kTimerWaitMax)
              : std::min<std::chrono::nanoseconds>(next - now, kTimerWaitMax);
      if (wait.count() > 0) wake_.wait_for(lock, stopping, wait, [this] { return changed_; });
    }
  });
}

void ManagerImpl::stop() {
  if (timer_.joinable()) {
    timer_.request_stop();
    timer_.join();
  }
  core_->stop();
}

std::vector<TargetStatus> ManagerImpl::targets(std::string_view pool) const {
  std::vector<TargetStatus> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, entry] : pools_) {
      if (!pool.empty() && name != pool) continue;
      for (const auto& [identity, runner] : entry.active) out.push_back(runner->loop->status());
    }
  }
  for (TargetStatus& status : out) {
    status.global_url = global_url(status.scrape_url, core_->options.external_scheme,
                                   core_->options.external_host, core_->options.own_port);
  }
  std::sort(out.begin(), out.end(), [](const TargetStatus& a, const TargetStatus& b) {
    return std::tie(a.scrape_pool, a.scrape_url) < std::tie(b.scrape_pool, b.scrape_url);
  });
  return out;
}

std::vector<DroppedTarget> ManagerImpl::dropped_targets(std::string_view pool) const {
  const std::lock_guard lock(mutex_);
  std::vector<DroppedTarget> out;
  for (const auto& [name, entry] : pools_) {
    if (!pool.empty() && name != pool) continue;
    out.insert(out.end(), entry.dropped.begin(), entry.dropped.end());
  }
  return out;
}

std::vector<std::pair<std::string, std::size_t>> ManagerImpl::dropped_counts() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::size_t>> out;
  for (const auto& [name, entry] : pools_) out.emplace_back(name, entry.dropped_count);
  return out;
}

std::vector<std::string> ManagerImpl::pools() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, entry] : pools_) out.push_back(name);
  return out;
}

Result<std::vector<model::RelabelRule>> ManagerImpl::relabel_rules(std::string_view pool) const {
  const std::lock_guard lock(mutex_);
  const auto found = pools_.find(std::string(pool));
  if (found == pools_.end()) {
    return Error(ErrorCode::kNotFound, fmt::format("scrape pool \"{}\" not found", pool));
  }
  return found->second.options->relabel;
}

std::vector<TargetMetadata> ManagerImpl::metadata(std::string_view family) const {
  const std::lock_guard lock(mutex_);
  std::vector<TargetMetadata> out;
  for (const auto& [name, entry] : pools_) {
    for (const auto& [identity, runner] : entry.active) runner->loop->metadata(family, out);
  }
  return out;
}

}  // namespace

std::unique_ptr<Manager> Manager::create(ManagerOptions options, ManagerDependencies dependencies) {
  return std::make_unique<ManagerImpl>(std::move(options), dependencies);
}

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kUp:
      return "up";
    case Health::kDown:
      return "down";
  }
  return "unknown";
}

}  // namespace varve::scrape
