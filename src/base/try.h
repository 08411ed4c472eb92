// SPDX-License-Identifier: Apache-2.0
// Error propagation: return early with the error of a Result.
#pragma once

#include "varve/result.h"

#define VARVE_CONCAT_INNER(a, b) a##b
#define VARVE_CONCAT(a, b) VARVE_CONCAT_INNER(a, b)

// Evaluates a Result; returns its error from the enclosing function if it has one.
#define VARVE_TRY(expression)                                     \
  do {                                                            \
    if (auto varve_try_result = (expression); !varve_try_result.ok()) \
      return std::move(varve_try_result).error();                 \
  } while (false)

// VARVE_TRY_ASSIGN(auto file, files.open(path)): the value on success, an early return otherwise.
#define VARVE_TRY_ASSIGN(target, expression) \
  VARVE_TRY_ASSIGN_INNER(VARVE_CONCAT(varve_result_, __LINE__), target, expression)
#define VARVE_TRY_ASSIGN_INNER(result, target, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return std::move(result).error();      \
  target = std::move(result).value()
