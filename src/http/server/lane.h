// SPDX-License-Identifier: Apache-2.0
// The server's event loops. A connection belongs to one lane for its life, and one thread attends
// each lane. Asio would wake a second thread to poll before each handler of the first: two switches
// for nothing, as most requests are answered sooner than that. Here nobody is woken; but every lane
// has a second thread, which takes over where a handler has not come back for a while.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace varve::http::server {

class LaneWatch;

// For any thread, but for what is said below. Owned by the Core.
class Lane {
 public:
  // The one who attends, and who takes over.
  static constexpr std::size_t kThreads = 2;

  explicit Lane(LaneWatch& watch) : watch_(watch) {}

  // 1: posting wakes a thread, handlers becoming ready do not. As thread-safe as any other.
  // What one of its threads posts is looked at when that thread's handler returns, not before.
  boost::asio::io_context io{1};
  std::atomic<std::size_t> connections{0};  // there are

  // Around whatever may take long on a thread of the lane. May be nested.
  class Busy {
   public:
    explicit Busy(Lane& lane);
    ~Busy();
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    Lane& lane_;
    const bool outermost_;
  };

  // Work that may take as long as it likes is for one thread at a time, as the other must come
  // back. Who is told true sees to it that a Leave begins and ends.
  bool take_leave() { return !on_leave_.exchange(true); }
  class Leave {
   public:
    explicit Leave(Lane& lane) : lane_(lane) {}
    ~Leave() { lane_.on_leave_.store(false); }
    Leave(const Leave&) = delete;
    Leave& operator=(const Leave&) = delete;

   private:
    Lane& lane_;
  };

 private:
  friend class LaneWatch;

  LaneWatch& watch_;
  std::atomic<bool> on_leave_{false};
  // Even while no thread is Busy; the one that is has made it odd. Where both are, it has been told
  // already, and whoever comes back first attends the lane.
  std::atomic<std::uint64_t> turns_{0};
};

// Sees that somebody attends every lane: a thread that looks at them every so often, and sleeps
// while nothing happens in any.
class LaneWatch {
 public:
  LaneWatch() = default;
  ~LaneWatch() { stop(); }
  LaneWatch(const LaneWatch&) = delete;
  LaneWatch& operator=(const LaneWatch&) = delete;

  // The lanes must outlive stop().
  void start(const std::vector<std::unique_ptr<Lane>>& lanes);
  void stop();
  // Whether it sleeps as nothing happens. For any thread.
  bool asleep() const { return !awake_.load(); }

 private:
  friend class Lane;

  void run(const std::vector<std::unique_ptr<Lane>>& lanes);
  void wake() {
    if (!awake_.load() && !awake_.exchange(true)) awake_.notify_one();
  }

  std::atomic<bool> awake_{true};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace varve::http::server
