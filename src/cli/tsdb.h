// SPDX-License-Identifier: Apache-2.0
// Commands on a data directory, also while a daemon runs on it: they change nothing and take no
// lock.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

int tsdb_list(const std::vector<std::string>& words, const Console& console);
int tsdb_analyze(const std::vector<std::string>& words, const Console& console);
int tsdb_verify(const std::vector<std::string>& words, const Console& console);
int tsdb_dump(const std::vector<std::string>& words, const Console& console);
int tsdb_plan(const std::vector<std::string>& words, const Console& console);
int tsdb_bench(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
