// SPDX-License-Identifier: Apache-2.0
#include "api/live_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "api/live_event.h"
#include "api/services.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/db.h"

namespace varve::api {
namespace {

// Past this many steps a client had better read the range again than have them pushed.
constexpr std::int64_t kCatchUpStepsMax = 500;
// Past this many steps without an answer a query that fails is asked for its newest step alone:
// what is too much for it must not grow, nor may one bad step stand in its way for long.
constexpr std::int64_t kFailedStepsMax = 10;
// What falls due may fill so much of the queue of queries; the rest is for others.
constexpr std::size_t kQueueShare = 4;
// A larger event would be most of a viewer's memory; the range is to be polled then.
constexpr std::size_t kEventMaxBytes = LiveViewer::kPendingMaxBytes / 2;
// How long after its time a step is evaluated: the scrapes of its time are in by then.
constexpr std::int64_t kSettleMaxMs = 500;
// How often a query with short steps is evaluated, several steps at once.
constexpr std::chrono::seconds kEvaluationsApart{1};
constexpr std::chrono::seconds kHeartbeatEvery{15};
// The hub's thread looks at the clock so often while anybody watches.
constexpr std::chrono::milliseconds kTickEvery{100};

}  // namespace

struct LiveHub::Feed {
  struct Member {
    std::weak_ptr<LiveViewer> viewer;
    std::size_t number;  // of the query in the viewer's request
  };

  Feed(storage::Db& db, LiveQuery live_query) : storage(db), query(std::move(live_query)) {}

  storage::Db& storage;
  const LiveQuery query;
  // Guarded by the hub's mutex.
  std::vector<Member> members;
  Timestamp evaluated_to_ms = 0;
  Timestamp tried_to_ms = 0;  // the same, or later if the last evaluation failed
  // On the clock's monotonic axis: when the last evaluation began, and when the next one may.
  std::chrono::nanoseconds begun{0}, rests_until{0};
  bool failing = false;  // the last evaluation did
  bool busy = false;
  // Touched by the one evaluation at a time: the points at evaluated_to_ms.
  std::shared_ptr<const QueryResult> before;

  std::int64_t settle_ms() const { return std::min(query.step_ms / 4, kSettleMaxMs); }
  Timestamp due_step(Timestamp now_ms) const { return query.step_at(now_ms - settle_ms()); }
};

LiveHub::LiveHub(QueryQueue& queue, const Services& services, const Limits& limits)
    : queue_(queue),
      services_(services),
      viewers_max_(limits.live_viewers_max),
      queries_max_(limits.live_queries_max),
      under_way_max_(std::max<std::size_t>(limits.queries_queued_max / kQueueShare, 1)),
      viewers_(services.metrics->gauge("varve_live_viewers", "Open streams of live queries.")),
      queries_(services.metrics->gauge("varve_live_queries",
                                       "Different live queries that somebody looks at.")),
      evaluations_(services.metrics->counter("varve_live_evaluations_total",
                                             "Evaluations of live queries, each for all viewers.")),
      reloads_(services.metrics->counter(
          "varve_live_reloads_total",
          "Times a viewer of live queries was told to read a range anew: too far behind.")),
      event_bytes_(services.metrics->counter(
          "varve_live_event_bytes_total",
          "Bytes of points made for live queries, counted once however many viewers get them.")),
      heartbeat_(services.clock->monotonic()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

LiveHub::~LiveHub() {
  stop();
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return under_way_ == 0; });
}

void LiveHub::stop() {
  std::vector<ViewerPtr> viewers;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    feeds_.clear();
    for (const auto& weak : all_viewers_) {
      if (ViewerPtr viewer = weak.lock()) viewers.push_back(std::move(viewer));
    }
  }
  for (const ViewerPtr& viewer : viewers) viewer->end();
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void LiveHub::run(const std::stop_token& stop) {
  base::name_this_thread("live");
  std::unique_lock lock(mutex_);
  while (arrived_.wait(lock, stop, [this] { return !all_viewers_.empty() && !stopped_; })) {
    arrived_.wait_for(lock, stop, kTickEvery, [] { return false; });
    if (stop.stop_requested()) return;
    lock.unlock();
    tick();
    lock.lock();
  }
}

