// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace varve::base {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "varve: bug: check failed at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace varve::base
