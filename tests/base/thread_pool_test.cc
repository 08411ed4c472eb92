// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace varve;

TEST_CASE("thread pool: parallel_for runs every index once, also from inside the pool", "[base]") {
  base::ThreadPool pool("test", 3, 100);
  std::vector<std::atomic<int>> hits(1000);
  pool.parallel_for(10, [&](std::size_t outer) {
    pool.parallel_for(100, [&](std::size_t inner) { ++hits[outer * 100 + inner]; });
  });
  CHECK(std::all_of(hits.begin(), hits.end(), [](const auto& n) { return n == 1; }));
}

TEST_CASE("thread pool: what a body throws reaches the caller, after all others ran", "[base]") {
  base::ThreadPool pool("test", 3, 100);
  std::atomic<int> ran{0};
  const auto run = [&] {
    pool.parallel_for(100, [&](std::size_t i) {
      ++ran;
      if (i % 10 == 0) throw std::runtime_error("out of memory");
    });
  };
  CHECK_THROWS_AS(run(), std::runtime_error);
  CHECK(ran == 100);
}

TEST_CASE("thread pool: a full queue refuses, the destructor runs what was taken", "[base]") {
  std::atomic<int> ran{0};
  std::atomic<bool> hold{true};
  int taken = 0;
  {
    base::ThreadPool pool("test", 1, 2);
    for (int i = 0; i < 10; ++i) {
      taken += pool.try_post([&] {
        while (hold) std::this_thread::yield();
        ++ran;
      });
    }
    CHECK(taken <= 3);
    hold = false;
  }
  CHECK(ran == taken);
}

TEST_CASE("thread pool: it keeps up while every task has a thread that will take it", "[base]") {
  base::ThreadPool pool("test", 1, 10);
  std::atomic<bool> started{false}, hold{true}, second_ran{false};
  REQUIRE(pool.try_post([&] {
    started = true;
    while (hold) std::this_thread::yield();
  }));
  while (!started) std::this_thread::yield();
  CHECK(pool.keeps_up());
  REQUIRE(pool.try_post([&] { second_ran = true; }));
  CHECK_FALSE(pool.keeps_up());
  hold = false;
  while (!second_ran) std::this_thread::yield();
  CHECK(pool.keeps_up());
}

TEST_CASE("thread pool: who joins takes a thread's place until it leaves", "[base]") {
  base::ThreadPool pool("test", 2, 10);
  REQUIRE(pool.try_join());
  REQUIRE(pool.try_join());
  CHECK_FALSE(pool.try_join());
  std::atomic<int> ran{0};
  REQUIRE(pool.try_post([&] { ++ran; }));
  CHECK_FALSE(pool.keeps_up());

  // Nobody but the caller has time to help, and nothing of it stays behind in the queue.
  std::vector<std::thread::id> by(100);
  pool.parallel_for(by.size(), [&](std::size_t i) { by[i] = std::this_thread::get_id(); });
  CHECK(std::count(by.begin(), by.end(), std::this_thread::get_id()) == 100);
  CHECK(ran == 0);

  pool.leave();
  while (ran == 0) std::this_thread::yield();
  while (!pool.try_join()) std::this_thread::yield();  // the task's thread is free again
  CHECK_FALSE(pool.try_join());
  pool.leave();
  pool.leave();
  CHECK(pool.keeps_up());
}
