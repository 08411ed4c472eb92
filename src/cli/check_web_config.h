// SPDX-License-Identifier: Apache-2.0
// Is a file for --web.config.file valid, with its certificates and hashes?
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int check_web_config(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
