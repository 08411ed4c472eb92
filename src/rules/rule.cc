// SPDX-License-Identifier: Apache-2.0
#include "rules/rule.h"

#include "base/try.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/levels.h"

namespace varve::rules {
namespace {

std::string identity_of(const RuleOptions& options) {
  std::string out = options.name;
  for (const auto& [name, value] : options.labels) {
    out += '\xff';  // not in UTF-8
    out += name;
    out += '\xfe';
    out += value;
  }
  return out;
}

}  // namespace

Result<Vector> query_vector(const Environment& environment, std::string_view expression,
                            Timestamp time_ms, const promql::QueryOrigin* origin) {
  promql::QueryParams params;
  params.origin = origin;
  params.canceled = environment.canceled;
  params.max_source_resolution_ms = storage::kSourceRaw;  // alerts must not depend on what is kept
  VARVE_TRY_ASSIGN(QueryResult result,
                   environment.engine.instant(environment.source, expression, time_ms, params));
  if (auto* const vector = std::get_if<Vector>(&result.value)) return std::move(*vector);
  if (const auto* const scalar = std::get_if<ScalarValue>(&result.value)) {
    Vector one(1);
    one[0].timestamp_ms = scalar->timestamp_ms;
    one[0].value = scalar->value;
    return one;
  }
  return Error(ErrorCode::kExecution, "rule result is not a vector or scalar");
}

Rule::Rule(RuleOptions options, promql::ExprPtr expression, const Environment& environment)
    : options_(std::move(options)),
      expression_(std::move(expression)),
      expression_text_(promql::to_string(*expression_)),
      identity_(identity_of(options_)),
      environment_(environment) {}

void Rule::take_state_from(Rule& old) { written = std::move(old.written); }

void Rule::add_status(RuleStatus&, bool) const {}

void Rule::finished(RuleHealth health, std::string error) {
  const std::lock_guard lock(mutex_);
  health_ = health;
  last_error_ = std::move(error);
}

void Rule::timed(Timestamp began_ms, std::chrono::nanoseconds took) {
  const std::lock_guard lock(mutex_);
  last_evaluation_ms_ = began_ms;
  evaluation_time_ = took;
}

std::chrono::nanoseconds Rule::evaluation_time() const {
  const std::lock_guard lock(mutex_);
  return evaluation_time_;
}

RuleStatus Rule::status(bool with_alerts) const {
  RuleStatus status;
  status.kind = options_.kind;
  status.name = options_.name;
  status.expression = expression_text_;
  status.hold = options_.hold;
  status.keep_firing = options_.keep_firing;
  status.labels = options_.labels;
  status.annotations = options_.annotations;
  {
    const std::lock_guard lock(mutex_);
    status.health = health_;
    status.last_error = last_error_;
    status.evaluation_time = evaluation_time_;
    status.last_evaluation_ms = last_evaluation_ms_;
  }
  add_status(status, with_alerts);
  return status;
}

Result<std::unique_ptr<Rule>> make_rule(RuleOptions options, const Environment& environment,
                                        bool restored) {
  VARVE_TRY_ASSIGN(promql::ExprPtr expression,
                   promql::parse(options.expression, environment.engine.options().features));
  if (options.kind == RuleKind::kRecording) {
    return std::unique_ptr<Rule>(
        std::make_unique<RecordingRule>(std::move(options), std::move(expression), environment));
  }
  return std::unique_ptr<Rule>(std::make_unique<AlertingRule>(
      std::move(options), std::move(expression), environment, restored));
}

}  // namespace varve::rules
