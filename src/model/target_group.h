// SPDX-License-Identifier: Apache-2.0
// What discovery finds and others talk to: addresses that share labels.
#pragma once

#include <string>
#include <vector>

#include "varve/labels.h"

namespace varve::model {

// Targets from one source that share labels. Each target is a label set with __address__; its own
// labels win over the shared ones.
struct TargetGroup {
  std::string source;
  std::vector<Labels> targets;
  Labels labels;
  friend bool operator==(const TargetGroup&, const TargetGroup&) = default;
};

}  // namespace varve::model
