// SPDX-License-Identifier: Apache-2.0
// --enable-feature of the commands.
#pragma once

#include <span>
#include <string>

#include "cli/commands.h"
#include "promql/features.h"

namespace varve::cli {

// Comma-separated names; an unknown one is a warning.
promql::Features read_features(std::span<const std::string> lists, const Console& console);

}  // namespace varve::cli
