// SPDX-License-Identifier: Apache-2.0
// Checks for bugs. A failed check prints where and what, and aborts; input is never checked so.
#pragma once

namespace varve::base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace varve::base

// Always on; one fact per check; cheap.
#define VARVE_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::varve::base::check_failed(#condition, __FILE__, __LINE__))

// For hot loops: on in debug and sanitizer builds (VARVE_DCHECKS), else not evaluated.
#ifdef VARVE_DCHECKS
#define VARVE_DCHECK(condition) VARVE_CHECK(condition)
#else
#define VARVE_DCHECK(condition) static_cast<void>(sizeof(static_cast<bool>(condition)))
#endif
