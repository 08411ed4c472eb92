// SPDX-License-Identifier: Apache-2.0
// Carries alerts to Alertmanagers. Each Alertmanager has a queue of its own, so that a dead one
// holds nobody up; what it does not take is tried again, newest word about an alert first.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/target_group.h"
#include "rules/alert.h"
#include "rules/options.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Logger;
class MetricsRegistry;
}  // namespace varve::base
namespace varve::http {
class Client;
}

namespace varve::rules {

// --alertmanager.*
struct NotifierOptions {
  std::size_t queue_capacity = 10'000;  // alerts waiting for one Alertmanager
  std::size_t batch_max = 256;          // alerts in one request
  bool drain_on_shutdown = true;        // stop() sends what is queued, once, before it returns
};

// Borrowed; outlives the notifier.
struct NotifierDependencies {
  http::Client& client;
  const base::Clock& clock;
  base::Logger& log;
  base::MetricsRegistry& metrics;
};

// What an Alertmanager is told about one alert.
struct Notification {
  Labels labels;
  TextMap annotations;
  Timestamp starts_at_ms = kNever;
  Timestamp ends_at_ms = kNever;
  std::string generator_url;
};

// Thread-safe. Owned by the server, destroyed after Manager and before what it borrows.
class Notifier {
 public:
  static std::unique_ptr<Notifier> create(NotifierOptions options,
                                          NotifierDependencies dependencies);
  virtual ~Notifier() = default;  // stop()

  // A (re)load. Alertmanagers that stay keep their queues.
  virtual void apply(AlertingOptions options, Labels external_labels) = 0;
  // What discovery found for alertmanagers[index], beside its static ones: replaces the groups of
  // these sources (an empty group removes its source). kNotFound if there is no such entry.
  virtual Status update_targets(std::size_t index, std::span<const model::TargetGroup> groups) = 0;

  // Relabels and queues; never blocks on the network. The oldest of a full queue are dropped.
  virtual void send(std::vector<Notification> notifications) = 0;
  // Starts the thread. A test calls run_due() instead, which begins every request that is due.
  virtual void start() = 0;
  virtual void run_due() = 0;
  // Nothing is queued any more; see drain_on_shutdown. Idempotent.
  virtual void stop() = 0;

  // URLs, sorted.
  virtual std::vector<std::string> active() const = 0;
  virtual std::vector<std::string> dropped() const = 0;
};

// A snapshot of alerts due to be sent as Alertmanagers want them: `expression` becomes the link
// back to `external_url`.
std::vector<Notification> to_notifications(const std::vector<Alert>& alerts,
                                           std::string_view expression,
                                           std::string_view external_url);
// What is POSTed: Alertmanager's v2 array.
std::string to_json(std::span<const Notification> notifications);

}  // namespace varve::rules
