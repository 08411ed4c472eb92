// SPDX-License-Identifier: Apache-2.0
// Functions of one float: trigonometry, logarithms, rounding, clamping. Histograms are dropped.
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "promql/functions/go_math.h"
#include "promql/functions/implementations.h"

namespace varve::promql::function_impls {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <double (*kFunction)(double)>
PointValue element(const PointValue& point, std::size_t, const CallArgs&, EvalContext&) {
  if (point.kind != PointKind::kFloat) return PointValue::none();
  return PointValue::of(kFunction(point.value));
}

template <double (*kFunction)(double)>
void floats(std::span<double> values) {
  for (double& value : values) value = kFunction(value);
}

template <double (*kFunction)(double)>
constexpr FunctionImpl plain() {
  FunctionImpl impl;
  impl.element = element<kFunction>;
  impl.floats = floats<kFunction>;
  return impl;
}

double abs_of(double x) { return std::fabs(x); }
double ceil_of(double x) { return std::ceil(x); }
double floor_of(double x) { return std::floor(x); }
double sqrt_of(double x) { return std::sqrt(x); }
double exp_of(double x) { return std::exp(x); }
double ln_of(double x) { return std::log(x); }
double log2_of(double x) { return std::log2(x); }
double log10_of(double x) { return std::log10(x); }
double sin_of(double x) { return std::sin(x); }
double cos_of(double x) { return std::cos(x); }
double tan_of(double x) { return std::tan(x); }
double asin_of(double x) { return std::asin(x); }
double acos_of(double x) { return std::acos(x); }
double atan_of(double x) { return std::atan(x); }
double sinh_of(double x) { return std::sinh(x); }
double cosh_of(double x) { return std::cosh(x); }
double tanh_of(double x) { return std::tanh(x); }
double asinh_of(double x) { return std::asinh(x); }
double acosh_of(double x) { return std::acosh(x); }
double atanh_of(double x) { return std::atanh(x); }
double deg_of(double x) { return x * 180 / std::numbers::pi; }
double rad_of(double x) { return x * std::numbers::pi / 180; }
double sgn_of(double x) { return x < 0 ? -1 : x > 0 ? 1 : x; }  // keeps zeros and NaN

// round(v, to_nearest = 1): halves go up. Multiplying with the inverse loses fewer digits.
PointValue round_element(const PointValue& point, std::size_t step, const CallArgs& args,
                         EvalContext&) {
  if (point.kind != PointKind::kFloat) return PointValue::none();
  const double inverse = 1.0 / (args.size() > 1 ? args.scalar(1, step) : 1.0);
  return PointValue::of(std::floor(point.value * inverse + 0.5) / inverse);
}

PointValue clamp(const PointValue& point, double min, double max) {
  if (point.kind != PointKind::kFloat || max < min) return PointValue::none();
  return PointValue::of(go_max(min, go_min(max, point.value)));
}

PointValue clamp_element(const PointValue& point, std::size_t step, const CallArgs& args,
                         EvalContext&) {
  return clamp(point, args.scalar(1, step), args.scalar(2, step));
}

PointValue clamp_max_element(const PointValue& point, std::size_t step, const CallArgs& args,
                             EvalContext&) {
  return clamp(point, -kInfinity, args.scalar(1, step));
}

PointValue clamp_min_element(const PointValue& point, std::size_t step, const CallArgs& args,
                             EvalContext&) {
  return clamp(point, args.scalar(1, step), kInfinity);
}

constexpr FunctionImpl with_arguments(ElementFunction function) {
  FunctionImpl impl;
  impl.element = function;
  return impl;
}

struct Entry {
  FunctionId id;
  FunctionImpl impl;
};

constexpr std::array kEntries = {
    Entry{FunctionId::kAbs, plain<abs_of>()},
    Entry{FunctionId::kAcos, plain<acos_of>()},
    Entry{FunctionId::kAcosh, plain<acosh_of>()},
    Entry{FunctionId::kAsin, plain<asin_of>()},
    Entry{FunctionId::kAsinh, plain<asinh_of>()},
    Entry{FunctionId::kAtan, plain<atan_of>()},
    Entry{FunctionId::kAtanh, plain<atanh_of>()},
    Entry{FunctionId::kCeil, plain<ceil_of>()},
    Entry{FunctionId::kClamp, with_arguments(clamp_element)},
    Entry{FunctionId::kClampMax, with_arguments(clamp_max_element)},
    Entry{FunctionId::kClampMin, with_arguments(clamp_min_element)},
    Entry{FunctionId::kCos, plain<cos_of>()},
    Entry{FunctionId::kCosh, plain<cosh_of>()},
    Entry{FunctionId::kDeg, plain<deg_of>()},
    Entry{FunctionId::kExp, plain<exp_of>()},
    Entry{FunctionId::kFloor, plain<floor_of>()},
    Entry{FunctionId::kLn, plain<ln_of>()},
    Entry{FunctionId::kLog10, plain<log10_of>()},
    Entry{FunctionId::kLog2, plain<log2_of>()},
    Entry{FunctionId::kRad, plain<rad_of>()},
    Entry{FunctionId::kRound, with_arguments(round_element)},
    Entry{FunctionId::kSgn, plain<sgn_of>()},
    Entry{FunctionId::kSin, plain<sin_of>()},
    Entry{FunctionId::kSinh, plain<sinh_of>()},
    Entry{FunctionId::kSqrt, plain<sqrt_of>()},
    Entry{FunctionId::kTan, plain<tan_of>()},
    Entry{FunctionId::kTanh, plain<tanh_of>()},
};

}  // namespace

const FunctionImpl* element_math_impl(FunctionId id) {
  for (const Entry& entry : kEntries) {
    if (entry.id == id) return &entry.impl;
  }
  return nullptr;
}

}  // namespace varve::promql::function_impls
