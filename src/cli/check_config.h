// SPDX-License-Identifier: Apache-2.0
// Is a configuration file valid, with all the files it names?
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int check_config(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