// What the engine would refuse at every step is refused at once.
Status LiveHub::check(const LiveQuery& query) const {
  auto parsed = promql::parse(query.expression, services_.engine->options().features);
  if (!parsed.ok()) return std::move(parsed).error().with("invalid parameter \"query\"");
  const promql::ValueType type = (*parsed)->type();
  if (type == promql::ValueType::kVector || type == promql::ValueType::kScalar) return {};
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("invalid parameter \"query\": invalid expression type \"{}\" for a live "
                           "query, must be Scalar or instant Vector",
                           promql::documented_name(type)));
}

Result<http::Response> LiveHub::subscribe(storage::Db& storage, std::vector<LiveQuery> queries) {
  for (const LiveQuery& query : queries) VARVE_TRY(check(query));
  struct Behind {
    FeedPtr feed;
    std::size_t number;
    Timestamp after_ms;
    Timestamp to_ms;
  };
  std::vector<std::string> keys;
  for (const LiveQuery& query : queries) {
    keys.push_back(fmt::format("{} {} {} {}", query.step_ms, query.phase_ms,
                               query.lookback.count(), query.expression));
  }
  std::vector<Behind> behind;
  ViewerPtr viewer;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return Error(ErrorCode::kUnavailable, "shutting down");
    purge();
    if (load_->viewers.load() >= viewers_max_) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} live streams are open, no more are possible", viewers_max_));
    }
    std::unordered_set<std::string_view> fresh;
    for (const std::string& key : keys) {
      if (!feeds_.contains(key)) fresh.insert(key);
    }
    if (feeds_.size() + fresh.size() > queries_max_) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} live queries are open, no more than {} are possible",
                               feeds_.size(), queries_max_));
    }
    const Timestamp now_ms = services_.clock->now_ms();
    std::vector<FeedPtr> feeds;
    std::vector<Timestamp> sent_to_ms;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      LiveQuery& query = queries[i];
      const std::optional<Timestamp> after_ms = query.after_ms;
      query.after_ms.reset();
      FeedPtr& feed = feeds_[keys[i]];
      if (!feed) {
        feed = std::make_shared<Feed>(storage, std::move(query));
        feed->evaluated_to_ms = feed->tried_to_ms = feed->due_step(now_ms);
      }
      feeds.push_back(feed);
      sent_to_ms.push_back(after_ms.value_or(feed->evaluated_to_ms));
      if (sent_to_ms.back() < feed->evaluated_to_ms) {
        behind.push_back({feed, i, sent_to_ms.back(), feed->evaluated_to_ms});
      }
    }
    viewer = std::make_shared<LiveViewer>(load_, sent_to_ms);
    for (std::size_t i = 0; i < feeds.size(); ++i) feeds[i]->members.push_back({viewer, i});
    all_viewers_.push_back(viewer);
    viewers_.set(static_cast<double>(load_->viewers.load()));
    queries_.set(static_cast<double>(feeds_.size()));
    arrived_.notify_one();
  }
  for (const Behind& b : behind) catch_up(b.feed, viewer, b.number, b.after_ms, b.to_ms);
  http::Response response;
  response.headers = {{"Content-Type", "text/event-stream"},
                      {"Cache-Control", "no-store"},
                      {"X-Accel-Buffering", "no"}};  // nginx would keep events back
  response.next_piece = [viewer](std::string& piece) { return viewer->next(piece); };
  response.wait = [viewer](std::function<void()> wake) { viewer->wait(std::move(wake)); };
  return response;
}

// Precondition: mutex_ is held.
void LiveHub::purge() {
  std::erase_if(all_viewers_, [](const auto& viewer) { return viewer.expired(); });
  for (auto at = feeds_.begin(); at != feeds_.end();) {
    std::erase_if(at->second->members, [](const auto& member) { return member.viewer.expired(); });
    at = at->second->members.empty() ? feeds_.erase(at) : std::next(at);
  }
  viewers_.set(static_cast<double>(load_->viewers.load()));
  queries_.set(static_cast<double>(feeds_.size()));
}

