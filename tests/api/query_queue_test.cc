// SPDX-License-Identifier: Apache-2.0
// Waiting for the query pool, and sharing what is being evaluated.
#include "api/query_queue.h"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

#include "api/single_flight.h"
#include "base/clock.h"
#include "base/thread_pool.h"

using namespace varve;
using namespace std::chrono_literals;

namespace {

// How an entry of a queue ended: the time it waited, or why it was refused.
using Ending = Result<std::chrono::nanoseconds>;

api::QueryQueue::Entry entry(std::promise<Ending>& ending, std::chrono::nanoseconds deadline,
                             bool abandoned = false) {
  return {deadline, [abandoned] { return abandoned; },
          [&ending](std::chrono::nanoseconds waited) { ending.set_value(waited); },
          [&ending](Error error) { ending.set_value(std::move(error)); }};
}

// A pool whose only thread is busy until released.
struct BusyPool {
  BusyPool() { REQUIRE(pool.try_post([this] { released.get_future().wait(); })); }
  ~BusyPool() { release(); }
  void release() {
    if (!std::exchange(done, true)) released.set_value();
  }
  std::promise<void> released;
  bool done = false;
  base::ThreadPool pool{"test", 1, 100};
};

}  // namespace

TEST_CASE("query queue: waiting counts against the timeout, and ends with it", "[api]") {
  base::FakeClock clock{1'000};
  std::promise<Ending> late, patient, deserted;
  BusyPool busy;
  api::QueryQueue queue(busy.pool, clock, 10);
  queue.submit(entry(late, clock.monotonic() + 2s));
  queue.submit(entry(patient, clock.monotonic() + 10s));
  queue.submit(entry(deserted, clock.monotonic() + 10s, true));
  clock.advance(3s);
  queue.sweep();
  const Ending refused = late.get_future().get();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kTimeout);
  CHECK(refused.error().message() == "query timed out in query queue");
  CHECK(deserted.get_future().get().error().code() == ErrorCode::kCanceled);
  busy.release();
  CHECK(patient.get_future().get().value() == 3s);
}

TEST_CASE("query queue: a full one refuses and names the limit; leaving makes room", "[api]") {
  base::FakeClock clock{1'000};
  std::promise<Ending> first, second, third;
  BusyPool busy;
  api::QueryQueue queue(busy.pool, clock, 1);
  queue.submit(entry(first, clock.monotonic() + 2s));
  queue.submit(entry(second, clock.monotonic() + 2s));
  const Ending refused = second.get_future().get();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kUnavailable);
  CHECK_THAT(refused.error().message(), Catch::Contains("--query.max-queued=1"));
  clock.advance(2s);
  queue.sweep();
  CHECK_FALSE(first.get_future().get().ok());
  queue.submit(entry(third, clock.monotonic() + 2s));
  busy.release();
  CHECK(third.get_future().get().ok());
}

