// SPDX-License-Identifier: Apache-2.0
#include "rules/manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "rules/metrics.h"
#include "rules/notifier.h"
#include "rules/schedule.h"

namespace varve::rules {
namespace {

using std::chrono::milliseconds;

// The timer looks up at least this often, since it goes by the wall clock, which may be set.
constexpr milliseconds kTimerWaitMax{1000};
// Groups evaluated at the same time. As many as Prometheus lets queries run; most wait for storage
// or for each other's cores, and a few that hang must not hold up the rest.
constexpr std::size_t kThreads = 20;
// Iterations of a removed group that are waited for before its series are marked stale, so that a
// group that was only renamed goes on with them.
constexpr int kEndIntervals = 2;

// A group with its pace. The group is only evaluated by whoever holds `busy`.
struct Runner {
  Runner(std::unique_ptr<Group> the_group, std::shared_ptr<GroupMetrics> the_metrics,
         Schedule the_schedule, bool restore)
      : group(std::move(the_group)),
        metrics(std::move(the_metrics)),
        schedule(the_schedule),
        to_restore(restore) {}

  const std::unique_ptr<Group> group;
  const std::shared_ptr<GroupMetrics> metrics;
  Schedule schedule;
  bool to_restore;      // from storage, after the second evaluation; its group waits for it
  int evaluations = 0;  // up to 2
  bool busy = false;
  Timestamp end_at = 0;    // of a group that was removed: when to write its stale markers
  Timestamp end_time = 0;  // and the time they carry
};
using RunnerPtr = std::shared_ptr<Runner>;

std::string key_of(const std::string& file, const std::string& name) { return file + ';' + name; }

class ManagerImpl final : public Manager {
 public:
  ManagerImpl(ManagerOptions options, ManagerDependencies dependencies)
      : clock_(dependencies.clock),
        log_(dependencies.log),
        metrics_(dependencies.metrics),
        concurrent_(options.concurrent_evals
                        ? std::make_unique<base::ThreadPool>(
                              "rule-eval", std::max<std::size_t>(1, options.concurrent_evals_max),
                              std::numeric_limits<std::size_t>::max())
                        : nullptr),
        environment_{
            dependencies.engine,  dependencies.source,
            dependencies.sink,    dependencies.clock,
            dependencies.log,     options.external_url,
            options.resend_delay, options.outage_tolerance,
            options.grace_period, {},
            concurrent_.get(),    [this] { return stopping_.load(std::memory_order_relaxed); }} {
    if (Notifier* const notifier = dependencies.notifier) {
      environment_.notify = [notifier, url = options.external_url](std::string_view expression,
                                                                   const std::vector<Alert>& due) {
        notifier->send(to_notifications(due, expression, url));
      };
    }
  }
  ~ManagerImpl() override { stop(); }

  Status apply(std::vector<RuleGroupOptions> groups, SharedSettings shared) override;
  void start() override;
  Timestamp evaluate_due() override;
  void stop() override;
  std::vector<GroupStatus> groups(bool with_alerts) const override;

 private:
  using Runners = std::map<std::string, RunnerPtr>;

  void run_timer(const std::stop_token& stop);
  // With mutex_ held: what is due, now busy, and the time of the next.
  std::vector<RunnerPtr> take_due(Timestamp now_ms, Timestamp& next_ms);
  void evaluate(const RunnerPtr& runner, Schedule::Slot slot);
  void retire(std::unique_lock<std::mutex>& lock, const RunnerPtr& runner);
  void wait_until_idle(std::unique_lock<std::mutex>& lock, const RunnerPtr& runner);
  std::vector<RunnerPtr> take_ended(Timestamp now_ms, Timestamp& next_ms);

  const base::Clock& clock_;
  base::Logger& log_;
  Metrics metrics_;
  std::atomic<bool> stopping_{false};
  const std::unique_ptr<base::ThreadPool> concurrent_;
  Environment environment_;

