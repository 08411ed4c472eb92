// SPDX-License-Identifier: Apache-2.0
#include "http/server/lane.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "base/thread_pool.h"

namespace varve::http::server {
namespace {

// How often lanes are looked at: a handler is waited for once to twice as long. A timer of each
// request's own would be exact, but setting and ending it takes 8 us in a virtual machine.
constexpr std::chrono::milliseconds kLook{1};
// After so many looks that saw nothing happen the watch sleeps. The next request wakes it, for 5
// us.
constexpr int kLooksIdle = 50;

// How many Busy the thread is in.
int& depth() {
  static thread_local int value = 0;
  return value;
}

}  // namespace

Lane::Busy::Busy(Lane& lane) : lane_(lane), outermost_(depth()++ == 0) {
  if (!outermost_) return;
  // Sequentially consistent, as the watch's awake_: it goes to sleep only if it sees no turn after
  // it has said so.
  lane_.turns_.fetch_add(1);
  lane_.watch_.wake();
}

Lane::Busy::~Busy() {
  --depth();
  if (outermost_) lane_.turns_.fetch_add(1);
}

void LaneWatch::start(const std::vector<std::unique_ptr<Lane>>& lanes) {
  thread_ = std::thread([this, &lanes] {
    base::name_this_thread("http-watch");
    run(lanes);
  });
}

void LaneWatch::stop() {
  stopping_.store(true);
  wake();
  if (thread_.joinable()) thread_.join();
}

void LaneWatch::run(const std::vector<std::unique_ptr<Lane>>& lanes) {
  struct Seen {
    std::uint64_t turns = 0;
    std::uint64_t told = 0;  // the turn another thread was woken for
  };
  std::vector<Seen> seen(lanes.size());
  const auto look = [&] {
    bool same = true;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      auto& [before, told] = seen[i];
      const std::uint64_t turns = lanes[i]->turns_.load();
      if (turns != std::exchange(before, turns)) {
        same = false;
      } else if (turns % 2 != 0 && turns != told) {
        // Wakes the thread that waits; if both are busy, it is one handler more, which does
        // nothing.
        boost::asio::post(lanes[i]->io, [] {});
        told = turns;
      }
    }
    return same;
  };
  int idle = 0;
  while (!stopping_.load()) {
    std::this_thread::sleep_for(kLook);
    idle = look() ? idle + 1 : 0;
    if (idle < kLooksIdle) continue;
    idle = 0;
    awake_.store(false);
    if (look() && !stopping_.load()) {
      awake_.wait(false);
    } else {
      awake_.store(true);
    }
  }
}

}  // namespace varve::http::server
