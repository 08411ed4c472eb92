// SPDX-License-Identifier: Apache-2.0
// Lanes and their watch under load: what they share is for the thread sanitizer to look at.
#include "http/server/lane.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "eventually.h"

namespace varve::http::server {
namespace {

namespace asio = boost::asio;

// Lanes with their threads and a watch, as a server has them.
class Lanes {
 public:
  explicit Lanes(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) lanes.push_back(std::make_unique<Lane>(watch_));
    for (const auto& lane : lanes) {
      work_.emplace_back(lane->io.get_executor());
      for (std::size_t i = 0; i < Lane::kThreads; ++i) {
        threads_.emplace_back([&io = lane->io] { io.run(); });
      }
    }
    watch_.start(lanes);
  }
  ~Lanes() {
    work_.clear();
    for (std::thread& thread : threads_) thread.join();
    watch_.stop();
  }
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  bool asleep() const { return watch_.asleep(); }

 private:
  LaneWatch watch_;

 public:
  std::vector<std::unique_ptr<Lane>> lanes;

 private:
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

TEST_CASE("lane: work of many threads is done, whoever is busy, on leave or asleep", "[http]") {
  constexpr int kPosters = 3;
  constexpr int kEach = 400;
  std::atomic<int> done{0};
  std::atomic<int> on_leave{0};
  std::atomic<bool> two_on_leave{false};
  std::atomic<bool> never_slept{false};
  {
    Lanes all(2);
    std::vector<std::thread> posters;
    for (int poster = 0; poster < kPosters; ++poster) {
      posters.emplace_back([&, poster] {
        for (int i = 0; i < kEach; ++i) {
          Lane& lane = *all.lanes[static_cast<std::size_t>(i + poster) % all.lanes.size()];
          lane.connections.fetch_add(1);
          asio::post(lane.io, [&, i] {
            const Lane::Busy busy(lane);
            const Lane::Busy nested(lane);
            if (i % 7 == 0 && &lane == all.lanes[0].get() && lane.take_leave()) {
              const Lane::Leave leave(lane);
              if (on_leave.fetch_add(1) != 0) two_on_leave = true;
              std::this_thread::yield();
              on_leave.fetch_sub(1);
            }
            lane.connections.fetch_sub(1);
            done.fetch_add(1);
          });
          // The watch goes to sleep in between, and is woken.
          if (i % 100 == 0 && !testing::eventually([&] { return all.asleep(); }))
            never_slept = true;
        }
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  CHECK(done == kPosters * kEach);
  CHECK_FALSE(two_on_leave);
  CHECK_FALSE(never_slept);
}

TEST_CASE("lane: a thread that does not come back is stood in for", "[http]") {
  for (int round = 0; round < 5; ++round) {
    std::latch others_done(3);
    Lanes all(1);
    Lane& lane = *all.lanes[0];
    std::latch begun(1);
    asio::post(lane.io, [&] {
      const Lane::Busy busy(lane);
      begun.count_down();
      others_done.wait();
    });
    begun.wait();
    for (int i = 0; i < 3; ++i) asio::post(lane.io, [&] { others_done.count_down(); });
    others_done.wait();
  }
}

}  // namespace
}  // namespace varve::http::server
