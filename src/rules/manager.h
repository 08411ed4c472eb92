// SPDX-License-Identifier: Apache-2.0
// Runs rule groups by the clock: each at its own even pace, groups side by side, the rules of a
// group one after another. A timer thread finds what is due, a few threads evaluate.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "rules/alert.h"
#include "rules/group.h"
#include "rules/options.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::base {
class MetricsRegistry;
}

namespace varve::rules {

class Notifier;

// --rules.* and --enable-feature=concurrent-rule-eval.
struct ManagerOptions {
  std::string external_url;  // where people reach this server, without a slash at the end
  std::chrono::milliseconds resend_delay = std::chrono::minutes(1);
  std::chrono::milliseconds outage_tolerance = std::chrono::hours(1);
  std::chrono::milliseconds grace_period = std::chrono::minutes(10);
  bool concurrent_evals = false;
  std::size_t concurrent_evals_max = 4;
};

// Borrowed; outlives the manager. `notifier` may be null: then nobody hears of alerts.
struct ManagerDependencies {
  const promql::Engine& engine;
  const storage::Queryable& source;
  storage::Appendable& sink;
  Notifier* notifier;
  const base::Clock& clock;
  base::Logger& log;
  base::MetricsRegistry& metrics;
};

// Thread-safe. Owned by the server, destroyed before what it borrows.
class Manager {
 public:
  static std::unique_ptr<Manager> create(ManagerOptions options, ManagerDependencies dependencies);
  virtual ~Manager() = default;  // stop()

  // A (re)load, all or nothing. Groups that are unchanged go on untouched; changed ones keep the
  // alerts of rules that stay; what removed rules and groups had written becomes stale. Waits for
  // the rule that a changed or removed group is evaluating. The first apply() after the start
  // restores alerts from storage.
  virtual Status apply(std::vector<RuleGroupOptions> groups, SharedSettings shared) = 0;

  // Starts the threads. A test calls evaluate_due() instead.
  virtual void start() = 0;
  // Evaluates every group that is due at the clock's time, on this thread, and returns the time of
  // the next one, the maximum Timestamp if there is none. Not to be called beside start().
  virtual Timestamp evaluate_due() = 0;
  // No evaluation begins any more; those under way are canceled and waited for. Idempotent.
  virtual void stop() = 0;

  // Sorted by file, then name.
  virtual std::vector<GroupStatus> groups(bool with_alerts = true) const = 0;
};

}  // namespace varve::rules
