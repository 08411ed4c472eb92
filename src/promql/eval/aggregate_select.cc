// SPDX-License-Identifier: Apache-2.0
// Aggregations that look at a step's values side by side: topk, bottomk, limitk, limit_ratio,
// quantile and count_values.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>

#include <xxhash.h>

#include "base/try.h"
#include "model/histogram.h"
#include "model/number.h"
#include "promql/eval/aggregate.h"
#include "promql/eval/grouping.h"
#include "promql/parser.h"

namespace varve::promql {
namespace {

struct ParamBounds {
  double min = std::numeric_limits<double>::max();
  double max = std::numeric_limits<double>::lowest();
  bool any_nan = false;

  explicit ParamBounds(const ScalarSteps& param) {
    for (const double value : param) {
      if (std::isnan(value)) any_nan = true;
      // As Go's math.Min and Max: NaN wins.
      min = std::isnan(value) || std::isnan(min) ? std::nan("") : std::min(min, value);
      max = std::isnan(value) || std::isnan(max) ? std::nan("") : std::max(max, value);
    }
  }
};

Error execution(std::string text) { return Error(ErrorCode::kExecution, std::move(text)); }

// What every member of a group is, by group, in the order of the input.
std::vector<std::vector<std::uint32_t>> members_of(const Grouping& grouping) {
  std::vector<std::vector<std::uint32_t>> members(grouping.labels.size());
  for (std::size_t i = 0; i < grouping.group_of.size(); ++i) {
    members[grouping.group_of[i]].push_back(static_cast<std::uint32_t>(i));
  }
  return members;
}

// Where in [0, 1) a series lies for limit_ratio: XXH64 of its labels in the form in which
// Prometheus keeps them in memory (lengths of one byte, or 255 and three bytes), so that both
// sample alike.
double sample_offset(const Labels& labels) {
  std::string bytes;
  const auto append = [&bytes](std::string_view text) {
    if (text.size() < 255) {
      bytes.push_back(static_cast<char>(text.size()));
    } else {
      bytes.push_back(static_cast<char>(255));
      for (unsigned shift = 0; shift < 24; shift += 8) {
        bytes.push_back(static_cast<char>((text.size() >> shift) & 255U));
      }
    }
    bytes.append(text);
  };
  for (const LabelView& label : labels) {
    append(label.name);
    append(label.value);
  }
  return static_cast<double>(XXH64(bytes.data(), bytes.size(), 0)) /
         static_cast<double>(std::numeric_limits<std::uint64_t>::max());
}

bool in_ratio(double ratio, double offset) {
  return (ratio >= 0 && offset < ratio) || (ratio < 0 && offset >= 1.0 + ratio);
}

// Chooses, at one step, among the members of one group that have a point there.
class Chooser {
 public:
  Chooser(const Aggregate& expr, const StepMatrix& input, QueryState& state)
      : op_(expr.op), position_(expr.position), input_(input), state_(state) {
    if (op_ != AggregateOp::kLimitRatio) return;
    for (const StepSeries& series : input.series) offsets_.push_back(sample_offset(series.labels));
  }

