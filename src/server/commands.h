// SPDX-License-Identifier: Apache-2.0
// The commands that do one thing and end: `varve test promql`, `varve check config`.
#pragma once

#include <string>
#include <vector>

namespace varve::server {

// Whether the arguments name a command rather than flags of the daemon.
bool is_command(const std::vector<std::string>& arguments);
// Returns the exit status: 0, 1 if what was tested or checked failed, 2 for wrong usage.
int run_command(const std::vector<std::string>& arguments);

}  // namespace varve::server
