// SPDX-License-Identifier: Apache-2.0
// Does a result equal what a script expects? The tolerances are the test language's.
#pragma once

#include <optional>
#include <string>

#include "promql/test_language/script.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::promql::test_language {

// Relative difference below 1e-6; NaNs equal each other except the stale marker, which equals
// itself.
bool almost_equal(double expected, double got);
// As data, buckets compared one by one whatever the layout. The reset hint counts if it was
// written.
bool almost_equal(const SequenceValue& expected, const Histogram& got);

// What differs, or nullopt. `time_ms` is for instant results.
std::optional<std::string> difference(const EvalCommand& expected, const QueryValue& got);

// The same for the error or annotations of an evaluation.
std::optional<std::string> difference(const MessagePattern& expected, const std::string& message);
std::optional<std::string> difference(const AnnotationExpectation& expected,
                                      const std::vector<std::string>& got, std::string_view kind);

}  // namespace varve::promql::test_language
