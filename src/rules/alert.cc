// SPDX-License-Identifier: Apache-2.0
#include "rules/alert.h"

namespace varve::rules {

std::string_view to_string(AlertState state) {
  switch (state) {
    case AlertState::kUnknown:
      return "unknown";
    case AlertState::kInactive:
      return "inactive";
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
  }
  return "unknown";
}

std::string_view to_string(RuleHealth health) {
  switch (health) {
    case RuleHealth::kUnknown:
      return "unknown";
    case RuleHealth::kGood:
      return "ok";
    case RuleHealth::kBad:
      return "err";
  }
  return "unknown";
}

}  // namespace varve::rules
