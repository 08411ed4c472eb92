// SPDX-License-Identifier: Apache-2.0
// What a connection waits for, since when, and how much is lost if it is let go.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace varve::http::server {

using Clock = std::chrono::steady_clock;

// What of its client a connection waits for.
enum class Waits : unsigned char {
  kNot,           // it is the server's turn
  kFirstRequest,  // or the handshake before it
  kNextRequest,
  kRestOfBody,
  kReading,  // of an answer
};

struct Waiting {
  Waits what = Waits::kNot;
  Clock::time_point since;  // or since the client has last got on with it
};

// Set by one thread at a time, read by any: always a state and the time of that state.
class WaitRecord {
 public:
  void set(Waits what, Clock::time_point now) {
    word_.store(time_of(now) | static_cast<std::uint64_t>(what), std::memory_order_relaxed);
  }
  // The client gets on with what is waited for.
  void renew(Clock::time_point now) { set(get().what, now); }
  Waiting get() const {
    const std::uint64_t word = word_.load(std::memory_order_relaxed);
    const auto since = static_cast<Clock::duration::rep>(word & ~kWhat);
    return {static_cast<Waits>(word & kWhat), Clock::time_point(Clock::duration(since))};
  }

 private:
  static constexpr std::uint64_t kWhat = 7;  // the bits of it; times are of 8 ns
  static std::uint64_t time_of(Clock::time_point now) {
    return static_cast<std::uint64_t>(now.time_since_epoch().count()) & ~kWhat;
  }
  std::atomic<std::uint64_t> word_{0};
};

// The later, the more is lost by letting a connection go.
enum class Loss : unsigned char { kSilent, kIdle, kStuckBody, kStuckReader, kFresh, kNever };

Loss loss(const Waiting& waiting, bool reserved, Clock::time_point now);

}  // namespace varve::http::server
