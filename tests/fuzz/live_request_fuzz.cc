// SPDX-License-Identifier: Apache-2.0
// Any bytes as the parameters of a live request: what is taken keeps to its bounds.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "api/live_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto values = varve::http::parse_form({reinterpret_cast<const char*>(data), size});
  if (!values.ok()) return 0;
  const auto queries = varve::api::parse_live_request(*values);
  if (!queries.ok()) return 0;
  if (queries->empty() || queries->size() > varve::api::kLiveQueriesMax) std::abort();
  for (const varve::api::LiveQuery& query : *queries) {
    if (query.phase_ms < 0 || query.phase_ms >= query.step_ms) std::abort();
    if (query.after_ms && query.step_at(*query.after_ms) != *query.after_ms) std::abort();
    const varve::Timestamp at = query.step_at(1'700'000'000'000);
    if (at > 1'700'000'000'000 || at <= 1'700'000'000'000 - query.step_ms) std::abort();
  }
  return 0;
}
