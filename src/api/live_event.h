// SPDX-License-Identifier: Apache-2.0
// The events of a live stream as text (the event-stream format of the HTML standard). The part that
// is the same for all viewers of a query is made once and shared; what differs, the number the
// query has in the viewer's request, stands before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "varve/query.h"
#include "varve/result.h"

namespace varve::api {

// What follows `{"query":N` of an event's data, without the line's end.
using LiveText = std::shared_ptr<const std::string>;

// ,"step":15,"from":F,"to":T,"result":[…]} with the series of `now`, each with its points after
// `known_to_ms`, whose first step F is, and of the points at `known_to_ms` those that `before` does
// not have: what late samples have changed. Series without any are left out. Both matrices are in
// order of labels; `before` may be null (there all points at known_to_ms are left out). nullopt if
// the text were longer than bytes_max.
std::optional<std::string> live_points(const QueryResult& now, const Matrix* before,
                                       Timestamp known_to_ms, Timestamp to_ms,
                                       std::int64_t step_ms, std::size_t bytes_max);

// ,"errorType":"…","error":"…"}
std::string live_failure(const Error& error);

// The lines before a LiveText. `id` is what the client may give back as Last-Event-ID.
std::string live_head(std::string_view event, std::size_t query, std::optional<Timestamp> id_ms);

}  // namespace varve::api
