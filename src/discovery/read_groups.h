// SPDX-License-Identifier: Apache-2.0
// Target groups as files and HTTP endpoints write them in JSON. Strict, as in Prometheus: no other
// keys than `targets` and `labels`, and strings everywhere.
#pragma once

#include <string_view>
#include <vector>

#include "model/target_group.h"
#include "varve/result.h"

namespace varve::discovery {

// The sources are the groups' numbers. kInvalidArgument.
Result<std::vector<model::TargetGroup>> read_json_groups(std::string_view text);

// The groups' sources become "<origin>:<number>", and each gets the label `origin_label`.
void mark_groups(std::vector<model::TargetGroup>& groups, std::string_view origin,
                 std::string_view origin_label);

// Groups without targets for those of an origin that are no more: numbers [from, to).
void add_ended(std::vector<model::TargetGroup>& groups, std::string_view origin, std::size_t from,
               std::size_t to);

}  // namespace varve::discovery
