// SPDX-License-Identifier: Apache-2.0
// The contract between the evaluator and the functions (promql/functions/). A function is one of
// four kinds; the evaluator evaluates the arguments, walks series and steps, drops names, merges
// duplicates, counts samples and polls for cancellation, so that a function only computes.
//
// Done by the evaluator itself, and not to be in the registry: timestamp, start_timestamp, info;
// of absent_over_time the registry has the range function of present_over_time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "promql/value/annotations.h"
#include "promql/value/value.h"
#include "promql/features.h"
#include "promql/ast.h"
#include "promql/parse/function_table.h"
#include "varve/result.h"

namespace varve::storage {
class Selection;
}

namespace varve::promql {

// What a query may hold besides samples. Thread-safe.
class MemoryBudget {
 public:
  virtual ~MemoryBudget() = default;
  // Accounts for bytes about to be made, held until the query ends. kLimitExceeded or kUnavailable
  // if there is no room, and then nothing is accounted for.
  virtual Status charge_bytes(std::uint64_t bytes) = 0;
};

// What a function may ask of the query it runs in. One per task: never shared between threads.
struct EvalContext {
  StepGrid grid;
  const Features& features;
  AnnotationSink& annotations;
  std::int64_t lookback_ms = 0;
  MemoryBudget* memory = nullptr;  // null: no bound
};

// Whose samples a window holds; the labels are only fetched when a remark needs the name.
class SeriesRef {
 public:
  SeriesRef(const storage::Selection& selection, std::size_t ordinal)
      : selection_(&selection), ordinal_(ordinal) {}
  explicit SeriesRef(const Labels& labels) : labels_(&labels) {}
  Labels labels() const;
  std::string metric_name() const;

 private:
  const storage::Selection* selection_ = nullptr;
  const Labels* labels_ = nullptr;
  std::size_t ordinal_ = 0;
};

// An argument of a call. Which member is set follows from the argument's type.
struct ArgValue {
  const Expr* expr = nullptr;              // never null
  const ScalarSteps* scalar = nullptr;     // kScalar
  StepMatrix* vector = nullptr;            // kVector; the function may move it away
  std::string_view text;                   // kString
};

// The arguments of a call, in order, the range vector of a range function included (its ArgValue
// has only `expr`).
struct CallArgs {
  const Call& call;
  std::span<ArgValue> values;

  std::size_t size() const { return values.size(); }
  double scalar(std::size_t arg, std::size_t step) const { return (*values[arg].scalar)[step]; }
  std::string_view text(std::size_t arg) const { return values[arg].text; }
  // Where a remark on an argument points. Prometheus evaluates a subquery into a selector that was
  // never in the text, so remarks on one point to the start of the query.
  Position position(std::size_t arg) const {
    const Expr& expr = *values[arg].expr;
    return expr.kind() == ExprKind::kSubquery ? Position{} : expr.position;
  }
  // Of the range vector of a range function.
  Position range_position() const {
    for (const ArgValue& value : values) {
      if (value.expr->type() == ValueType::kMatrix) return value.expr->position;
    }
    return {};
  }
};

// ---- range functions ---------------------------------------------------------------------------

// The samples a range selector selects of one series at one step: those in (range_start_ms,
// range_end_ms], stale markers left out, in order of time. Not both spans are empty. With
// `extension` other than kNone the spans reach further: back by the lookback delta, for kSmoothed
// also forward, and the function must interpolate at the borders.
struct Window {
  std::span<const Timestamp> float_times;
  std::span<const double> float_values;
  std::span<const Timestamp> histogram_times;
  std::span<const HistogramPtr> histograms;
  // Per sample since when the counter has been counting, 0 where not known. Empty if none is known,
  // the function is not one that uses_starts, or the feature is off.
  std::span<const Timestamp> float_starts;
  std::span<const Timestamp> histogram_starts;
  Timestamp range_start_ms = 0;  // with offset and @ applied
  Timestamp range_end_ms = 0;
  Timestamp eval_ms = 0;   // the step's time, whatever offset and @ say
  std::size_t step = 0;    // for CallArgs::scalar
  RangeExtension extension = RangeExtension::kNone;
  const SeriesRef* series = nullptr;  // never null

  std::int64_t range_ms() const { return range_end_ms - range_start_ms; }
};

using WindowFunction = PointValue (*)(const Window& window, const CallArgs& args,
                                      EvalContext& context);

// What a kernel derives from times and windows alone (not from values), kept for all series whose
// times are equal. One kernel per memo; thread-safe.
class WindowMemo {
 public:
  template <typename T, typename Build>
  const T& get(Build build) const {
    std::call_once(once_, [&] { value_ = std::make_shared<const T>(build()); });
    return *static_cast<const T*>(value_.get());
  }

