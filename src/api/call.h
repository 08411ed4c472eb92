// SPDX-License-Identifier: Apache-2.0
// One API call under way: its parameters, and the ways to answer it in Prometheus's JSON envelope.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/moment.h"
#include "api/query_queue.h"
#include "api/services.h"
#include "api/single_flight.h"
#include "http/server.h"
#include "model/matcher.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::storage {
class Db;
}
namespace varve::scrape {
class Manager;
}
namespace varve::rules {
class Manager;
class Notifier;
}  // namespace varve::rules

namespace varve::api {

class LiveHub;

// Prometheus's errorType words.
enum class ErrorType : std::uint8_t {
  kBadData, kExecution, kTimeout, kCanceled, kInternal, kUnavailable, kNotFound, kNotAcceptable
};

struct ApiError {
  ErrorType type = ErrorType::kInternal;
  std::string message;
};

// The one place where Error codes become HTTP: see http_status().
ApiError to_api_error(const Error& error);
int http_status(ErrorType type);
std::string_view to_string(ErrorType type);

class Call {
 public:
  Call(const Options& call_options, const Services& call_services, QueryQueue& query_queue,
       SingleFlight& query_flights, LiveHub& live_hub, storage::Db* db,
       scrape::Manager* scrape_manager, rules::Manager* rule_manager,
       rules::Notifier* alert_notifier, http::ExchangePtr call_exchange,
       std::vector<std::string> values)
      : options(call_options),
        services(call_services),
        queue(query_queue),
        flights(query_flights),
        live(live_hub),
        storage(db),
        scrape(scrape_manager),
        rules(rule_manager),
        notifier(alert_notifier),
        exchange(std::move(call_exchange)),
        path_values(std::move(values)) {}

  const Options& options;
  const Services& services;
  QueryQueue& queue;
  SingleFlight& flights;
  LiveHub& live;
  storage::Db* const storage;     // null before recovery is done
  scrape::Manager* const scrape;  // null before recovery is done
  rules::Manager* const rules;    // null before recovery is done, or if there are no rules
  rules::Notifier* const notifier;
  const http::ExchangePtr exchange;
  const std::vector<std::string> path_values;  // what the route's placeholders matched

  const http::Request& request() const { return exchange->request(); }

  // Runs work of this call on the thread that handles it (QueryQueue::submit).
  QueryQueue::Runner runner() const {
    return [own = exchange](std::function<void()>& work) { return own->run_after_handler(work); };
  }

  // URL parameters and, for POST, the form body; of the URL's and the body's the body's come first.
  Status parse_parameters();
  // The first value, "" if absent.
  std::string_view parameter(std::string_view name) const;
  bool has_parameter(std::string_view name) const;
  std::vector<std::string_view> parameters(std::string_view name) const;
  const http::FormValues& all_parameters() const { return values_; }

  // A time as unix seconds ("1.5") or RFC 3339; `fallback` if absent.
  Result<Moment> time_parameter(std::string_view name, std::optional<Moment> fallback) const;
  // A duration as seconds or "5m", in milliseconds.
  Result<std::int64_t> duration_parameter(std::string_view name) const;
  // `limit`: 0 means none.
  Result<std::size_t> limit_parameter() const;
  // [start, end] of metadata requests; all of time if absent. Empty if end is before start, which
  // Prometheus answers with nothing found.
  Result<TimeRange> range_parameters() const;
  // match[]: each selector's matchers.
  Result<std::vector<model::Matchers>> match_parameters() const;

  // Ends searches for series on this thread, while it lives, once the client has gone or they take
  // longer than a query may. Ask stopped() after each.
  std::unique_ptr<model::MatchWatch> watch_matching() const;

  void fail(ErrorType type, std::string message) const;
  void fail(const Error& error) const;
  // Answers {"status":"success","data":<json>} with annotations.
  void succeed(std::string data_json, const Annotations& annotations = {}) const;
  void text(int status, std::string body) const;

 private:
  http::FormValues values_;
};

using CallPtr = std::shared_ptr<Call>;

// A duration as seconds or "5m", in milliseconds; errors name the parameter.
Result<std::int64_t> parse_duration_parameter(std::string_view name, std::string_view text);

// ,"warnings":[…],"infos":[…] where there are any.
void append_annotations(std::string& out, const Annotations& annotations);

// `limit` cut a list: the warning Prometheus gives then.
inline constexpr std::string_view kTruncatedWarning = "results truncated due to limit";

}  // namespace varve::api