// What is to be evaluated now, no more than may be under way, and longest due first: the rest stays
// due. Precondition: mutex_ is held.
std::vector<std::pair<LiveHub::FeedPtr, Timestamp>> LiveHub::take_due() {
  const Timestamp now_ms = services_.clock->now_ms();
  const std::chrono::nanoseconds now = services_.clock->monotonic();
  std::vector<std::pair<FeedPtr, Timestamp>> due;
  for (const auto& [key, feed] : feeds_) {
    const Timestamp to_ms = feed->due_step(now_ms);
    // Also where the clock was set back: steps that were tried already are not tried again.
    if (feed->busy || to_ms <= feed->tried_to_ms || now < feed->rests_until) continue;
    due.emplace_back(feed, to_ms);
  }
  const std::size_t room = under_way_max_ - std::min(under_way_max_, under_way_);
  if (due.size() > room) {
    const auto since_ms = [](const Feed& feed) { return feed.tried_to_ms + feed.query.step_ms; };
    const auto end = due.begin() + static_cast<std::ptrdiff_t>(room);
    std::nth_element(due.begin(), end, due.end(), [&](const auto& a, const auto& b) {
      return since_ms(*a.first) < since_ms(*b.first);
    });
    due.erase(end, due.end());
  }
  for (const auto& [feed, to_ms] : due) {
    feed->busy = true;
    feed->tried_to_ms = to_ms;
    feed->begun = now;
    feed->rests_until = now + kEvaluationsApart;
  }
  return due;
}

void LiveHub::tick() {
  std::vector<std::pair<FeedPtr, Timestamp>> due;
  std::vector<ViewerPtr> idle;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    purge();
    // Read first: a heartbeat says that what was due at its time has been looked at.
    const std::chrono::nanoseconds now = services_.clock->monotonic();
    due = take_due();
    if (now - heartbeat_ >= kHeartbeatEvery) {
      heartbeat_ = now;
      for (const auto& weak : all_viewers_) {
        if (ViewerPtr viewer = weak.lock()) idle.push_back(std::move(viewer));
      }
    }
  }
  for (const auto& [feed, to_ms] : due) begin(feed, to_ms);
  for (const ViewerPtr& viewer : idle) viewer->push_heartbeat();
}

// One evaluation at the priority of any other query. Exactly one call of `done`.
void LiveHub::submit(storage::Db& storage, const LiveQuery& query, Timestamp from_ms,
                     Timestamp to_ms, bool cached, std::function<bool()> abandoned,
                     std::function<void(Result<QueryResult>)> done) {
  const std::chrono::milliseconds timeout = services_.engine->options().timeout;
  {
    const std::lock_guard lock(mutex_);
    ++under_way_;
  }
  // Nothing of the hub is touched after its last line.
  const auto end = [this, done = std::move(done)](Result<QueryResult> result) {
    done(std::move(result));
    const std::lock_guard lock(mutex_);
    --under_way_;
    ended_.notify_all();
  };
  const auto evaluate = [this, &storage, query, from_ms, to_ms, cached, abandoned,
                         end](std::chrono::nanoseconds waited) {
    promql::QueryParams params;
    params.max_source_resolution_ms = storage::kSourceAuto;
    params.lookback_delta = query.lookback;
    params.queued = waited;
    params.canceled = abandoned;
    if (cached) params.cache = services_.range_cache;
    evaluations_.add();
    end(services_.engine->range(storage, query.expression, from_ms, to_ms, query.step_ms, params));
  };
  queue_.submit({services_.clock->monotonic() + timeout, abandoned, evaluate,
                 [end](Error error) { end(std::move(error)); }});
}

void LiveHub::begin(const FeedPtr& feed, Timestamp to_ms) {
  // busy keeps the feed as it is.
  const std::int64_t step_ms = feed->query.step_ms;
  const std::int64_t steps = (to_ms - feed->evaluated_to_ms) / step_ms;
  const bool gives_up = feed->failing && steps > kFailedStepsMax;
  if (!gives_up && steps > kCatchUpStepsMax) return skip(feed, to_ms);
  // Else with the last step that is known, whose points late samples may have changed.
  const Timestamp from_ms = gives_up ? to_ms : feed->evaluated_to_ms;
  const auto abandoned = [this, feed] {
    const std::lock_guard lock(mutex_);
    return stopped_ || std::all_of(feed->members.begin(), feed->members.end(),
                                   [](const auto& member) { return member.viewer.expired(); });
  };
  submit(feed->storage, feed->query, from_ms, to_ms, false, abandoned,
         [this, feed, from_ms, to_ms](Result<QueryResult> result) {
           finish(feed, from_ms, to_ms, std::move(result));
         });
}

