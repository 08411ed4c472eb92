// SPDX-License-Identifier: Apache-2.0
// What a live request asks for, out of its parameters.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/server.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::api {

inline constexpr std::size_t kLiveQueriesMax = 100;  // of one request
// Of all names and values of one request: the expressions are kept as long as its stream.
inline constexpr std::size_t kLiveRequestMaxBytes = std::size_t{256} << 10;

// The steps of a query are at phase + n * step for all n, phase in [0, step).
struct LiveQuery {
  std::string expression;
  std::int64_t step_ms = 0;
  std::int64_t phase_ms = 0;
  std::chrono::milliseconds lookback{0};  // 0: the engine's
  std::optional<Timestamp> after_ms;      // the last step the client has; it is one of the steps

  // The last step at or before that time.
  Timestamp step_at(Timestamp time_ms) const;
};

// query=…&step=…&after=…&lookback_delta=…, each as often as there are queries: the n-th of one
// belongs to the n-th of the others. What is given once holds for all, an empty value is as none.
// `step` is needed; `after` sets the phase. Expressions are not looked into. kInvalidArgument names
// the parameter.
Result<std::vector<LiveQuery>> parse_live_request(const http::FormValues& values);

}  // namespace varve::api
