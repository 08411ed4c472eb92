// SPDX-License-Identifier: Apache-2.0
// Time as something that is passed in, so that tests own it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "varve/sample.h"

namespace varve::base {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time, milliseconds since the epoch; may jump.
  virtual Timestamp now_ms() const = 0;
  // Never goes back; for durations and deadlines.
  virtual std::chrono::nanoseconds monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

// A clock that stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Timestamp now_ms = 0) : now_ms_(now_ms) {}
  Timestamp now_ms() const override { return now_ms_.load(); }
  std::chrono::nanoseconds monotonic() const override {
    return std::chrono::milliseconds(now_ms_.load());
  }
  void set(Timestamp now_ms) { now_ms_.store(now_ms); }
  void advance(std::chrono::milliseconds by) { now_ms_.fetch_add(by.count()); }

 private:
  std::atomic<Timestamp> now_ms_;
};

}  // namespace varve::base