// The clock has jumped, or the machine slept.
void LiveHub::skip(const FeedPtr& feed, Timestamp to_ms) {
  feed->before = nullptr;
  for (const auto& [viewer, number] : release(feed, to_ms, false)) {
    reloads_.add();
    viewer->push_reload(number, to_ms);
  }
}

void LiveHub::finish(const FeedPtr& feed, Timestamp from_ms, Timestamp to_ms,
                     Result<QueryResult> result) {
  if (result.ok() && from_ms != feed->evaluated_to_ms) {
    // It answers again; the steps between have been given up.
    feed->before = std::make_shared<const QueryResult>(std::move(result).value());
    for (const auto& [viewer, number] : release(feed, to_ms, false)) {
      reloads_.add();
      viewer->push_reload(number, to_ms);
    }
    return;
  }
  if (result.ok()) {
    auto points =
        live_points(*result, feed->before ? &std::get<Matrix>(feed->before->value) : nullptr,
                    from_ms, to_ms, feed->query.step_ms, kEventMaxBytes);
    if (points) {
      event_bytes_.add(static_cast<double>(points->size()));
      feed->before = std::make_shared<const QueryResult>(std::move(result).value());
      const auto text = std::make_shared<const std::string>(std::move(*points));
      for (const auto& [viewer, number] : release(feed, to_ms, false)) {
        viewer->push_points(number, from_ms, to_ms, text);
      }
      return;
    }
    result = Error(ErrorCode::kLimitExceeded,
                   fmt::format("the new points are more than {} bytes: too many to be pushed",
                               kEventMaxBytes));
  }
  // The next evaluation, at its next step, takes the steps of this one with it.
  const auto text = std::make_shared<const std::string>(live_failure(result.error()));
  for (const auto& [viewer, number] : release(feed, feed->evaluated_to_ms, true)) {
    viewer->push_failure(number, text);
  }
}

// The end of an evaluation: who is to be told.
std::vector<std::pair<LiveHub::ViewerPtr, std::size_t>> LiveHub::release(const FeedPtr& feed,
                                                                         Timestamp evaluated_to_ms,
                                                                         bool failed) {
  std::vector<std::pair<ViewerPtr, std::size_t>> viewers;
  const std::lock_guard lock(mutex_);
  for (const auto& member : feed->members) {
    if (ViewerPtr viewer = member.viewer.lock())
      viewers.emplace_back(std::move(viewer), member.number);
  }
  feed->evaluated_to_ms = evaluated_to_ms;
  feed->failing = failed;
  // What failed rests as long as it took: one that runs into its timeout has half the time at most.
  const std::chrono::nanoseconds now = services_.clock->monotonic();
  if (failed) feed->rests_until = std::max(feed->rests_until, now + (now - feed->begun));
  feed->busy = false;
  return viewers;
}

// The steps that a viewer misses when it comes, for it alone. They may arrive after newer ones,
// which both can tell by `from`.
void LiveHub::catch_up(const FeedPtr& feed, const ViewerPtr& viewer, std::size_t query,
                       Timestamp after_ms, Timestamp to_ms) {
  const std::int64_t step_ms = feed->query.step_ms;
  if ((to_ms - after_ms) / step_ms > kCatchUpStepsMax) {
    reloads_.add();
    return viewer->push_reload(query, to_ms);
  }
  const std::weak_ptr<LiveViewer> weak = viewer;
  submit(feed->storage, feed->query, after_ms + step_ms, to_ms, true,
         [weak] { return weak.expired(); },
         [weak, query, after_ms, to_ms, step_ms](Result<QueryResult> result) {
           const ViewerPtr waiting = weak.lock();
           if (!waiting) return;
           if (!result.ok()) {
             return waiting->push_failure(
                 query, std::make_shared<const std::string>(live_failure(result.error())));
           }
           auto points = live_points(*result, nullptr, after_ms, to_ms, step_ms, kEventMaxBytes);
           if (!points) return waiting->push_reload(query, to_ms);
           waiting->push_points(query, after_ms, to_ms,
                                std::make_shared<const std::string>(std::move(*points)));
         });
}

}  // namespace varve::api
