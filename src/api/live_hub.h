// SPDX-License-Identifier: Apache-2.0
// Live queries: each is evaluated once at every one of its steps, whoever and however many look at
// it, and its new points go to all of them. What the points of a step are is what a range query
// over the step answers at that time; if samples come late, the step before is sent again where
// they have changed it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/live_request.h"
#include "api/live_viewer.h"
#include "api/query_queue.h"
#include "http/server.h"

namespace varve::base {
class Counter;
class Gauge;
}  // namespace varve::base
namespace varve::storage {
class Db;
}

namespace varve::api {

struct Limits;
struct Services;

// Thread-safe. Lock order: the QueryQueue's mutex, under which it asks whether an evaluation is
// abandoned, then mutex_, then a viewer's own. So nothing is submitted under mutex_.
// 1. A query is evaluated by one at a time; what falls due meanwhile is evaluated together next.
// 2. A query that nobody looks at any more is evaluated no more.
// 3. Nothing waits for a viewer, see LiveViewer.
class LiveHub {
 public:
  // All must outlive the hub; the destructor waits for evaluations under way.
  LiveHub(QueryQueue& queue, const Services& services, const Limits& limits);
  ~LiveHub();
  LiveHub(const LiveHub&) = delete;
  LiveHub& operator=(const LiveHub&) = delete;

  // The event stream of these queries. The storage must live until the query pool has ended.
  // kInvalidArgument for an expression that cannot be a range query; kUnavailable if there are too
  // many viewers or queries, or at the end of the server.
  Result<http::Response> subscribe(storage::Db& storage, std::vector<LiveQuery> queries);

  // Evaluates what is due and forgets who has gone. Called by a thread of the hub's own.
  void tick();
  // Ends all streams and takes no more; no evaluation begins after it.
  void stop();

 private:
  struct Feed;
  using FeedPtr = std::shared_ptr<Feed>;
  using ViewerPtr = std::shared_ptr<LiveViewer>;

  void run(const std::stop_token& stop);
  Status check(const LiveQuery& query) const;
  void purge();
  std::vector<std::pair<FeedPtr, Timestamp>> take_due();
  void begin(const FeedPtr& feed, Timestamp to_ms);
  void skip(const FeedPtr& feed, Timestamp to_ms);
  void finish(const FeedPtr& feed, Timestamp from_ms, Timestamp to_ms, Result<QueryResult> result);
  std::vector<std::pair<ViewerPtr, std::size_t>> release(const FeedPtr& feed,
                                                         Timestamp evaluated_to_ms, bool failed);
  void catch_up(const FeedPtr& feed, const ViewerPtr& viewer, std::size_t query, Timestamp after_ms,
                Timestamp to_ms);
  void submit(storage::Db& storage, const LiveQuery& query, Timestamp from_ms, Timestamp to_ms,
              bool cached, std::function<bool()> abandoned,
              std::function<void(Result<QueryResult>)> done);

  QueryQueue& queue_;
  const Services& services_;
  const std::size_t viewers_max_;
  const std::size_t queries_max_;
  const std::size_t under_way_max_;  // of what falls due; catching up is as any query
  const std::shared_ptr<LiveLoad> load_ = std::make_shared<LiveLoad>();
  base::Gauge& viewers_;
  base::Gauge& queries_;
  base::Counter& evaluations_;
  base::Counter& reloads_;
  base::Counter& event_bytes_;

  std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, FeedPtr> feeds_;
  std::vector<std::weak_ptr<LiveViewer>> all_viewers_;
  std::chrono::nanoseconds heartbeat_;  // the last one, or the beginning
  bool stopped_ = false;
  std::size_t under_way_ = 0;  // evaluations that wait or run
  std::condition_variable_any arrived_;
  std::condition_variable ended_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace varve::api
