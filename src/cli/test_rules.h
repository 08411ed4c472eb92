// SPDX-License-Identifier: Apache-2.0
// Runs unit tests of rules.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int test_rules(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
