// SPDX-License-Identifier: Apache-2.0
// Vector-vector operators: series are paired once, then every pair is a loop over the steps.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "promql/eval/binary.h"
#include "promql/value/function_impl.h"
#include "promql/eval/match_signature.h"
#include "promql/eval/point_ops.h"

namespace varve::promql {
namespace {

// "many" is the side that may have several series per match group (the left one unless
// group_right), "one" the other. For one-to-one, many is the left side too.
class Matcher {
 public:
  Matcher(const Binary& expr, StepMatrix lhs, StepMatrix rhs, std::size_t steps, QueryState& state)
      : expr_(expr),
        matching_(*expr.matching),
        swapped_(matching_.cardinality == MatchCardinality::kOneToMany),
        one_to_one_(matching_.cardinality == MatchCardinality::kOneToOne),
        steps_(steps),
        state_(state),
        signatures_(matching_),
        many_(swapped_ ? std::move(rhs) : std::move(lhs)),
        one_(swapped_ ? std::move(lhs) : std::move(rhs)) {}

  Result<StepMatrix> run();

 private:
  struct Group {
    std::vector<std::uint32_t> many;
    std::vector<std::uint32_t> one;
    // Per step: whether an operation of the group gave a result (also a filtered one). Kept where a
    // second one could follow, or where fill_left asks for what is unmatched.
    std::vector<std::uint8_t> matched;
  };
  struct Output {
    std::uint32_t group = 0;
    std::vector<std::uint8_t> claimed;  // per step, filtered results included
  };

  void find_active_steps();
  Status check_one_side(const Group& group) const;
  Result<std::size_t> output_for(const Labels& many, const Labels& one, std::uint32_t group);
  Labels result_labels(const Labels& many, const Labels& one) const;
  Status operate(std::uint32_t group_id, const StepSeries* many, const StepSeries* one);
  Status store(std::uint32_t group_id, std::size_t output, std::size_t step, OpResult result);
  bool operate_on_floats(std::uint32_t group_id, const StepSeries& many, const StepSeries& one);

