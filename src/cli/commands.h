// SPDX-License-Identifier: Apache-2.0
// The commands that do one thing and end: `varve check …`, `varve test …`, `varve query …`. Names,
// output and exit statuses are promtool's, so that scripts and pipelines written for it go on.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace varve::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // something is wrong, or the command line is
inline constexpr int kExitLint = 3;     // only style is wrong, and that was to be fatal

// Where a command reads and writes; the process's own, or a test's.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
};

// Whether the arguments name a command rather than flags of the daemon.
bool is_command(const std::vector<std::string>& arguments);
// Returns the exit status.
int run_command(const std::vector<std::string>& arguments, const Console& console);

// One line per command, for --help.
std::string usage();

}  // namespace varve::cli