  std::mutex apply_mutex_;            // one apply() at a time; take before mutex_
  mutable std::mutex mutex_;          // guards the rest
  std::condition_variable_any wake_;  // the timer: something is due earlier than it thought
  std::condition_variable idle_;      // a runner is not busy any more
  Runners runners_;
  std::vector<RunnerPtr> ending_;
  std::shared_ptr<const SharedSettings> shared_ = std::make_shared<const SharedSettings>();
  bool applied_ = false;
  Timestamp timer_until_ = 0;                  // when the timer looks up next
  bool changed_ = false;                       // it is to look up at once
  std::unique_ptr<base::ThreadPool> workers_;  // made when the first group is due
  std::jthread timer_;
};

Status ManagerImpl::apply(std::vector<RuleGroupOptions> groups, SharedSettings shared) {
  const std::lock_guard one(apply_mutex_);
  if (stopping_) return {};
  const bool restore = !applied_;
  const Timestamp now_ms = clock_.now_ms();
  Runners fresh;  // those that are unchanged are null
  for (RuleGroupOptions& options : groups) {
    const std::string key = key_of(options.file, options.name);
    std::shared_ptr<GroupMetrics> metrics;
    bool to_restore = restore;
    {
      const std::lock_guard lock(mutex_);
      const auto old = runners_.find(key);
      if (old != runners_.end()) {
        if (old->second->group->options() == options) {
          fresh.emplace(key, nullptr);
          continue;
        }
        metrics = old->second->metrics;
        to_restore = old->second->to_restore;
      }
    }
    if (!metrics) metrics = std::make_shared<GroupMetrics>(metrics_, key);
    const Schedule schedule(key, options.interval, now_ms);
    VARVE_TRY_ASSIGN(auto group,
                     Group::create(std::move(options), environment_, !to_restore, metrics));
    fresh.emplace(key, std::make_shared<Runner>(std::move(group), metrics, schedule, to_restore));
  }
  // Nothing can fail from here on.
  applied_ = true;
  std::unique_lock lock(mutex_);
  shared_ = std::make_shared<const SharedSettings>(std::move(shared));
  for (auto it = runners_.begin(); it != runners_.end();) {
    if (fresh.contains(it->first)) {
      ++it;
      continue;
    }
    const RunnerPtr gone = it->second;
    it = runners_.erase(it);
    retire(lock, gone);
  }
  for (auto& [key, runner] : fresh) {
    if (runner == nullptr) continue;
    if (const auto old = runners_.find(key); old != runners_.end()) {
      const RunnerPtr before = old->second;
      before->group->stop();
      wait_until_idle(lock, before);
      runner->group->take_state_from(*before->group);
      if (runner->to_restore && !before->to_restore) {  // it was restored in between
        runner->group->set_restored();
        runner->to_restore = false;
      }
    }
    const RuleGroupOptions& options = runner->group->options();
    runner->metrics->rules.set(static_cast<double>(options.rules.size()));
    runner->metrics->interval.set(std::chrono::duration<double>(options.interval).count());
    runners_[key] = runner;
  }
  changed_ = true;
  wake_.notify_all();
  return {};
}

// Precondition: the runner is in no list any more.
void ManagerImpl::retire(std::unique_lock<std::mutex>& lock, const RunnerPtr& runner) {
  runner->group->stop();
  wait_until_idle(lock, runner);
  runner->metrics->hide();
  runner->end_time = clock_.now_ms();
  runner->end_at = runner->end_time + kEndIntervals * runner->group->options().interval.count();
  ending_.push_back(runner);
}

void ManagerImpl::wait_until_idle(std::unique_lock<std::mutex>& lock, const RunnerPtr& runner) {
  idle_.wait(lock, [&] { return !runner->busy; });
  runner->busy = true;  // for ever: nobody evaluates it again
}

void ManagerImpl::start() {
  const std::lock_guard lock(mutex_);
  log_.info("Starting rule manager...", {{"component", "rule manager"}});
  timer_ = std::jthread([this](const std::stop_token& stop) { run_timer(stop); });
}

std::vector<RunnerPtr> ManagerImpl::take_due(Timestamp now_ms, Timestamp& next_ms) {
  std::vector<RunnerPtr> due;
  for (const auto& [key, runner] : runners_) {
    if (runner->busy) continue;  // looked at again when it is done
    if (runner->schedule.due(now_ms)) {
      runner->busy = true;
      due.push_back(runner);
    } else {
      next_ms = std::min(next_ms, runner->schedule.next());
    }
  }
  return due;
}

std::vector<RunnerPtr> ManagerImpl::take_ended(Timestamp now_ms, Timestamp& next_ms) {
  std::vector<RunnerPtr> ended;
  std::erase_if(ending_, [&](const RunnerPtr& runner) {
    if (runner->end_at > now_ms) {
      next_ms = std::min(next_ms, runner->end_at);
      return false;
    }
    ended.push_back(runner);
    return true;
  });
  return ended;
}

// Precondition: the runner is busy, and this is its evaluation.
void ManagerImpl::evaluate(const RunnerPtr& runner, Schedule::Slot slot) {
  std::shared_ptr<const SharedSettings> shared;
  {
    const std::lock_guard lock(mutex_);
    shared = shared_;
  }
  if (slot.missed > 0) {
    runner->metrics->iterations_missed.add(static_cast<double>(slot.missed));
    runner->metrics->iterations.add(static_cast<double>(slot.missed));
  }
  runner->group->evaluate(slot.time_ms, *shared);
  // During the first evaluation much that alerts look at has not been scraped yet.
  const bool restore = runner->to_restore && ++runner->evaluations == 2 && !stopping_;
  if (restore) runner->group->restore(clock_.now_ms());
  const std::lock_guard lock(mutex_);
  if (restore) runner->to_restore = false;
  runner->busy = false;
  idle_.notify_all();
  if (runner->schedule.next() >= timer_until_) return;
  changed_ = true;
  wake_.notify_all();
}

Timestamp ManagerImpl::evaluate_due() {
  for (;;) {
    Timestamp next_ms = std::numeric_limits<Timestamp>::max();
    std::vector<RunnerPtr> due, ended;
    std::shared_ptr<const SharedSettings> shared;
    const Timestamp now_ms = clock_.now_ms();
    {
      const std::lock_guard lock(mutex_);
      due = take_due(now_ms, next_ms);
      ended = take_ended(now_ms, next_ms);
      shared = shared_;
    }
    for (const RunnerPtr& runner : ended) runner->group->end(runner->end_time, *shared);
    if (due.empty()) return next_ms;
    for (const RunnerPtr& runner : due) evaluate(runner, runner->schedule.take(now_ms));
  }
}

void ManagerImpl::run_timer(const std::stop_token& stop) {
  base::name_this_thread("rules-timer");
  std::unique_lock lock(mutex_);
  const auto post = [this](std::function<void()> task) {
    if (!workers_) {
      // Each group is in the queue once at most, so that it needs no bound of its own.
      workers_ = std::make_unique<base::ThreadPool>("rules", kThreads,
                                                    std::numeric_limits<std::size_t>::max());
    }
    static_cast<void>(workers_->try_post(std::move(task)));
  };
  while (!stop.stop_requested()) {
    const Timestamp now_ms = clock_.now_ms();
    Timestamp next_ms = now_ms + kTimerWaitMax.count();
    for (const RunnerPtr& runner : take_due(now_ms, next_ms)) {
      const Schedule::Slot slot = runner->schedule.take(now_ms);
      post([this, runner, slot] { evaluate(runner, slot); });
    }
    for (const RunnerPtr& runner : take_ended(now_ms, next_ms)) {
      post([runner, shared = shared_] { runner->group->end(runner->end_time, *shared); });
    }
    timer_until_ = next_ms;
    changed_ = false;
    wake_.wait_for(lock, stop, milliseconds(std::max<Timestamp>(1, next_ms - now_ms)),
                   [this] { return changed_; });
  }
}

void ManagerImpl::stop() {
  const std::lock_guard one(apply_mutex_);
  if (stopping_.exchange(true)) return;
  log_.info("Stopping rule manager...", {{"component", "rule manager"}});
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, runner] : runners_) runner->group->stop();
    ending_.clear();  // after a restart their series go on, or end, as the rules then say
  }
  if (timer_.joinable()) {
    timer_.request_stop();
    timer_.join();
  }
  workers_.reset();
  log_.info("Rule manager stopped", {{"component", "rule manager"}});
}

std::vector<GroupStatus> ManagerImpl::groups(bool with_alerts) const {
  std::vector<RunnerPtr> runners;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, runner] : runners_) runners.push_back(runner);
  }
  std::vector<GroupStatus> out;
  out.reserve(runners.size());
  for (const RunnerPtr& runner : runners) out.push_back(runner->group->status(with_alerts));
  std::sort(out.begin(), out.end(), [](const GroupStatus& a, const GroupStatus& b) {
    return std::tie(a.file, a.name) < std::tie(b.file, b.name);
  });
  return out;
}

}  // namespace

std::unique_ptr<Manager> Manager::create(ManagerOptions options, ManagerDependencies dependencies) {
  return std::make_unique<ManagerImpl>(std::move(options), dependencies);
}

}  // namespace varve::rules