  const Binary& expr_;
  const VectorMatching& matching_;
  const bool swapped_;
  const bool one_to_one_;
  const std::size_t steps_;
  QueryState& state_;
  MatchSignatures signatures_;
  StepMatrix many_;
  StepMatrix one_;
  std::vector<std::uint8_t>
      active_;  // per step: neither vector is empty (or a fill makes up for it)
  std::vector<Group> groups_;
  StepMatrix out_;
  std::vector<Output> outputs_;
  std::unordered_map<std::string, std::size_t> by_labels_;
};

void Matcher::find_active_steps() {
  std::vector<std::uint8_t> many(steps_);
  std::vector<std::uint8_t> one(steps_);
  const auto mark = [this](const StepMatrix& matrix, std::vector<std::uint8_t>& at) {
    for (const StepSeries& series : matrix.series) {
      for (std::size_t step = 0; step < steps_; ++step) {
        if (series.kinds[step] != PointKind::kNone) at[step] = 1;
      }
    }
  };
  mark(many_, many);
  mark(one_, one);
  const bool fills = matching_.fill_left.has_value() || matching_.fill_right.has_value();
  active_.resize(steps_);
  for (std::size_t step = 0; step < steps_; ++step) {
    active_[step] = fills ? many[step] | one[step] : many[step] & one[step];
  }
}

// At no step may the one side have two elements in a group, matched or not.
Status Matcher::check_one_side(const Group& group) const {
  if (group.one.size() < 2) return {};
  for (std::size_t step = 0; step < steps_; ++step) {
    if (active_[step] == 0) continue;
    const StepSeries* first = nullptr;
    for (const std::uint32_t id : group.one) {
      const StepSeries& series = one_.series[id];
      if (series.kinds[step] == PointKind::kNone) continue;
      if (first == nullptr) {
        first = &series;
        continue;
      }
      return Error(ErrorCode::kExecution,
                   "found duplicate series for the match group " +
                       signatures_.matched_labels(series.labels).to_string() + " on the " +
                       (swapped_ ? "left" : "right") + " hand-side of the operation: [" +
                       series.labels.to_string() + ", " + first->labels.to_string() +
                       "];many-to-many matching not allowed: matching labels must be unique on "
                       "one side");
    }
  }
  return {};
}

Labels Matcher::result_labels(const Labels& many, const Labels& one) const {
  LabelsBuilder builder(many);
  if (changes_meaning(expr_.op) ||
      (expr_.return_bool && !state_.features().delayed_name_removal)) {
    builder.remove(kMetricName).remove(kTypeLabel).remove(kUnitLabel);
  }
  if (one_to_one_) {
    std::vector<std::string> gone;
    for (const auto& [name, value] : builder.current()) {
      if (signatures_.listed(name) != matching_.on) gone.push_back(name);
    }
    for (const std::string& name : gone) builder.remove(name);
  }
  for (const std::string& name : matching_.include) builder.set(name, one.get(name));
  return builder.build();
}

Result<std::size_t> Matcher::output_for(const Labels& many, const Labels& one,
                                        std::uint32_t group) {
  Labels labels = result_labels(many, one);
  const auto [at, fresh] = by_labels_.try_emplace(std::string(labels.bytes()), outputs_.size());
  if (fresh) {
    VARVE_TRY(state_.charge(steps_));
    out_.series.emplace_back(std::move(labels), steps_);
    out_.series.back().drop_name = expr_.return_bool;
    Output output;
    output.group = group;
    if (!one_to_one_) output.claimed.resize(steps_);
    outputs_.push_back(std::move(output));
  }
  return at->second;
}

Status Matcher::store(std::uint32_t group_id, std::size_t output, std::size_t step,
                      OpResult result) {
  Group& group = groups_[group_id];
  if (result.failed) return {};
  if (one_to_one_) {
    if (!group.matched.empty()) {
      if (group.matched[step] != 0) {
        return Error(ErrorCode::kExecution,
                     "multiple matches for labels: many-to-one matching must be explicit "
                     "(group_left/group_right)");
      }
      group.matched[step] = 1;
    }
  } else {
    Output& claims = outputs_[output];
    if (claims.claimed[step] != 0 && claims.group == group_id) {
      return Error(ErrorCode::kExecution,
                   "multiple matches for labels: grouping labels must ensure unique matches");
    }
    claims.claimed[step] = 1;
    claims.group = group_id;
    if (!group.matched.empty()) group.matched[step] = 1;
  }
  StepSeries& series = out_.series[output];
  if (!result.keep && !expr_.return_bool) return {};
  if (series.kinds[step] != PointKind::kNone) {
    return Error(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
  }
  if (expr_.return_bool) {
    series.set(step, result.keep ? 1.0 : 0.0);
  } else {
    series.set(step, std::move(result.point));
  }
  return {};
}

// The common case: one series on either side of a group and nothing but floats.
bool Matcher::operate_on_floats(std::uint32_t group_id, const StepSeries& many,
                                const StepSeries& one) {
  const Group& group = groups_[group_id];
  if (!many.histograms.empty() || !one.histograms.empty() || !group.matched.empty()) return false;
  if (expr_.op == BinaryOp::kTrimUpper || expr_.op == BinaryOp::kTrimLower) return false;
  if (group.one.size() != 1) return false;
  const StepSeries& lhs = swapped_ ? one : many;
  const StepSeries& rhs = swapped_ ? many : one;
  Result<std::size_t> at = output_for(many.labels, one.labels, group_id);
  if (!at.ok()) return false;  // the general path reports it
  StepSeries& out = out_.series[*at];
  Output& output = outputs_[*at];
  // Another pair went to the same labels: every step has to be looked at.
  if (!one_to_one_ && std::find(output.claimed.begin(), output.claimed.end(), 1) !=
                          output.claimed.end()) {
    return false;
  }
  std::vector<std::uint8_t> verdict;
  if (is_comparison(expr_.op)) {
    verdict.resize(steps_);
    float_comparisons(expr_.op, lhs.values, rhs.values, verdict);
    for (std::size_t step = 0; step < steps_; ++step) {
      out.values[step] = expr_.return_bool ? verdict[step] : lhs.values[step];
    }
  } else {
    float_ops(expr_.op, lhs.values, rhs.values, out.values);
  }
  const bool filters = is_comparison(expr_.op) && !expr_.return_bool;
  for (std::size_t step = 0; step < steps_; ++step) {
    const bool both =
        many.kinds[step] == PointKind::kFloat && one.kinds[step] == PointKind::kFloat;
    const bool keep = both && (!filters || verdict[step] != 0);
    out.kinds[step] = keep ? PointKind::kFloat : PointKind::kNone;
    if (!one_to_one_) output.claimed[step] = both ? 1 : 0;
  }
  return true;
}

// All steps of a pair; a null side stands for its fill value wherever the group has no element of
// that side (fill_right for each of the many, fill_left for what stayed unmatched).
Status Matcher::operate(std::uint32_t group_id, const StepSeries* many, const StepSeries* one) {
  const Group& group = groups_[group_id];
  if (many != nullptr && one != nullptr && operate_on_floats(group_id, *many, *one)) return {};

  const StepSeries& known = many != nullptr ? *many : *one;
  const Labels matched =
      many == nullptr || one == nullptr ? signatures_.matched_labels(known.labels) : Labels();
  const Labels& many_labels = many != nullptr ? many->labels : matched;
  const Labels& one_labels = one != nullptr ? one->labels : matched;
  const double many_fill = many == nullptr ? *matching_.fill_left : 0;
  const double one_fill = one == nullptr ? *matching_.fill_right : 0;
  // Counts as unmatched only what was so before this fill began.
  const std::vector<std::uint8_t> matched_before =
      many == nullptr ? group.matched : std::vector<std::uint8_t>();

  std::optional<std::size_t> output;  // made at the first result, so that none stays empty
  for (std::size_t step = 0; step < steps_; ++step) {
    if (active_[step] == 0 || known.kinds[step] == PointKind::kNone) continue;
    if (many != nullptr && one != nullptr && one->kinds[step] == PointKind::kNone) continue;
    if (one == nullptr) {
      const bool has_match = std::any_of(
          group.one.begin(), group.one.end(),
          [&](std::uint32_t id) { return one_.series[id].kinds[step] != PointKind::kNone; });
      if (has_match) continue;
    }
    if (many == nullptr && matched_before[step] != 0) continue;

    const auto operand = [step](const StepSeries* series, double fill) {
      if (series == nullptr) return Operand{fill, nullptr};
      if (series->kinds[step] == PointKind::kFloat) return Operand{series->values[step], nullptr};
      return Operand{0, &series->histograms[step]};
    };
    const Operand many_operand = operand(many, many_fill);
    const Operand one_operand = operand(one, one_fill);
    OpResult result =
        element_op(expr_.op, swapped_ ? one_operand : many_operand,
                   swapped_ ? many_operand : one_operand, expr_.position, state_.annotations());
    if (result.failed) continue;
    if (!output) {
      VARVE_TRY_ASSIGN(output, output_for(many_labels, one_labels, group_id));
    }
    VARVE_TRY(store(group_id, *output, step, std::move(result)));
  }
  return {};
}

Result<StepMatrix> Matcher::run() {
  find_active_steps();
  const std::vector<std::uint32_t> many_ids = signatures_.of(many_);
  const std::vector<std::uint32_t> one_ids = signatures_.of(one_);
  groups_.resize(signatures_.count());
  for (std::size_t i = 0; i < many_ids.size(); ++i) {
    groups_[many_ids[i]].many.push_back(static_cast<std::uint32_t>(i));
  }
  for (std::size_t i = 0; i < one_ids.size(); ++i) {
    groups_[one_ids[i]].one.push_back(static_cast<std::uint32_t>(i));
  }
  for (Group& group : groups_) {
    VARVE_TRY(check_one_side(group));
    if (matching_.fill_left || (one_to_one_ && group.many.size() > 1)) group.matched.resize(steps_);
  }
  VARVE_TRY(state_.poll());

  for (std::size_t i = 0; i < many_ids.size(); ++i) {
    for (const std::uint32_t one : groups_[many_ids[i]].one) {
      VARVE_TRY(operate(many_ids[i], &many_.series[i], &one_.series[one]));
    }
    if (matching_.fill_right) VARVE_TRY(operate(many_ids[i], &many_.series[i], nullptr));
  }
  if (matching_.fill_left) {
    for (std::size_t i = 0; i < one_ids.size(); ++i) {
      VARVE_TRY(operate(one_ids[i], nullptr, &one_.series[i]));
    }
  }
  std::erase_if(out_.series, [](const StepSeries& series) { return series.empty(); });
  return std::move(out_);
}

}  // namespace

Result<StepMatrix> vector_operation(const Binary& expr, StepMatrix lhs, StepMatrix rhs,
                                    std::size_t steps, QueryState& state) {
  return Matcher(expr, std::move(lhs), std::move(rhs), steps, state).run();
}

}  // namespace varve::promql