  // Leaves the chosen ones in `chosen`, best first for topk and bottomk.
  void choose(const std::vector<std::uint32_t>& members, std::size_t step, double param,
              std::vector<std::uint32_t>& chosen) {
    chosen.clear();
    const bool ranks = op_ == AggregateOp::kTopk || op_ == AggregateOp::kBottomk;
    std::size_t limit = members.size();
    if (op_ != AggregateOp::kLimitRatio) {
      if (param < 1) return;
      limit = static_cast<std::size_t>(
          std::min(param, static_cast<double>(input_.series.size())));
    } else if (param == 0) {
      return;
    }
    for (const std::uint32_t id : members) {
      const PointKind kind = input_.series[id].kinds[step];
      if (kind == PointKind::kNone) continue;
      if (ranks && kind == PointKind::kHistogram) {
        state_.annotations().info(
            "ignored histogram in " + std::string(to_string(op_)) + " aggregation", position_);
        continue;
      }
      if (op_ == AggregateOp::kLimitRatio &&
          !in_ratio(std::clamp(param, -1.0, 1.0), offsets_[id])) {
        continue;
      }
      if (op_ == AggregateOp::kLimitk && chosen.size() == limit) break;
      chosen.push_back(id);
    }
    if (!ranks) return;
    const auto better = [this, step](std::uint32_t a, std::uint32_t b) {
      const double x = input_.series[a].values[step];
      const double y = input_.series[b].values[step];
      if (std::isnan(x) || std::isnan(y)) {
        if (std::isnan(x) != std::isnan(y)) return std::isnan(y);  // NaN is last either way
      } else if (x != y) {
        return op_ == AggregateOp::kTopk ? x > y : x < y;
      }
      return a < b;
    };
    const std::size_t kept = std::min(limit, chosen.size());
    std::partial_sort(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(kept),
                      chosen.end(), better);
    chosen.resize(kept);
  }

