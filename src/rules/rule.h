// SPDX-License-Identifier: Apache-2.0
// One rule over time: what an evaluation of it yields, and what is known about it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "promql/ast.h"
#include "rules/alert.h"
#include "rules/group.h"
#include "rules/options.h"
#include "template/template.h"
#include "varve/labels.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::rules {

// A series' value that a rule writes: a histogram if that is set, else the float.
struct RuleSample {
  Labels labels;
  double value = 0;
  HistogramPtr histogram;
};

// One iteration of a group, as its rules see it.
struct Iteration {
  Timestamp time_ms = 0;        // of the iteration
  Timestamp query_time_ms = 0;  // that less the query offset: when is looked at, and written
  const SharedSettings& shared;
  const promql::QueryOrigin* origin = nullptr;  // the group, for the log of queries
};

// An instant query for a rule; a scalar becomes a vector of one without labels.
Result<Vector> query_vector(const Environment& environment, std::string_view expression,
                            Timestamp time_ms, const promql::QueryOrigin* origin = nullptr);

// evaluate() and the series of the last evaluation belong to the group's evaluating thread; status
// may be read by any thread.
class Rule {
 public:
  Rule(RuleOptions options, promql::ExprPtr expression, const Environment& environment);
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  // The samples to write. The text of an error is Prometheus's. `limit`: see RuleGroupOptions.
  virtual Result<std::vector<RuleSample>> evaluate(const Iteration& iteration,
                                                   std::int64_t limit) = 0;
  // Copies what a rule of the same name and labels knows.
  virtual void take_state_from(Rule& old);
  virtual void add_status(RuleStatus& status, bool with_alerts) const;

  const RuleOptions& options() const { return options_; }
  const promql::Expr& expression() const { return *expression_; }
  const std::string& expression_text() const { return expression_text_; }
  // Equal for what counts as the same rule after a reload.
  const std::string& identity() const { return identity_; }

  void finished(RuleHealth health, std::string error);
  void timed(Timestamp began_ms, std::chrono::nanoseconds took);
  std::chrono::nanoseconds evaluation_time() const;
  RuleStatus status(bool with_alerts) const;

  // What the last evaluation wrote.
  std::unordered_set<Labels> written;

 protected:
  const RuleOptions options_;
  const promql::ExprPtr expression_;
  const std::string expression_text_;
  const std::string identity_;
  const Environment& environment_;

 private:
  mutable std::mutex mutex_;  // guards the rest
  RuleHealth health_ = RuleHealth::kUnknown;
  std::string last_error_;
  std::chrono::nanoseconds evaluation_time_{};
  Timestamp last_evaluation_ms_ = kNever;
};

class RecordingRule final : public Rule {
 public:
  using Rule::Rule;
  Result<std::vector<RuleSample>> evaluate(const Iteration& iteration, std::int64_t limit) override;
};

class AlertingRule final : public Rule {
 public:
  AlertingRule(RuleOptions options, promql::ExprPtr expression, const Environment& environment,
               bool restored);
  Result<std::vector<RuleSample>> evaluate(const Iteration& iteration, std::int64_t limit) override;
  void take_state_from(Rule& old) override;
  void add_status(RuleStatus& status, bool with_alerts) const override;

  // The alerts that are due to be sent at `time_ms`, which are then taken as sent.
  std::vector<Alert> take_due(Timestamp time_ms, std::chrono::milliseconds interval);

  // From here on ALERTS and ALERTS_FOR_STATE are written.
  void set_restored() { restored_.store(true, std::memory_order_relaxed); }
  bool has_alerts() const;
  // Labels that every alert of this rule has, whatever its templates say.
  Labels fixed_labels() const;
  // Sets an alert's beginning; without effect if there is no such alert.
  void set_active_since(const Labels& labels, Timestamp active_at_ms);

 private:
  // A text that is a template, or, without "{{", is what it says.
  struct Text {
    std::string name;
    std::string literal;
    std::shared_ptr<const Result<templates::Template>> parsed;  // null: the literal
  };
  std::vector<Text> parse_texts(const TextMap& texts) const;
  std::string expand(const Text& text, const templates::AlertData& data,
                     const templates::Environment& environment) const;
  Result<std::unordered_map<Labels, Alert>> current_alerts(const Vector& found,
                                                           const Iteration& iteration) const;
  // Whether an alert that the expression no longer has still counts as active.
  bool fade(Alert& alert, Timestamp time_ms) const;

  const std::vector<Text> labels_;
  const std::vector<Text> annotations_;
  std::atomic<bool> restored_;
  mutable std::mutex alerts_mutex_;           // guards active_
  std::unordered_map<Labels, Alert> active_;  // resolved ones too, for a while
};

// A rule made from its options. kInvalidArgument if the expression does not parse.
Result<std::unique_ptr<Rule>> make_rule(RuleOptions options, const Environment& environment,
                                        bool restored);

}  // namespace varve::rules
