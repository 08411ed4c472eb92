// SPDX-License-Identifier: Apache-2.0
#include "api/single_flight.h"

#include <algorithm>
#include <utility>

namespace varve::api {

SingleFlight::FlightPtr SingleFlight::join(std::string_view key, Caller caller) {
  const auto start = [&] {
    auto flight = std::make_shared<Flight>();
    flight->key = key;
    flight->callers.push_back(std::move(caller));
    return flight;
  };
  if (key.empty()) return start();
  const std::lock_guard lock(mutex_);
  FlightPtr& known = flights_[std::string(key)];
  if (known) {
    const std::lock_guard flight_lock(known->mutex);
    if (!known->closed) {
      known->callers.push_back(std::move(caller));
      return nullptr;
    }
  }
  return known = start();
}

bool SingleFlight::abandoned(const FlightPtr& flight) {
  {
    const std::lock_guard lock(flight->mutex);
    if (!std::all_of(flight->callers.begin(), flight->callers.end(),
                     [](const Caller& caller) { return caller.gone(); })) {
      return false;
    }
    flight->closed = true;
  }
  forget(flight);
  return true;
}

void SingleFlight::finish(const FlightPtr& flight, Result<QueryResult> result) {
  std::vector<Caller> callers;
  {
    const std::lock_guard lock(flight->mutex);
    flight->closed = true;
    callers.swap(flight->callers);
  }
  forget(flight);
  const auto outcome = std::make_shared<const Result<QueryResult>>(std::move(result));
  for (const Caller& caller : callers) caller.deliver(outcome);
}

void SingleFlight::forget(const FlightPtr& flight) {
  const std::lock_guard lock(mutex_);
  const auto at = flights_.find(flight->key);
  if (at != flights_.end() && at->second == flight) flights_.erase(at);
}

}  // namespace varve::api