 private:
  mutable std::once_flag once_;
  mutable std::shared_ptr<const void> value_;
};

// All windows of one series that has floats only, no extension and no start times that the function
// would use: at step i the samples
// [lo[i], hi[i]) of times and values, range end first_range_end_ms + i * range_step_ms (0 where @
// fixes the selector), evaluation time context.grid.at(i). lo and hi never decrease.
struct SeriesWindows {
  std::span<const Timestamp> times;
  std::span<const double> values;
  std::span<const std::uint32_t> lo;
  std::span<const std::uint32_t> hi;
  Timestamp first_range_end_ms = 0;
  std::int64_t range_step_ms = 0;
  std::int64_t range_ms = 0;
  const SeriesRef* series = nullptr;
  const WindowMemo* memo = nullptr;  // never null
  bool rising = false;  // no value is known to be below the one before it; false: may be or not

  Timestamp range_end_ms(std::size_t step) const {
    return first_range_end_ms + static_cast<std::int64_t>(step) * range_step_ms;
  }
};

// Fills values[i] and kinds[i] (all kNone before) for every step; must agree with the window
// function bit for bit.
using SeriesKernel = void (*)(const SeriesWindows& windows, const CallArgs& args,
                              EvalContext& context, std::span<double> values,
                              std::span<PointKind> kinds);

// ---- the other kinds ---------------------------------------------------------------------------

// One element of the (only) instant vector argument to one element; kNone drops it. Without that
// argument (`hour()`) the evaluator passes vector(time()).
using ElementFunction = PointValue (*)(const PointValue& point, std::size_t step,
                                       const CallArgs& args, EvalContext& context);
// The same for a plain function of one float that drops histograms: all values of a series in
// place, absent ones included.
using FloatsFunction = void (*)(std::span<double> values);

// A whole vector at once. Labels of the result are final but for names (keep __name__ and set
// drop_name where Prometheus sets DropName; without delayed name removal remove the name itself
// with drop_metric_name()). Series of equal labels are merged by the evaluator, or are an error.
using MatrixFunction = Result<StepMatrix> (*)(const CallArgs& args, EvalContext& context);

// A scalar result: one value per step of context.grid.
using ScalarFunction = Result<ScalarSteps> (*)(const CallArgs& args, EvalContext& context);

// Refuses scalar arguments, once before the first window of a task's series is computed.
using ArgumentCheck = Status (*)(const CallArgs& args, std::size_t step_count);

// Exactly one of window, element, matrix, scalar is set; series_kernel comes with window, floats
// with element.
struct FunctionImpl {
  WindowFunction window = nullptr;
  SeriesKernel series_kernel = nullptr;
  ElementFunction element = nullptr;
  FloatsFunction floats = nullptr;
  MatrixFunction matrix = nullptr;
  ScalarFunction scalar = nullptr;
  ArgumentCheck check = nullptr;  // window functions only; may be null
  bool keeps_name = false;    // window and element functions
  bool expects_counter = false;  // the evaluator remarks on names that are none (rate, increase)
  bool extension_safe = false;   // may be used with `anchored`
  bool smoothed_safe = false;    // may be used with `smoothed`
  bool uses_starts = false;      // windows carry start times, with the feature on
};

// The registry (promql/functions/registry.cc). Null: not implemented.
const FunctionImpl* find_function_impl(FunctionId id);

// ---- shared with the evaluator
// -------------------------------------------------------------------

// What the metadata of a metric says of it, as labels (type-and-unit-labels).
inline constexpr std::string_view kTypeLabel = "__type__";
inline constexpr std::string_view kUnitLabel = "__unit__";

// Removes __name__, __type__ and __unit__.
Labels drop_metric_name(const Labels& labels);
// What the evaluator does to a series whose name goes: sets drop_name, and without delayed name
// removal removes the name.
void mark_name_dropped(StepSeries& series, const Features& features);
// The labels absent() and absent_over_time() answer with: those of the argument's = matchers, none
// that is named twice; empty if the argument is no selector.
Labels labels_of_absent(const Expr& argument);
// Series of equal labels become one if they share no step; else kExecution "vector cannot contain
// metrics with the same labelset".
Status merge_same_labelsets(StepMatrix& matrix);

}  // namespace varve::promql
