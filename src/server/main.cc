// SPDX-License-Identifier: Apache-2.0
// varve: the daemon, and the commands beside it.
#include <cstdio>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "server/daemon.h"
#include "server/flags.h"

// jemalloc, where it is linked: give freed memory back within a second, from a thread of its own,
// so that resident memory follows what is in use.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4";
}

int main(int argc, char** argv) {
  using namespace varve::server;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (varve::cli::is_command(arguments)) {
      return varve::cli::run_command(arguments, {std::cin, std::cout, std::cerr});
    }
    const auto flags = parse_flags(arguments);
    if (!flags.ok()) {
      std::fprintf(stderr, "varve: error: %s\n", flags.error().message().c_str());
      return kExitUsage;
    }
    if (!flags->answer.empty()) {
      std::fputs(flags->answer.c_str(), stdout);
      return kExitOk;
    }
    return run_daemon(*flags);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "varve: bug: unexpected exception: %s\n", error.what());
    return kExitFailure;
  }
}
