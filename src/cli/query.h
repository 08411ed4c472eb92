// SPDX-License-Identifier: Apache-2.0
// Queries against a running server, Varve's or another of this API.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int query_instant(const std::vector<std::string>& words, const Console& console);
int query_range(const std::vector<std::string>& words, const Console& console);
int query_series(const std::vector<std::string>& words, const Console& console);
int query_labels(const std::vector<std::string>& words, const Console& console);

int check_healthy(const std::vector<std::string>& words, const Console& console);
int check_ready(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
