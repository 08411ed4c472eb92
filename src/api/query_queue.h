// SPDX-License-Identifier: Apache-2.0
// Who is next on the query pool. As many run at a time as the pool has threads; the rest waits here
// in order of arrival, but that those whose kind was short the last time go before the others, so
// that a dashboard does not wait until somebody's ten reports of a year are done. All are watched:
// whoever's time is over, or whose client has hung up, leaves at once and not only when it would
// have been its turn. Who need not wait may run on the thread it came from, as one of the pool's:
// the way to another thread and back takes longer than a small query.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "varve/result.h"

namespace varve::base {
class Clock;
class ThreadPool;
}  // namespace varve::base

namespace varve::api {

// Thread-safe. Waiting work keeps running as the pool empties, also after the queue is destroyed.
class QueryQueue {
 public:
  // Exactly one of run and refuse is called, once: refuse on the thread that submits or watches,
  // where it would have run, or after a run that ended by an exception.
  struct Entry {
    std::chrono::nanoseconds deadline{0};  // on the clock's monotonic axis
    std::function<bool()> abandoned;       // nobody waits for the answer any more
    std::function<void(std::chrono::nanoseconds waited)> run;
    std::function<void(Error)> refuse;
    // A hash of what is asked but for its time, which tells how long it will take; 0: no idea.
    std::uint64_t kind = 0;
  };
  // How long a run may take to count as short, and how many of these in a row may go before one
  // that came first.
  static constexpr std::chrono::milliseconds kShort{50};
  static constexpr std::size_t kAheadMax = 8;

  QueryQueue(base::ThreadPool& pool, const base::Clock& clock, std::size_t waiting_max);
  ~QueryQueue();

  // A way to run work on the calling thread, soon. False, and the work is left as it was: not here.
  using Runner = std::function<bool(std::function<void()>& work)>;

  void submit(Entry entry, const Runner& here = {});
  // Refuses those whose time is over (kTimeout) and those without a client (kCanceled). Called by a
  // thread of the queue's own while something waits.
  void sweep();

 private:
  struct State;
  class Guest;
  std::shared_ptr<State> state_;
  std::jthread watch_;
};

}  // namespace varve::api
