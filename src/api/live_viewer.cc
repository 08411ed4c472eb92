// SPDX-License-Identifier: Apache-2.0
#include "api/live_viewer.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace varve::api {
namespace {

// What one write to the socket takes, roughly.
constexpr std::size_t kPieceBytes = 64 << 10;

}  // namespace

// Points of the evaluations of a query follow each other without a gap; only those that the client
// missed before it came may be late.
void LiveViewer::Sent::add(Steps steps) {
  if (steps.after_ms > to_ms) {
    ahead = {ahead ? ahead->after_ms : steps.after_ms, steps.to_ms};
    return;
  }
  to_ms = std::max(to_ms, steps.to_ms);
  if (ahead && ahead->after_ms <= to_ms) {
    to_ms = std::max(to_ms, ahead->to_ms);
    ahead.reset();
  }
}

LiveViewer::LiveViewer(std::shared_ptr<LiveLoad> load, const std::vector<Timestamp>& sent_to_ms)
    : load_(std::move(load)) {
  for (const Timestamp to_ms : sent_to_ms) sent_.push_back({to_ms, std::nullopt});
  load_->viewers.fetch_add(1);
  // At once, so that the client sees the stream begin; and how long to wait before it comes back.
  pending_.push_back({"retry: 3000\n: live\n\n", nullptr});
}

LiveViewer::~LiveViewer() {
  load_->viewers.fetch_sub(1);
  load_->pending_bytes.fetch_sub(pending_bytes_);
}

void LiveViewer::push_points(std::size_t query, Timestamp after_ms, Timestamp to_ms,
                             const LiveText& text) {
  push(query, "points", Steps{after_ms, to_ms}, text);
}

void LiveViewer::push_failure(std::size_t query, const LiveText& text) {
  push(query, "failed", std::nullopt, text);
}

void LiveViewer::push_reload(std::size_t query, Timestamp to_ms) {
  static const LiveText kEnd = std::make_shared<const std::string>("}");
  push(query, "reload", Steps{std::numeric_limits<Timestamp>::min(), to_ms}, kEnd);
}

void LiveViewer::push(std::size_t query, std::string_view event, std::optional<Steps> steps,
                      const LiveText& text) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    std::optional<Timestamp> id;
    if (steps) {
      sent_[query].add(*steps);
      id = std::min_element(sent_.begin(), sent_.end(), [](const Sent& a, const Sent& b) {
             return a.to_ms < b.to_ms;
           })->to_ms;
    }
    Pending next{live_head(event, query, id), text};
    const std::size_t bytes = next.bytes();
    if (pending_bytes_ + bytes > kPendingMaxBytes ||
        load_->pending_bytes.load() + bytes > kPendingTotalMaxBytes) {
      drop_all();
      for (std::size_t i = 0; i < sent_.size(); ++i) {
        pending_.push_back({live_head("reload", i, std::nullopt) + "}\n\n", nullptr});
      }
    } else {
      pending_bytes_ += bytes;
      load_->pending_bytes.fetch_add(bytes);
      pending_.push_back(std::move(next));
    }
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

void LiveViewer::push_heartbeat() {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || !pending_.empty()) return;
    pending_.push_back({": still here\n\n", nullptr});
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

void LiveViewer::end() {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    wake = std::exchange(wake_, nullptr);
  }
  if (wake) wake();
}

void LiveViewer::drop_all() {
  load_->pending_bytes.fetch_sub(pending_bytes_);
  pending_bytes_ = 0;
  pending_.clear();
}

bool LiveViewer::next(std::string& piece) {
  const std::lock_guard lock(mutex_);
  while (!pending_.empty() && piece.size() < kPieceBytes) {
    const Pending& first = pending_.front();
    piece += first.head;
    if (first.text) {
      piece += *first.text;
      piece += "\n\n";
      pending_bytes_ -= first.bytes();
      load_->pending_bytes.fetch_sub(first.bytes());
    }
    pending_.pop_front();
  }
  return !(ended_ && pending_.empty());
}

void LiveViewer::wait(std::function<void()> wake) {
  {
    const std::lock_guard lock(mutex_);
    if (pending_.empty() && !ended_) {
      wake_ = std::move(wake);
      return;
    }
  }
  wake();
}

}  // namespace varve::api
