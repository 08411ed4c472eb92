// SPDX-License-Identifier: Apache-2.0
// One evaluation for identical queries that are under way at the same time: whoever asks for what
// is being evaluated gets the result of the one who asked first. It shows what that one saw:
// samples written while it ran may be missing from it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "varve/query.h"
#include "varve/result.h"

namespace varve::api {

// Thread-safe. Lock order: mutex_, then Flight::mutex.
class SingleFlight {
 public:
  using Outcome = std::shared_ptr<const Result<QueryResult>>;
  struct Caller {
    std::function<bool()> gone;  // has hung up; any thread may ask
    std::function<void(const Outcome& outcome)> deliver;
  };
  struct Flight {
    std::string key;
    std::mutex mutex;  // guards what follows
    std::vector<Caller> callers;
    bool closed = false;  // takes no more callers
  };
  using FlightPtr = std::shared_ptr<Flight>;

  // A new flight, which the caller must bring to finish(); null if it has joined one that is under
  // way, whose outcome it will get. Flights with an empty key are not shared.
  FlightPtr join(std::string_view key, Caller caller);
  // Whether all callers have gone. From then on nobody can join: an identical query starts anew.
  bool abandoned(const FlightPtr& flight);
  // Delivers to all callers, on this thread.
  void finish(const FlightPtr& flight, Result<QueryResult> result);

 private:
  void forget(const FlightPtr& flight);

  std::mutex mutex_;  // guards flights_
  std::unordered_map<std::string, FlightPtr> flights_;
};

}  // namespace varve::api
