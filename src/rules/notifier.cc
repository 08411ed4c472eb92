// SPDX-License-Identifier: Apache-2.0
#include "rules/notifier.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "http/client.h"
#include "rules/alertmanager.h"
#include "rules/metrics.h"

namespace varve::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// After a failure an Alertmanager is left alone for a while, at most so long: coming back it should
// soon hear what fires.
constexpr milliseconds kRetryFirst{1000};
constexpr milliseconds kRetryMax{5000};
// Longest that stop() sends what is left.
constexpr milliseconds kDrainMax{10'000};
constexpr milliseconds kThreadWaitMax{60'000};
// How long what waits for an Alertmanager outlives its place in the configuration: a reload may
// take it away and discovery, asking anew, bring it back.
constexpr milliseconds kReturnMax{60'000};
// How long its metrics then still tell what was dropped: time for a scrape or two.
constexpr milliseconds kDroppedToldMax{120'000};

// Whether the same request may succeed later.
bool worth_retrying(int status) { return status / 100 == 5 || status == 429 || status == 408; }

// What is told about one Alertmanager.
struct AlertmanagerMetrics {
  AlertmanagerMetrics(base::MetricsRegistry& all, const std::string& url)
      : registry(all),
        labels{{"alertmanager", url}},
        latency(all, "prometheus_notifications_latency_seconds",
                "Latency quantiles for sending alert notifications.",
                "prometheus_notifications_latency_histogram_seconds",
                "Latency histogram for sending alert notifications.", {0.5, 0.9, 0.99},
                {.01, .1, 1, 10}, labels, this) {
    using Kind = base::MetricsRegistry::CallbackKind;
    const auto show = [&](Kind kind, std::string_view name, std::string_view help, auto& metric) {
      all.callback(
          kind, name, help, [&metric] { return metric.value(); }, labels, this);
    };
    show(Kind::kCounter, "prometheus_notifications_errors_total",
         "Total number of sent alerts affected by errors.", errors);
    show(Kind::kCounter, "prometheus_notifications_sent_total", "Total number of alerts sent.",
         sent);
    show(Kind::kCounter, "prometheus_notifications_dropped_total",
         "Total number of alerts dropped due to errors when sending to Alertmanager.", dropped);
    show(Kind::kGauge, "prometheus_notifications_queue_length",
         "The number of alert notifications in the queue.", queue_length);
  }
  ~AlertmanagerMetrics() { registry.remove_callbacks(this); }

  base::MetricsRegistry& registry;
  const base::MetricLabels labels;
  base::Counter errors, sent, dropped;
  base::Gauge queue_length;
  Durations latency;
};

// One Alertmanager. All but the metrics is guarded by State::mutex.
struct Outbox {
  Outbox(std::string the_url, std::shared_ptr<const AlertmanagerOptions> the_options,
         std::size_t capacity, base::MetricsRegistry& registry)
      : url(std::move(the_url)),
        options(std::move(the_options)),
        queue(capacity),
        metrics(registry, url) {}

  bool idle() const { return !in_flight && queue.empty(); }

  const std::string url;
  std::shared_ptr<const AlertmanagerOptions> options;
  NotificationQueue queue;
  bool in_flight = false;
  bool gone = false;  // for good: what is in flight is not put back
  nanoseconds retry_at{};
  milliseconds backoff{0};
  AlertmanagerMetrics metrics;
};
using OutboxPtr = std::shared_ptr<Outbox>;

// What requests under way share with the notifier and may outlive it by: after stop() they find
// `stopped` and touch nothing else.
struct State {
  std::mutex mutex;  // guards the rest
  std::condition_variable_any changed;
  bool wake = false;      // the thread has something it has not seen
  bool draining = false;  // stop() has begun: what fails is not tried again
  bool stopped = false;
};
using StatePtr = std::shared_ptr<State>;

// A batch on its way out.
struct Shipment {
  OutboxPtr outbox;
  std::shared_ptr<const AlertmanagerOptions> options;
  std::vector<Notification> notifications;
};

std::vector<Notification> relabelled(std::span<const Notification> notifications,
                                     std::span<const model::RelabelRule> rules,
                                     const Labels& external) {
  std::vector<Notification> out;
  LabelsBuilder builder;
  for (const Notification& notification : notifications) {
    builder.reset(notification.labels);
    for (const LabelView& label : external) {
      if (!notification.labels.has(label.name)) builder.set(label.name, label.value);
    }
    if (!model::relabel(rules, builder)) continue;
    out.push_back(notification);
    out.back().labels = builder.build();
  }
  return out;
}

class NotifierImpl final : public Notifier {
 public:
  NotifierImpl(NotifierOptions options, NotifierDependencies dependencies)
      : options_(options), deps_(dependencies), state_(std::make_shared<State>()) {
    deps_.metrics.callback(
        base::MetricsRegistry::CallbackKind::kGauge,
        "prometheus_notifications_alertmanagers_discovered",
        "The number of alertmanagers discovered and active.",
        [this] { return discovered_.value(); }, {}, this);
  }
  ~NotifierImpl() override {
    stop();
    deps_.metrics.remove_callbacks(this);
  }

  void apply(AlertingOptions options, Labels external_labels) override;
  Status update_targets(std::size_t index, std::span<const model::TargetGroup> groups) override;
  void send(std::vector<Notification> notifications) override;
  void start() override;
  void run_due() override { static_cast<void>(ship_due()); }
  void stop() override;
  std::vector<std::string> active() const override;
  std::vector<std::string> dropped() const override;

 private:
  // The Alertmanagers of one entry of the configuration.
  struct Set {
    std::shared_ptr<const AlertmanagerOptions> options;
    std::map<std::string, model::TargetGroup> discovered;  // by source
    std::map<std::string, OutboxPtr> outboxes;             // by URL
    std::vector<std::string> dropped;
  };

  void run(const std::stop_token& stop);
  // With the mutex held. Outboxes whose URL stays are moved out of `before`.
  void sync(Set& set, std::multimap<std::string, OutboxPtr>& before);
  enum class TakenBy { kConfiguration, kDiscovery };
  void leave(const std::multimap<std::string, OutboxPtr>& gone, TakenBy taken_by);
  void drop(Outbox& outbox, std::string_view why);
  // Lets go of those that have not come back; answers when the next is due.
  nanoseconds forget_departed(nanoseconds now);
  bool all_idle() const;
  bool any_waiting() const;
  std::vector<Shipment> take_due(nanoseconds now, nanoseconds& next);
  void shipped(Shipment shipment, nanoseconds began, const Result<http::ClientResponse>& response);
  // Without it.
  // Begins every request that is due; answers when the next is.
  nanoseconds ship_due();
  void ship(Shipment shipment);

  const NotifierOptions options_;
  const NotifierDependencies deps_;
  const StatePtr state_;
  base::Gauge discovered_;
  // Guarded by state_->mutex:
  std::vector<model::RelabelRule> alert_relabel_;
  Labels external_labels_;
  std::vector<Set> sets_;
  struct Departed {
    OutboxPtr outbox;
    nanoseconds until{};
    TakenBy taken_by{};
  };
  std::multimap<std::string, Departed> departed_;  // by URL; with alerts, but nobody to send them
  std::jthread thread_;
};

void NotifierImpl::sync(Set& set, std::multimap<std::string, OutboxPtr>& before) {
  AlertmanagerUrls urls;
  const auto add = [&](const model::TargetGroup& group) {
    if (const Status added = add_urls(group, *set.options, urls); !added.ok()) {
      deps_.log.error("Creating discovered Alertmanagers failed",
                      {{"component", "notifier"}, {"err", added.error().message()}});
    }
  };
  for (const model::TargetGroup& group : set.options->static_configs) add(group);
  for (const auto& [source, group] : set.discovered) add(group);
  set.dropped = std::move(urls.dropped);
  set.outboxes.clear();
  for (const std::string& url : urls.active) {
    OutboxPtr& outbox = set.outboxes[url];
    if (outbox) continue;
    if (const auto known = before.find(url); known != before.end()) {
      outbox = std::move(known->second);
      before.erase(known);
      outbox->options = set.options;
    } else if (const auto back = departed_.find(url); back != departed_.end()) {
      outbox = std::move(back->second.outbox);
      departed_.erase(back);
      outbox->options = set.options;
      outbox->gone = false;
    } else {
      outbox = std::make_shared<Outbox>(url, set.options, options_.queue_capacity, deps_.metrics);
    }
  }
}

void NotifierImpl::leave(const std::multimap<std::string, OutboxPtr>& gone, TakenBy taken_by) {
  const nanoseconds until = deps_.clock.monotonic() + kReturnMax;
  for (const auto& [url, outbox] : gone) {
    if (outbox->idle()) continue;
    departed_.emplace(url, Departed{outbox, until, taken_by});
  }
  std::size_t count = 0;
  for (const Set& set : sets_) count += set.outboxes.size();
  discovered_.set(static_cast<double>(count));
}

void NotifierImpl::drop(Outbox& outbox, std::string_view why) {
  if (outbox.queue.empty()) return;
  deps_.log.warn(why, {{"component", "notifier"},
                       {"alertmanager", outbox.url},
                       {"count", outbox.queue.size()}});
  outbox.metrics.dropped.add(static_cast<double>(outbox.queue.size()));
  outbox.queue.clear();
  outbox.metrics.queue_length.set(0);
}

nanoseconds NotifierImpl::forget_departed(nanoseconds now) {
  nanoseconds next = nanoseconds::max();
  for (auto at = departed_.begin(); at != departed_.end();) {
    Departed& departed = at->second;
    if (departed.until > now) {
      next = std::min(next, departed.until);
      ++at;
      continue;
    }
    Outbox& outbox = *departed.outbox;
    if (outbox.gone) {
      at = departed_.erase(at);
      continue;
    }
    outbox.gone = true;
    drop(outbox, "Alertmanager is no longer configured, dropping alerts");
    departed.until = now + kDroppedToldMax;
    next = std::min(next, departed.until);
    ++at;
  }
  return next;
}

void NotifierImpl::apply(AlertingOptions options, Labels external_labels) {
  const std::lock_guard lock(state_->mutex);
  alert_relabel_ = std::move(options.alert_relabel);
  external_labels_ = std::move(external_labels);
  std::vector<Set> old = std::move(sets_);
  sets_.clear();
  // An entry that is unchanged keeps what discovery found for it and its queues, wherever it now
  // stands.
  std::vector<bool> claimed(old.size(), false);
  std::vector<std::size_t> changed;
  for (std::size_t i = 0; i < options.alertmanagers.size(); ++i) {
    Set& set = sets_.emplace_back();
    set.options =
        std::make_shared<const AlertmanagerOptions>(std::move(options.alertmanagers[i]));
    const auto same = [&](std::size_t j) {
      return j < old.size() && !claimed[j] && *old[j].options == *set.options;
    };
    std::size_t from = i;
    if (!same(from)) {
      for (from = 0; from < old.size() && !same(from);) ++from;
    }
    if (from == old.size()) {
      changed.push_back(i);
      continue;
    }
    claimed[from] = true;
    set.discovered = std::move(old[from].discovered);
    std::multimap<std::string, OutboxPtr> own(old[from].outboxes.begin(),
                                              old[from].outboxes.end());
    sync(set, own);
  }
  std::multimap<std::string, OutboxPtr> before;
  for (std::size_t j = 0; j < old.size(); ++j) {
    if (!claimed[j]) before.insert(old[j].outboxes.begin(), old[j].outboxes.end());
  }
  // One that has changed keeps what was found for its place, until discovery says otherwise:
  // nothing is sent to nobody meanwhile. What another has kept is not its own, least of all to show
  // its credentials to.
  for (const std::size_t i : changed) {
    if (i < old.size() && !claimed[i]) sets_[i].discovered = std::move(old[i].discovered);
    sync(sets_[i], before);
  }
  leave(before, TakenBy::kConfiguration);
  state_->wake = true;
  state_->changed.notify_all();
}

Status NotifierImpl::update_targets(std::size_t index, std::span<const model::TargetGroup> groups) {
  const std::lock_guard lock(state_->mutex);
  if (index >= sets_.size()) {
    return Error(ErrorCode::kNotFound, fmt::format("no alertmanagers[{}]", index));
  }
  Set& set = sets_[index];
  for (const model::TargetGroup& group : groups) {
    if (group.targets.empty()) {
      set.discovered.erase(group.source);
    } else {
      set.discovered[group.source] = group;
    }
  }
  std::multimap<std::string, OutboxPtr> before(set.outboxes.begin(), set.outboxes.end());
  sync(set, before);
  leave(before, TakenBy::kDiscovery);
  return {};
}

void NotifierImpl::send(std::vector<Notification> notifications) {
  const std::lock_guard lock(state_->mutex);
  if (state_->draining) return;
  notifications = relabelled(notifications, alert_relabel_, external_labels_);
  for (const Set& set : sets_) {
    const std::vector<Notification> own =
        set.options->alert_relabel.empty()
            ? std::vector<Notification>()
            : relabelled(notifications, set.options->alert_relabel, Labels());
    for (const auto& [url, outbox] : set.outboxes) {
      const std::size_t dropped =
          outbox->queue.add(set.options->alert_relabel.empty() ? notifications : own);
      outbox->metrics.queue_length.set(static_cast<double>(outbox->queue.size()));
      if (dropped == 0) continue;
      outbox->metrics.dropped.add(static_cast<double>(dropped));
      deps_.log.warn("Alert notification queue full, dropping alerts",
                     {{"component", "notifier"}, {"alertmanager", url}, {"count", dropped}});
    }
  }
  state_->wake = true;
  state_->changed.notify_all();
}

void NotifierImpl::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void NotifierImpl::run(const std::stop_token& stop) {
  base::name_this_thread("notifier");
  while (!stop.stop_requested()) {
    {
      const std::lock_guard lock(state_->mutex);
      state_->wake = false;
    }
    const nanoseconds wait = ship_due() - deps_.clock.monotonic();
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, stop,
                             std::clamp<nanoseconds>(wait, milliseconds(1), kThreadWaitMax),
                             [this] { return state_->wake; });
  }
}

std::vector<Shipment> NotifierImpl::take_due(nanoseconds now, nanoseconds& next) {
  std::vector<Shipment> due;
  for (const Set& set : sets_) {
    for (const auto& [url, outbox] : set.outboxes) {
      if (outbox->in_flight || outbox->queue.empty()) continue;
      if (outbox->retry_at > now && !state_->draining) {
        next = std::min(next, outbox->retry_at);
        continue;
      }
      outbox->in_flight = true;
      due.push_back({outbox, outbox->options, outbox->queue.take(options_.batch_max)});
      outbox->metrics.queue_length.set(static_cast<double>(outbox->queue.size()));
    }
  }
  return due;
}

nanoseconds NotifierImpl::ship_due() {
  const nanoseconds now = deps_.clock.monotonic();
  nanoseconds next = now + kThreadWaitMax;
  std::vector<Shipment> due;
  {
    const std::lock_guard lock(state_->mutex);
    due = take_due(now, next);
    next = std::min(next, forget_departed(now));
  }
  for (Shipment& shipment : due) ship(std::move(shipment));
  return next;
}

void NotifierImpl::ship(Shipment shipment) {
  const nanoseconds began = deps_.clock.monotonic();
  http::ClientRequest request =
      alertmanager_request(shipment.outbox->url, to_json(shipment.notifications), shipment.options);
  deps_.client.fetch(std::move(request), [this, state = state_, began,
                                          shared = std::make_shared<Shipment>(std::move(shipment))](
                                             const Result<http::ClientResponse>& response) {
    const std::lock_guard lock(state->mutex);
    if (!state->stopped) shipped(std::move(*shared), began, response);
  });
}

void NotifierImpl::shipped(Shipment shipment, nanoseconds began,
                           const Result<http::ClientResponse>& response) {
  Outbox& outbox = *shipment.outbox;
  const auto count = static_cast<double>(shipment.notifications.size());
  outbox.in_flight = false;
  state_->wake = true;
  state_->changed.notify_all();
  const nanoseconds now = deps_.clock.monotonic();
  if (response.ok() && response->status / 100 == 2) {
    outbox.backoff = milliseconds(0);
    outbox.retry_at = nanoseconds(0);
    outbox.metrics.sent.add(count);
    outbox.metrics.latency.observe(now - began);
    return;
  }
  const std::string why = response.ok() ? fmt::format("bad response status {}", response->status)
                                        : response.error().message();
  deps_.log.error("Error sending alerts", {{"component", "notifier"},
                                           {"alertmanager", outbox.url},
                                           {"count", shipment.notifications.size()},
                                           {"err", why}});
  outbox.metrics.errors.add(count);
  if ((response.ok() && !worth_retrying(response->status)) || state_->draining || outbox.gone) {
    outbox.metrics.dropped.add(count);
    return;
  }
  outbox.backoff = std::clamp(2 * outbox.backoff, kRetryFirst, kRetryMax);
  outbox.retry_at = now + outbox.backoff;
  const std::size_t dropped = outbox.queue.put_back(std::move(shipment.notifications));
  outbox.metrics.dropped.add(static_cast<double>(dropped));
  outbox.metrics.queue_length.set(static_cast<double>(outbox.queue.size()));
}

bool NotifierImpl::all_idle() const {
  for (const Set& set : sets_) {
    for (const auto& [url, outbox] : set.outboxes) {
      if (!outbox->idle()) return false;
    }
  }
  return true;
}

bool NotifierImpl::any_waiting() const {
  for (const Set& set : sets_) {
    for (const auto& [url, outbox] : set.outboxes) {
      if (!outbox->in_flight && !outbox->queue.empty()) return true;
    }
  }
  return false;
}

void NotifierImpl::stop() {
  {
    std::unique_lock lock(state_->mutex);
    if (state_->stopped) return;
    state_->draining = true;
    // What discovery has taken away, as it does for a moment after a reload, may well be there
    // still, and this is its last chance; what the configuration has taken away gets no more.
    for (const auto& [url, departed] : departed_) {
      if (departed.taken_by == TakenBy::kDiscovery && !departed.outbox->gone) {
        sets_.emplace_back().outboxes.emplace(url, departed.outbox);
      } else {
        drop(*departed.outbox, "Alertmanager is no longer configured, dropping alerts");
      }
    }
    departed_.clear();
    for (const Set& set : sets_) {
      if (options_.drain_on_shutdown) break;
      for (const auto& [url, outbox] : set.outboxes) {
        drop(*outbox, "Alert notification queue not drained on shutdown, dropping alerts");
      }
    }
    state_->wake = true;
    state_->changed.notify_all();
  }
  if (thread_.joinable()) {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, kDrainMax, [this] { return all_idle(); });
    lock.unlock();
    thread_.request_stop();
    thread_.join();
  } else {
    for (bool more = true; more;) {
      static_cast<void>(ship_due());
      const std::lock_guard lock(state_->mutex);
      more = any_waiting();
    }
  }
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  sets_.clear();
  departed_.clear();
}

std::vector<std::string> NotifierImpl::active() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> out;
  for (const Set& set : sets_) {
    for (const auto& [url, outbox] : set.outboxes) out.push_back(url);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> NotifierImpl::dropped() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> out;
  for (const Set& set : sets_) out.insert(out.end(), set.dropped.begin(), set.dropped.end());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

std::unique_ptr<Notifier> Notifier::create(NotifierOptions options,
                                           NotifierDependencies dependencies) {
  return std::make_unique<NotifierImpl>(options, dependencies);
}

}  // namespace varve::rules
