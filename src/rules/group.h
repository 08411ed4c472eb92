// SPDX-License-Identifier: Apache-2.0
// A group of rules, evaluated one after another at a time that is given to it. It owns no thread
// and reads no clock to decide anything: unit tests of rules drive it through history as Manager
// drives it through the present.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rules/alert.h"
#include "rules/options.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Logger;
class ThreadPool;
}  // namespace varve::base
namespace varve::promql {
class Engine;
struct QueryOrigin;
}  // namespace varve::promql
namespace varve::storage {
class Appendable;
class Queryable;
struct WriteOutcome;
}  // namespace varve::storage

namespace varve::rules {

// What a reload changes for all groups at once.
struct SharedSettings {
  Labels external_labels;  // {{ $externalLabels }}; notifications get them from the Notifier
  std::chrono::milliseconds query_offset{};  // global rule_query_offset
};

// What rules read from, write to and tell. Borrowed; outlives the groups.
struct Environment {
  const promql::Engine& engine;
  const storage::Queryable& source;
  storage::Appendable& sink;
  const base::Clock& clock;  // for durations that are only shown
  base::Logger& log;
  std::string external_url;  // without a slash at the end
  std::chrono::milliseconds resend_delay = std::chrono::minutes(1);
  std::chrono::milliseconds outage_tolerance = std::chrono::hours(1);
  std::chrono::milliseconds grace_period = std::chrono::minutes(10);
  // Alerts of one rule that are due to be sent. Called on the evaluating thread. May be empty.
  std::function<void(std::string_view expression, const std::vector<Alert>& alerts)> notify = {};
  // Runs independent rules side by side (concurrent-rule-eval); null: one after another.
  base::ThreadPool* concurrent = nullptr;
  // True ends a query under way (shutdown). May be empty.
  std::function<bool()> canceled = {};
};

class AlertingRule;
class Rule;
struct RuleSample;
struct GroupMetrics;
struct Iteration;

// evaluate(), restore() and take_state_from() are called by one thread at a time; status() by any.
class Group {
 public:
  // `restored`: alerts write ALERTS and ALERTS_FOR_STATE from the start. Not so after a restart,
  // until restore() has read what the process before had written. kInvalidArgument for an
  // expression that does not parse. `metrics` may be null; the rest must outlive the group.
  static Result<std::unique_ptr<Group>> create(RuleGroupOptions options,
                                               const Environment& environment, bool restored,
                                               std::shared_ptr<GroupMetrics> metrics = nullptr);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const RuleGroupOptions& options() const { return options_; }

  // One iteration: every rule at `time_ms` (its query at that less the offset), results and stale
  // markers of what vanished written, alerts that are due handed to notify. An error of a rule is
  // the rule's (its status, a log line, a metric); the others go on.
  void evaluate(Timestamp time_ms, const SharedSettings& shared);

  // Sets back when active alerts became active to what ALERTS_FOR_STATE says, so that a `for` goes
  // on where the last process left it. Once, after the second evaluation.
  void restore(Timestamp now_ms);
  // There is nothing to restore (any more).
  void set_restored();

  // Alerts and written series of rules that are in both (by name and labels); the series of rules
  // that are not get a stale marker at the next evaluation.
  void take_state_from(Group& old);
  // The group is gone for good: stale markers for all it wrote.
  void end(Timestamp time_ms, const SharedSettings& shared);
  // Makes a running evaluate() return after the rule it is at.
  void stop() { stopping_.store(true, std::memory_order_relaxed); }

  GroupStatus status(bool with_alerts = true) const;

 private:
  Group(RuleGroupOptions options, const Environment& environment,
        std::shared_ptr<GroupMetrics> metrics);

  Iteration iteration(Timestamp time_ms, const SharedSettings& shared) const;
  // Answers how many samples the rule yielded.
  std::size_t evaluate_rule(Rule& rule, const Iteration& iteration);
  Status write(Rule& rule, const Iteration& iteration, std::vector<RuleSample> samples);
  void write_stale_markers(const std::vector<const Labels*>& series, Timestamp time_ms);
  void log_refusals(const Rule& rule, const storage::WriteOutcome& outcome) const;
  void restore_rule(AlertingRule& rule, Timestamp now_ms);

  const RuleGroupOptions options_;
  const Environment& environment_;
  const std::unique_ptr<const promql::QueryOrigin> origin_;  // what the log of queries is told
  const std::shared_ptr<GroupMetrics> metrics_;
  std::vector<std::unique_ptr<Rule>> rules_;
  // Batches of rules that may run side by side, as indices.
  std::vector<std::vector<std::size_t>> order_;
  std::vector<Labels> leftovers_;  // series of rules that are gone, not yet marked stale
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> evaluation_ns_{0};
  std::atomic<Timestamp> last_evaluation_ms_{kNever};
};

}  // namespace varve::rules
