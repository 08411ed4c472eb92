// SPDX-License-Identifier: Apache-2.0
// The table of operators: which types go together, and what comes out.
#include "promql/eval/point_ops.h"

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "model/histogram.h"
#include "promql/parser.h"

namespace varve::promql {
namespace {

struct Power {
  // Go's and C's pow agree on every special case (IEEE 754).
  double operator()(double a, double b) const { return std::pow(a, b); }
};
struct Modulo {
  double operator()(double a, double b) const { return std::fmod(a, b); }
};
struct Atan2 {
  double operator()(double a, double b) const { return std::atan2(a, b); }
};

// Calls use(operation) with the function object of an arithmetic operator.
template <typename Use>
auto with_arithmetic(BinaryOp op, Use use) {
  switch (op) {
    case BinaryOp::kAdd: return use(std::plus<double>());
    case BinaryOp::kSubtract: return use(std::minus<double>());
    case BinaryOp::kMultiply: return use(std::multiplies<double>());
    case BinaryOp::kDivide: return use(std::divides<double>());
    case BinaryOp::kModulo: return use(Modulo());
    case BinaryOp::kPower: return use(Power());
    default: break;
  }
  VARVE_CHECK(op == BinaryOp::kAtan2);
  return use(Atan2());
}

template <typename Use>
auto with_comparison(BinaryOp op, Use use) {
  switch (op) {
    case BinaryOp::kEqual: return use(std::equal_to<double>());
    case BinaryOp::kNotEqual: return use(std::not_equal_to<double>());
    case BinaryOp::kLess: return use(std::less<double>());
    case BinaryOp::kLessEqual: return use(std::less_equal<double>());
    case BinaryOp::kGreater: return use(std::greater<double>());
    default: break;
  }
  VARVE_CHECK(op == BinaryOp::kGreaterEqual);
  return use(std::greater_equal<double>());
}

OpResult incompatible(std::string_view lhs, BinaryOp op, std::string_view rhs, Position where,
                      AnnotationSink& sink) {
  std::string text = "incompatible sample types encountered for binary operator ";
  text.append(quote(to_string(op))).append(": ").append(lhs).append(" ");
  text.append(to_string(op)).append(" ").append(rhs);
  sink.info(text, where);
  OpResult result;
  result.failed = true;
  return result;
}

OpResult kept(Histogram&& histogram) {
  model::compact(histogram);
  OpResult result;
  result.point = PointValue::of(std::make_shared<const Histogram>(std::move(histogram)));
  result.keep = true;
  return result;
}

OpResult add_or_subtract(BinaryOp op, const HistogramPtr& lhs, const HistogramPtr& rhs,
                         Position where, AnnotationSink& sink) {
  Histogram sum = *lhs;
  const bool adding = op == BinaryOp::kAdd;
  const model::ArithmeticOutcome outcome =
      adding ? model::add(sum, *rhs) : model::subtract(sum, *rhs);
  if (!outcome.compatible) {
    sink.warning("incompatible bucket layout encountered for binary operator " +
                     std::string(to_string(op)),
                 where);
    OpResult result;
    result.failed = true;
    return result;
  }
  if (!adding) sum.counter_reset_hint = CounterResetHint::kGauge;
  const std::string what = adding ? "addition" : "subtraction";
  if (outcome.reset_hints_collide) {
    // Prometheus 3.14 answers with the warning alone, without the sum.
    sink.warning("conflicting counter resets during histogram " + what, where);
    OpResult result;
    result.failed = true;
    return result;
  }
  if (outcome.bounds_reconciled) {
    sink.info("mismatched custom buckets were reconciled during " + what, where);
  }
  return kept(std::move(sum));
}

OpResult histogram_and_float(BinaryOp op, const HistogramPtr& histogram, double value,
                             Position where, AnnotationSink& sink) {
  Histogram copy = *histogram;
  switch (op) {
    case BinaryOp::kMultiply: model::multiply(copy, value); return kept(std::move(copy));
    case BinaryOp::kDivide: model::divide(copy, value); return kept(std::move(copy));
    case BinaryOp::kTrimUpper:
    case BinaryOp::kTrimLower: {
      if (op == BinaryOp::kTrimUpper) {
        model::trim_upper(copy, value);
      } else {
        model::trim_lower(copy, value);
      }
      OpResult result;
      result.point = PointValue::of(std::make_shared<const Histogram>(std::move(copy)));
      result.keep = true;
      return result;
    }
    default: return incompatible("histogram", op, "float", where, sink);
  }
}

}  // namespace

bool changes_meaning(BinaryOp op) { return op <= BinaryOp::kAtan2; }

double scalar_op(BinaryOp op, double lhs, double rhs) {
  if (is_comparison(op)) {
    return with_comparison(op, [&](auto compare) { return compare(lhs, rhs) ? 1.0 : 0.0; });
  }
  return with_arithmetic(op, [&](auto combine) { return combine(lhs, rhs); });
}

OpResult element_op(BinaryOp op, const Operand& lhs, const Operand& rhs, Position where,
                    AnnotationSink& sink) {
  const bool trims = op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower;
  if (lhs.histogram == nullptr && rhs.histogram == nullptr) {
    if (trims) return incompatible("float", op, "float", where, sink);
    OpResult result;
    if (is_comparison(op)) {
      result.point = PointValue::of(lhs.value);
      result.keep = scalar_op(op, lhs.value, rhs.value) != 0;
    } else {
      result.point = PointValue::of(scalar_op(op, lhs.value, rhs.value));
      result.keep = true;
    }
    return result;
  }
  if (lhs.histogram == nullptr) {
    if (op != BinaryOp::kMultiply) return incompatible("float", op, "histogram", where, sink);
    return histogram_and_float(op, *rhs.histogram, lhs.value, where, sink);
  }
  if (rhs.histogram == nullptr) {
    return histogram_and_float(op, *lhs.histogram, rhs.value, where, sink);
  }
  switch (op) {
    case BinaryOp::kAdd:
    case BinaryOp::kSubtract:
      return add_or_subtract(op, *lhs.histogram, *rhs.histogram, where, sink);
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual: {
      OpResult result;
      result.point = PointValue::of(*lhs.histogram);
      result.keep =
          model::same_data(**lhs.histogram, **rhs.histogram) == (op == BinaryOp::kEqual);
      return result;
    }
    default:
      return incompatible("histogram", op, "histogram", where, sink);
  }
}

void float_ops(BinaryOp op, std::span<const double> lhs, std::span<const double> rhs,
               std::span<double> out) {
  with_arithmetic(op, [&](auto combine) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = combine(lhs[i], rhs[i]);
  });
}

void float_comparisons(BinaryOp op, std::span<const double> lhs, std::span<const double> rhs,
                       std::span<std::uint8_t> verdict) {
  with_comparison(op, [&](auto compare) {
    for (std::size_t i = 0; i < verdict.size(); ++i) {
      verdict[i] = compare(lhs[i], rhs[i]) ? std::uint8_t{1} : std::uint8_t{0};
    }
  });
}

}  // namespace varve::promql
