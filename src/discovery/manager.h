// SPDX-License-Identifier: Apache-2.0
// Discovery: asks files, HTTP endpoints, DNS, Consul and Kubernetes what there is to talk to and
// tells those who asked. A source that fails keeps its last good targets.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "discovery/options.h"
#include "discovery/source.h"
#include "model/target_group.h"

namespace varve::base {
class ThreadPool;
}
namespace varve::http {
class Client;
}

namespace varve::discovery {

// Who wants to know what: a job of scrape_configs, an entry of alertmanagers.
struct Subscription {
  std::string name;
  std::vector<SourceOptions> sources;
};

// Tells a subscriber what changed: replaces the groups of these sources, and an empty group removes
// its source. Called under the manager's lock; must not call back.
using Deliver =
    std::function<void(const std::string& subscription, std::span<const model::TargetGroup>)>;

struct ManagerOptions {
  std::string name = "scrape";  // in metrics: "scrape" or "notify"
  // The names are places in a list: after a reload a name may mean another subscriber, which may
  // have kept what any of the old ones was told.
  bool positional = false;
  // The least time between two deliveries to one subscriber.
  std::chrono::milliseconds deliver_interval = std::chrono::seconds(1);
};

// Borrowed; must outlive the manager. The workers wait for names and files; they may be two.
struct ManagerDependencies {
  http::Client& client;
  base::ThreadPool& workers;
  fs::FileSystem& files;
  const base::Clock& clock;
  base::Logger& log;
  base::MetricsRegistry& metrics;
  ParseYaml parse_yaml;
  Resolve resolve;
};

// Thread-safe. Destroyed before what it borrows and before what it delivers to.
class Manager {
 public:
  static std::unique_ptr<Manager> create(ManagerOptions options, ManagerDependencies dependencies,
                                         Deliver deliver);
  virtual ~Manager() = default;  // stop()

  // A (re)load. Sources whose options stay go on undisturbed; what others had found is taken back
  // before this returns. Call it after the subscribers have their new configuration.
  virtual void apply(std::vector<Subscription> subscriptions) = 0;
  // Starts the thread. A test calls run_due() instead, which does everything that is due at the
  // clock's time.
  virtual void start() = 0;
  virtual void run_due() = 0;
  // Nothing is delivered any more. Idempotent.
  virtual void stop() = 0;
};

// The system's resolver: resolv.conf's servers and search path.
Resolve system_resolver();

}  // namespace varve::discovery
