// SPDX-License-Identifier: Apache-2.0
// The daemon: builds everything in order, runs until told to stop, takes it apart in reverse.
#pragma once

#include "server/flags.h"

namespace varve::server {

// Process exit codes, as Prometheus's.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// Blocks until SIGTERM, SIGINT or /-/quit. Returns the exit status; errors have been logged.
int run_daemon(const Flags& flags);

}  // namespace varve::server
