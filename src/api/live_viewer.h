// SPDX-License-Identifier: Apache-2.0
// One client of the live endpoint: the events it has not been sent yet. A client that reads too
// slowly loses them and is told to read its ranges anew; nothing waits for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/live_event.h"
#include "varve/sample.h"

namespace varve::api {

// What all viewers together hold. Shared, as connections may outlive the hub.
struct LiveLoad {
  std::atomic<std::size_t> viewers{0};
  std::atomic<std::size_t> pending_bytes{0};  // a text counts once for each who waits for it
};

// Thread-safe: pushed to by evaluations, read by the connection's I/O thread. Owned by the
// response.
class LiveViewer {
 public:
  // Most bytes that one viewer, and that all together, may leave unread.
  static constexpr std::size_t kPendingMaxBytes = std::size_t{4} << 20;
  static constexpr std::size_t kPendingTotalMaxBytes = std::size_t{64} << 20;

  // `sent_to_ms`: up to which step the client has the points of each query.
  LiveViewer(std::shared_ptr<LiveLoad> load, const std::vector<Timestamp>& sent_to_ms);
  ~LiveViewer();
  LiveViewer(const LiveViewer&) = delete;
  LiveViewer& operator=(const LiveViewer&) = delete;

  // All points of query number `query` after `after_ms`, up to and including `to_ms`.
  void push_points(std::size_t query, Timestamp after_ms, Timestamp to_ms, const LiveText& text);
  void push_failure(std::size_t query, const LiveText& text);
  // The client has to read the range of this query itself: it is too far behind.
  void push_reload(std::size_t query, Timestamp to_ms);
  // Something to show that the connection lives, unless something else waits already.
  void push_heartbeat();
  // After what is pending the stream ends.
  void end();

  // The functions of a response (http::Response): the next piece, and the wait for it.
  bool next(std::string& piece);
  void wait(std::function<void()> wake);

 private:
  struct Pending {
    std::string head;
    LiveText text;  // may be null

    std::size_t bytes() const { return head.size() + (text ? text->size() : 0); }
  };
  // The steps of a query after one and up to another.
  struct Steps {
    Timestamp after_ms, to_ms;
  };
  // What the client has been sent of a query.
  struct Sent {
    Timestamp to_ms = 0;         // all steps up to here
    std::optional<Steps> ahead;  // and these, which came before those between

    void add(Steps steps);
  };
  void push(std::size_t query, std::string_view event, std::optional<Steps> steps,
            const LiveText& text);
  void drop_all();

  const std::shared_ptr<LiveLoad> load_;
  std::mutex mutex_;  // guards what follows
  std::vector<Sent> sent_;  // by query
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
  bool ended_ = false;
  std::function<void()> wake_;
};

}  // namespace varve::api
