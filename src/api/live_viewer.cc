// SPDX-License-Identifier: Apache-2.0
#include "api/live_viewer.h"

#include <algorithm>
#include <utility>

namespace varve::api {
namespace {

// What one write to the socket takes, roughly.
constexpr std::size_t kPieceBytes = 64 << 10;

}  // namespace

LiveViewer::LiveViewer(std::shared_ptr<LiveLoad> load, std::vector<Timestamp> sent_to_ms)
    : load_(std::move(load)), sent_to_ms_(std::move(sent_to_ms)) {
  load_->viewers.fetch_add(1);
  // At once, so that the client sees the stream begin; and how long to wait before it comes back.
  pending_.push_back({"retry: 3000\n: live\n\n", nullptr});
}

LiveViewer::~LiveViewer() {
  load_->viewers.fetch_sub(1);
  load_->pending_bytes.fetch_sub(pending_bytes_);
}

void LiveViewer::push_points(std::size_t query, Timestamp to_ms, const LiveText& text) {
  push(query, "points", to_ms, text);
}

void LiveViewer::push_failure(std::size_t query, const LiveText& text) {
  push(query, "failed", std::nullopt, text);
}

void LiveViewer::push_reload(std::size_t query, Timestamp to_ms) {
  static const LiveText kEnd = std::make_shared<const std::string>("}");
  push(query, "reload", to_ms, kEnd);
}

void LiveViewer::push(std::size_t query, std::string_view event, std::optional<Timestamp> to_ms,
                      const LiveText& text) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    std::optional<Timestamp> id;
    if (to_ms) {
      sent_to_ms_[query] = std::max(sent_to_ms_[query], *to_ms);
      id = *std::min_element(sent_to_ms_.begin(), sent_to_ms_.end());
    }
    Pending next{live_head(event, query, id), text};
    const std::size_t bytes = next.bytes();
    if (pending_bytes_ + bytes > kPendingMaxBytes ||
        load_->pending_bytes.load() + bytes > kPendingTotalMaxBytes) {
      drop_all();
      for (std::size_t i = 0; i < sent_to_ms_.size(); ++i) {
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
