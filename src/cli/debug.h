// SPDX-License-Identifier: Apache-2.0
// Collects what somebody needs who looks into a running server from afar.
#pragma once

#include <string>
#include <vector>

#include "cli/commands.h"

namespace varve::cli {

// Both write debug.tar.gz into the working directory: the metrics, or all there is. Secrets are
// masked by the server.
int debug_metrics(const std::vector<std::string>& words, const Console& console);
int debug_all(const std::vector<std::string>& words, const Console& console);

}  // namespace varve::cli
