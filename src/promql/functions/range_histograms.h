// SPDX-License-Identifier: Apache-2.0
// Inside functions/: differences and sums over the histograms of a window, and the remarks they
// give rise to.
#pragma once

#include <optional>
#include <span>

#include "model/histogram.h"
#include "promql/value/function_impl.h"
#include "promql/functions/annotation_texts.h"

namespace varve::promql::function_impls {

// Remarks on one window; the metric name is only fetched when one is made.
class RangeRemarks {
 public:
  RangeRemarks(const Window& window, const CallArgs& args, EvalContext& context)
      : RangeRemarks(window, args.position(0), context.annotations) {}
  RangeRemarks(const Window& window, Position position, AnnotationSink& sink)
      : window_(window), position_(position), sink_(sink) {}

  void not_a_counter() const { sink_.warning(texts::not_a_counter(name()), position_); }
  void not_a_gauge() const { sink_.warning(texts::not_a_gauge(name()), position_); }
  void mixed_floats_and_histograms() const {
    sink_.warning(texts::mixed_floats_and_histograms(name()), position_);
  }
  void mixed_bucket_schemas() const {
    sink_.warning(texts::mixed_bucket_schemas(name()), position_);
  }
  void start_time_overlap() const {
    sink_.counted_warning(texts::start_time_overlap(name()), position_);
  }
  void warning(std::string_view text) const { sink_.warning(text, position_); }
  void info(std::string_view text) const { sink_.info(text, position_); }

 private:
  std::string name() const { return window_.series->metric_name(); }

  const Window& window_;
  Position position_;
  AnnotationSink& sink_;
};

// base += other / base -= other with the remarks of a range function; false (and a warning) if
// their bucket schemas do not go together. Reset hints that contradict each other are not remarked
// on: the callers look at resets themselves.
bool add_with_remarks(Histogram& base, const Histogram& other, const RangeRemarks& remarks);
bool subtract_with_remarks(Histogram& base, const Histogram& other, const RangeRemarks& remarks);

// What the histograms of a window rose by: last minus first, plus the value before each reset for
// counters. A gauge, compacted. Precondition: at least two.
std::optional<Histogram> histogram_difference(const Window& window, bool counter,
                                              const RangeRemarks& remarks);

}  // namespace varve::promql::function_impls
