// SPDX-License-Identifier: Apache-2.0
// Inside functions/: what registry.cc puts into the table, by the file that implements it.
#pragma once

#include "promql/value/function_impl.h"

namespace varve::promql::function_impls {

// rate.cc
FunctionImpl rate_impl();
FunctionImpl increase_impl();
FunctionImpl delta_impl();
// instant_rate.cc
FunctionImpl irate_impl();
FunctionImpl idelta_impl();
// sums.cc
FunctionImpl sum_over_time_impl();
FunctionImpl avg_over_time_impl();
// extremes.cc
FunctionImpl min_over_time_impl();
FunctionImpl max_over_time_impl();
FunctionImpl ts_of_min_over_time_impl();
FunctionImpl ts_of_max_over_time_impl();
// edges.cc
FunctionImpl count_over_time_impl();
FunctionImpl present_over_time_impl();
FunctionImpl first_over_time_impl();
FunctionImpl last_over_time_impl();
FunctionImpl ts_of_first_over_time_impl();
FunctionImpl ts_of_last_over_time_impl();
// spread.cc
FunctionImpl quantile_over_time_impl();
FunctionImpl mad_over_time_impl();
FunctionImpl stddev_over_time_impl();
FunctionImpl stdvar_over_time_impl();
// trends.cc
FunctionImpl deriv_impl();
FunctionImpl predict_linear_impl();
FunctionImpl double_exponential_smoothing_impl();
// transitions.cc
FunctionImpl changes_impl();
FunctionImpl resets_impl();

// elements.cc: one float to one float. Null for ids that are no such function.
const FunctionImpl* element_math_impl(FunctionId id);
// dates.cc: minute() … year().
const FunctionImpl* date_impl(FunctionId id);
// native_statistics.cc: histogram_count, _sum, _avg, _stddev, _stdvar.
const FunctionImpl* native_statistic_impl(FunctionId id);
// histogram_functions.cc
Result<StepMatrix> histogram_quantile(const CallArgs& args, EvalContext& context);
Result<StepMatrix> histogram_quantiles(const CallArgs& args, EvalContext& context);
Result<StepMatrix> histogram_fraction(const CallArgs& args, EvalContext& context);
// label_functions.cc
Result<StepMatrix> label_replace(const CallArgs& args, EvalContext& context);
Result<StepMatrix> label_join(const CallArgs& args, EvalContext& context);
// vectors.cc
Result<StepMatrix> absent(const CallArgs& args, EvalContext& context);
Result<StepMatrix> vector(const CallArgs& args, EvalContext& context);
Result<StepMatrix> sort(const CallArgs& args, EvalContext& context);
Result<StepMatrix> sort_desc(const CallArgs& args, EvalContext& context);
Result<StepMatrix> sort_by_label(const CallArgs& args, EvalContext& context);
Result<StepMatrix> sort_by_label_desc(const CallArgs& args, EvalContext& context);
// scalars.cc
Result<ScalarSteps> scalar(const CallArgs& args, EvalContext& context);
Result<ScalarSteps> time(const CallArgs& args, EvalContext& context);
Result<ScalarSteps> pi(const CallArgs& args, EvalContext& context);
Result<ScalarSteps> max_of(const CallArgs& args, EvalContext& context);
Result<ScalarSteps> min_of(const CallArgs& args, EvalContext& context);

}  // namespace varve::promql::function_impls