TEST_CASE("query queue: what was short goes before what was not, or is new, but not for ever",
          "[api]") {
  constexpr std::uint64_t kLong = 1, kBrief = 2, kNew = 3;
  base::FakeClock clock{1'000};
  std::vector<std::uint64_t> order;
  std::promise<void> first_done, all_done;
  BusyPool busy;
  api::QueryQueue queue(busy.pool, clock, 100);
  const auto submit = [&](std::uint64_t kind, std::size_t of, std::promise<void>& done) {
    queue.submit({clock.monotonic() + 1h, [] { return false; },
                  [&order, &clock, &done, kind, of](std::chrono::nanoseconds) {
                    order.push_back(kind);
                    if (kind == kLong) clock.advance(1s);
                    if (order.size() == of) done.set_value();
                  },
                  [](const Error&) {}, kind});
  };
  submit(kLong, 2, first_done);
  submit(kBrief, 2, first_done);
  busy.release();
  first_done.get_future().wait();
  CHECK(order == std::vector<std::uint64_t>{kLong, kBrief});  // nothing was known yet

  std::promise<void> released;
  REQUIRE(busy.pool.try_post([&released] { released.get_future().wait(); }));
  order.clear();
  const std::size_t brief = 2 * api::QueryQueue::kAheadMax + 1;
  submit(kLong, brief + 2, all_done);
  submit(kNew, brief + 2, all_done);
  for (std::size_t i = 0; i < brief; ++i) submit(kBrief, brief + 2, all_done);
  released.set_value();
  all_done.get_future().wait();
  std::vector<std::uint64_t> wanted;
  for (const std::uint64_t patient : {kLong, kNew}) {
    wanted.insert(wanted.end(), api::QueryQueue::kAheadMax, kBrief);
    wanted.push_back(patient);
  }
  wanted.push_back(kBrief);
  CHECK(order == wanted);
}

TEST_CASE("query queue: who need not wait runs on its own thread, as one of the pool's", "[api]") {
  base::FakeClock clock{1'000};
  std::vector<std::function<void()>> here;  // what the thread has been given to do soon
  const api::QueryQueue::Runner runner = [&here](std::function<void()>& work) {
    here.push_back(std::move(work));
    return true;
  };
  std::promise<Ending> first, second;
  base::ThreadPool pool{"test", 1, 100};
  api::QueryQueue queue(pool, clock, 10);
  queue.submit(entry(first, clock.monotonic() + 2s), runner);
  REQUIRE(here.size() == 1);
  clock.advance(1s);

  SECTION("the next one finds the pool busy and waits, until the first is done") {
    queue.submit(entry(second, clock.monotonic() + 2s), runner);
    CHECK(here.size() == 1);
    auto waiting = second.get_future();
    CHECK(waiting.wait_for(0s) == std::future_status::timeout);
    std::exchange(here[0], nullptr)();
    CHECK(first.get_future().get().value() == 1s);
    CHECK(waiting.get().ok());
  }
  SECTION("its time may be over before it runs") {
    clock.advance(1s);
    std::exchange(here[0], nullptr)();
    CHECK(first.get_future().get().error().code() == ErrorCode::kTimeout);
    queue.submit(entry(second, clock.monotonic() + 2s), runner);
    CHECK(here.size() == 2);
    std::exchange(here[1], nullptr)();
    CHECK(second.get_future().get().ok());
  }
  SECTION("a thread that cannot leaves it to the pool") {
    std::exchange(here[0], nullptr)();
    queue.submit(entry(second, clock.monotonic() + 2s),
                 [](std::function<void()>&) { return false; });
    CHECK(second.get_future().get().ok());
  }
}

TEST_CASE("single flight: identical queries get one result, as long as one of them stays",
          "[api]") {
  api::SingleFlight flights;
  std::vector<api::SingleFlight::Outcome> delivered;
  bool first_gone = false;
  bool second_gone = false;
  const auto caller = [&delivered](const bool& gone) {
    return api::SingleFlight::Caller{
        [&gone] { return gone; },
        [&delivered](const api::SingleFlight::Outcome& outcome) { delivered.push_back(outcome); }};
  };
  const auto flight = flights.join("a", caller(first_gone));
  REQUIRE(flight);
  REQUIRE_FALSE(flights.join("a", caller(second_gone)));
  CHECK(flights.join("b", caller(first_gone)));
  first_gone = true;
  CHECK_FALSE(flights.abandoned(flight));

  SECTION("one has gone: both are served all the same") {
    flights.finish(flight, QueryResult());
    REQUIRE(delivered.size() == 2);
    CHECK(delivered[0] == delivered[1]);
    CHECK(flights.join("a", caller(second_gone)));
  }
  SECTION("both have gone: who comes now starts anew, and keeps its flight") {
    second_gone = true;
    CHECK(flights.abandoned(flight));
    bool stays = false;
    CHECK(flights.join("a", caller(stays)));
    flights.finish(flight, Error(ErrorCode::kCanceled, "canceled"));
    CHECK_FALSE(flights.join("a", caller(stays)));
  }
  SECTION("without a key nothing is shared") {
    CHECK(flights.join("", caller(second_gone)));
    CHECK(flights.join("", caller(second_gone)));
  }
}
