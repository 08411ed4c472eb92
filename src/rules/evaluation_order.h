// SPDX-License-Identifier: Apache-2.0
// Which rules of a group may be evaluated side by side: those that read nothing another one of the
// group writes, or write nothing another one reads. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "promql/ast.h"
#include "rules/options.h"

namespace varve::rules {

struct RuleDependencies {
  const RuleOptions* options = nullptr;
  const promql::Expr* expression = nullptr;
};

// Batches of indices, to be run one after another; the rules of one batch may run at the same time.
// First all that depend on no rule of the group, then, one by one, those in the middle of a chain,
// then all that no rule depends on. A selector without a metric name, or on ALERTS, may read
// anything: then every rule is a batch of its own, in the order written.
std::vector<std::vector<std::size_t>> evaluation_order(std::span<const RuleDependencies> rules);

}  // namespace varve::rules
