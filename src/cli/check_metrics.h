// SPDX-License-Identifier: Apache-2.0
// Reads a page of metrics from standard input and says what is unusual about it.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int check_metrics(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
