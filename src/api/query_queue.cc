// SPDX-License-Identifier: Apache-2.0
#include "api/query_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/thread_pool.h"

namespace varve::api {
namespace {

// How late a refusal may be.
constexpr std::chrono::milliseconds kSweepEvery{50};
// Of so many kinds it is remembered how long they took; more push each other out.
constexpr std::size_t kKindsRemembered = 1024;

}  // namespace

// The pool gets a token per entry, not the entry: a token runs whoever is first then.
// There are never fewer tokens than entries, and no more than were once needed.
struct QueryQueue::State {
  struct Waiting {
    Entry entry;
    std::chrono::nanoseconds since;
  };

  State(base::ThreadPool& query_pool, const base::Clock& query_clock, std::size_t most)
      : pool(query_pool), clock(query_clock), waiting_max(most) {}

  base::ThreadPool& pool;
  const base::Clock& clock;
  const std::size_t waiting_max;
  std::mutex mutex;  // guards what follows; taken before the pool's
  std::condition_variable_any arrived;
  std::list<Waiting> waiting;
  std::size_t tokens = 0;
  std::size_t gone_ahead = 0;  // of the first of `waiting`, in a row
  struct Took {
    std::uint64_t kind = 0;
    std::chrono::nanoseconds time{0};
  };
  std::vector<Took> took = std::vector<Took>(kKindsRemembered);

  bool known_short(const Waiting& turn) const {
    const Took& last = took[turn.entry.kind % kKindsRemembered];
    return turn.entry.kind != 0 && last.kind == turn.entry.kind && last.time <= kShort;
  }
  // Precondition: somebody waits.
  std::list<Waiting>::iterator next() {
    if (gone_ahead < kAheadMax) {
      const auto found = std::find_if(waiting.begin(), waiting.end(),
                                      [this](const Waiting& turn) { return known_short(turn); });
      if (found != waiting.end() && found != waiting.begin()) {
        ++gone_ahead;
        return found;
      }
    }
    gone_ahead = 0;
    return waiting.begin();
  }
  void remember(std::uint64_t kind, std::chrono::nanoseconds time) {
    if (kind == 0) return;
    const std::lock_guard lock(mutex);
    Took& last = took[kind % kKindsRemembered];
    // Once broken off early, by a client that has lost patience, a long one is not short.
    last = {kind, last.kind == kind ? std::max(time, last.time / 2) : time};
  }

  void run_first() {
    std::optional<Waiting> first;
    {
      const std::lock_guard lock(mutex);
      --tokens;
      if (waiting.empty()) return;  // it was refused meanwhile
      const auto taken = next();
      first = std::move(*taken);
      waiting.erase(taken);
    }
    run(*first);
  }

  void run(Waiting& turn) {
    const std::chrono::nanoseconds now = clock.monotonic();
    if (std::optional<Error> over = reason_to_leave(turn.entry, now)) {
      return turn.entry.refuse(std::move(*over));
    }
    // The last resort, such as for memory that is not there: the query fails, not the process.
    try {
      turn.entry.run(now - turn.since);
      remember(turn.entry.kind, clock.monotonic() - now);
    } catch (const std::exception& exception) {
      turn.entry.refuse(
          Error(ErrorCode::kInternal, fmt::format("the query failed: {}", exception.what())));
    }
  }

  static std::optional<Error> reason_to_leave(const Entry& entry, std::chrono::nanoseconds now) {
    if (now >= entry.deadline) {
      return Error(ErrorCode::kTimeout, "query timed out in query queue");
    }
    if (entry.abandoned && entry.abandoned()) {
      return Error(ErrorCode::kCanceled, "query was canceled in query queue");
    }
    return std::nullopt;
  }
};

// The calling thread's part in the pool, for one entry.
class QueryQueue::Guest {
 public:
  // Null where all threads of the pool have something to do.
  static std::shared_ptr<Guest> join(const std::shared_ptr<State>& state) {
    auto guest = std::make_shared<Guest>(state);
    guest->joined_ = state->pool.try_join();
    return guest->joined_ ? guest : nullptr;
  }
  explicit Guest(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~Guest() {
    if (joined_) state_->pool.leave();
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  State::Waiting turn;
  void run() { state_->run(turn); }

 private:
  const std::shared_ptr<State> state_;
  bool joined_ = false;
};

QueryQueue::QueryQueue(base::ThreadPool& pool, const base::Clock& clock, std::size_t waiting_max)
    : state_(std::make_shared<State>(pool, clock, waiting_max)),
      watch_([this](const std::stop_token& stop) {
        base::name_this_thread("query-queue");
        State& state = *state_;
        std::unique_lock lock(state.mutex);
        while (state.arrived.wait(lock, stop, [&state] { return !state.waiting.empty(); })) {
          state.arrived.wait_for(lock, stop, kSweepEvery, [] { return false; });
          lock.unlock();
          sweep();
          lock.lock();
          if (stop.stop_requested()) return;
        }
      }) {}

QueryQueue::~QueryQueue() = default;

void QueryQueue::submit(Entry entry, const Runner& here) {
  if (const auto guest = here ? Guest::join(state_) : nullptr) {
    guest->turn = {std::move(entry), state_->clock.monotonic()};
    std::function<void()> work = [guest] { guest->run(); };
    if (here(work)) return;
    entry = std::move(guest->turn.entry);
  }
  std::list<State::Waiting> arriving;
  arriving.push_back({std::move(entry), state_->clock.monotonic()});
  {
    // Held as shortly as can be: the thread that is woken below wants it.
    const std::lock_guard lock(state_->mutex);
    bool full = state_->waiting.size() >= state_->waiting_max;
    if (!full && state_->tokens <= state_->waiting.size()) {
      full = !state_->pool.try_post([state = state_] { state->run_first(); });
      if (!full) ++state_->tokens;
    }
    if (!full) state_->waiting.splice(state_->waiting.end(), arriving);
  }
  if (!arriving.empty()) {
    return arriving.front().entry.refuse(Error(
        ErrorCode::kUnavailable,
        fmt::format("too many queries are waiting (--query.max-queued={}); try again later",
                    state_->waiting_max)));
  }
  // Whoever is taken at once need not be watched: waking the watcher costs more than a small query.
  if (!state_->pool.keeps_up()) state_->arrived.notify_one();
}

void QueryQueue::sweep() {
  std::list<State::Waiting> leaving;
  std::vector<Error> reasons;
  {
    const std::lock_guard lock(state_->mutex);
    const std::chrono::nanoseconds now = state_->clock.monotonic();
    for (auto at = state_->waiting.begin(); at != state_->waiting.end();) {
      const auto here = at++;
      if (auto reason = State::reason_to_leave(here->entry, now)) {
        reasons.push_back(std::move(*reason));
        leaving.splice(leaving.end(), state_->waiting, here);
      }
    }
  }
  std::size_t i = 0;
  for (State::Waiting& gone : leaving) gone.entry.refuse(std::move(reasons[i++]));
}

}  // namespace varve::api