 private:
  AggregateOp op_;
  Position position_;
  const StepMatrix& input_;
  QueryState& state_;
  std::vector<double> offsets_;
};

Status check_param(const Aggregate& expr, const ParamBounds& bounds, AnnotationSink& sink,
                   bool& nothing) {
  nothing = false;
  if (expr.op == AggregateOp::kLimitRatio) {
    nothing = bounds.max == 0 && bounds.min == 0;
    if (nothing) return {};
    if (bounds.any_nan) return execution("Ratio value is NaN");
    const auto warn = [&](double got, const char* cap) {
      sink.warning("ratio value should be between -1 and 1, got " + model::format_float_g(got) +
                       ", capping to " + cap,
                   without_parens(*expr.param).position);
    };
    if (bounds.max > 1) warn(bounds.max, "1");
    if (bounds.min < -1) warn(bounds.min, "-1");
    return {};
  }
  nothing = bounds.max < 1;
  if (nothing) return {};
  if (bounds.any_nan) return execution("Parameter value is NaN");
  if (bounds.min <= -9223372036854775808.0) {
    return execution("Scalar value " + model::format_float_g(bounds.min) + " underflows int64");
  }
  if (bounds.max >= 9223372036854775808.0) {
    return execution("Scalar value " + model::format_float_g(bounds.max) + " overflows int64");
  }
  return {};
}

// Sorts; NaN first.
double quantile_of(double q, std::vector<double>& values) {
  if (values.empty() || std::isnan(q)) return std::nan("");
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  std::sort(values.begin(), values.end(), [](double a, double b) {
    return std::isnan(a) ? !std::isnan(b) : a < b;
  });
  const auto count = static_cast<double>(values.size());
  const double rank = q * (count - 1);
  const double lower = std::max(0.0, std::floor(rank));
  const double upper = std::min(count - 1, lower + 1);
  const double weight = rank - std::floor(rank);
  return values[static_cast<std::size_t>(lower)] * (1 - weight) +
         values[static_cast<std::size_t>(upper)] * weight;
}

}  // namespace

Result<StepMatrix> aggregate_select(const Aggregate& expr, const ScalarSteps& param,
                                    StepMatrix input, std::size_t steps, QueryState& state) {
  bool nothing = false;
  VARVE_TRY(check_param(expr, ParamBounds(param), state.annotations(), nothing));
  if (nothing || input.series.empty()) return StepMatrix();

  const Grouping grouping = group_matrix(expr, input);
  const auto members = members_of(grouping);
  Chooser chooser(expr, input, state);
  std::vector<std::uint32_t> chosen;

  if (steps == 1) {
    StepMatrix out;
    for (const std::vector<std::uint32_t>& group : members) {
      chooser.choose(group, 0, param[0], chosen);
      for (const std::uint32_t id : chosen) out.series.push_back(input.series[id]);
    }
    return out;
  }

  std::vector<std::vector<std::uint8_t>> keep(input.series.size());
  for (const std::vector<std::uint32_t>& group : members) {
    VARVE_TRY(state.poll());
    for (std::size_t step = 0; step < steps; ++step) {
      chooser.choose(group, step, param[step], chosen);
      for (const std::uint32_t id : chosen) {
        if (keep[id].empty()) keep[id].resize(steps);
        keep[id][step] = 1;
      }
    }
  }
  StepMatrix out;
  for (std::size_t i = 0; i < input.series.size(); ++i) {
    if (keep[i].empty()) continue;
    StepSeries& series = input.series[i];
    for (std::size_t step = 0; step < steps; ++step) {
      if (keep[i][step] == 0) series.clear(step);
    }
    out.series.push_back(std::move(series));
  }
  return out;
}

Result<StepMatrix> aggregate_quantile(const Aggregate& expr, const ScalarSteps& param,
                                      StepMatrix input, std::size_t steps, QueryState& state) {
  const auto warn = [&](double q) {
    state.annotations().warning(
        "quantile value should be between 0 and 1, got " + model::format_float_g(q),
        without_parens(*expr.param).position);
  };
  const ParamBounds bounds(param);
  if (bounds.any_nan) warn(std::nan(""));
  if (bounds.max > 1) warn(bounds.max);
  if (bounds.min < 0) warn(bounds.min);

  const Grouping grouping = group_matrix(expr, input);
  const auto members = members_of(grouping);
  StepMatrix out;
  std::vector<double> values;
  for (std::size_t group = 0; group < members.size(); ++group) {
    VARVE_TRY(state.poll());
    StepSeries series(grouping.labels[group], steps);
    series.drop_name = grouping.drop_name[group];
    for (std::size_t step = 0; step < steps; ++step) {
      values.clear();
      for (const std::uint32_t id : members[group]) {
        const StepSeries& member = input.series[id];
        if (member.kinds[step] == PointKind::kFloat) {
          values.push_back(member.values[step]);
        } else if (member.kinds[step] == PointKind::kHistogram) {
          state.annotations().info("ignored histogram in quantile aggregation",
                                   without_parens(*expr.operand).position);
        }
      }
      if (!values.empty()) series.set(step, quantile_of(param[step], values));
    }
    if (!series.empty()) out.series.push_back(std::move(series));
  }
  VARVE_TRY(state.charge(out.series.size() * steps));
  return out;
}

Result<StepMatrix> aggregate_count_values(const Aggregate& expr, std::string_view label,
                                          const StepMatrix& input, std::size_t steps,
                                          QueryState& state) {
  StepMatrix out;
  std::unordered_map<std::string, std::size_t> by_labels;
  for (const StepSeries& series : input.series) {
    VARVE_TRY(state.poll());
    std::string last_text;  // values repeat from step to step
    std::size_t last = 0;
    bool have_last = false;
    for (std::size_t step = 0; step < steps; ++step) {
      if (series.kinds[step] == PointKind::kNone) continue;
      std::string text = series.kinds[step] == PointKind::kFloat
                             ? model::format_float_positional(series.values[step])
                             : model::to_string(*series.histograms[step]);
      if (!have_last || text != last_text) {
        LabelsBuilder builder(series.labels);
        builder.set(label, text);
        const Labels all = builder.build();
        Labels labels = group_labels(expr, all);
        if (!expr.without) labels = LabelsBuilder(labels).set(label, text).build();
        const auto [at, fresh] =
            by_labels.try_emplace(std::string(labels.bytes()), out.series.size());
        if (fresh) {
          VARVE_TRY(state.charge(steps));
          out.series.emplace_back(std::move(labels), steps);
        }
        last = at->second;
        last_text = std::move(text);
        have_last = true;
      }
      StepSeries& counted = out.series[last];
      const bool first = counted.kinds[step] == PointKind::kNone;
      counted.set(step, first ? 1.0 : counted.values[step] + 1);
    }
  }
  return out;
}

}  // namespace varve::promql
