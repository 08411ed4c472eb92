// SPDX-License-Identifier: Apache-2.0
// For what another thread brings about: waits for it as long as a test has patience.
#pragma once

#include <chrono>
#include <thread>

#include "patience.h"

namespace varve::http::testing {

// Whether it has come to be. For any thread.
template <typename Done>
bool eventually(Done done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace varve::http::testing
