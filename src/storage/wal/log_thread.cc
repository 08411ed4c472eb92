// SPDX-License-Identifier: Apache-2.0
// The log's thread: it gathers a frame, writes it, syncs it, and tells those who wait.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/wal/bytes.h"
#include "storage/wal/format.h"
#include "storage/wal/log_metrics.h"
#include "storage/wal/segment.h"

namespace varve::storage::wal {
namespace {

constexpr std::chrono::milliseconds kStallRetry{500};

}  // namespace

void Log::run() {
  base::name_this_thread("varve-log");
  for (;;) {
    bool closing = false;
    {
      std::unique_lock lock(mutex_);
      sleep(lock);
      if (killed_) {
        ended_.store(true, std::memory_order_release);
        return;
      }
      closing = closing_;
    }
    if (!failed_) turn(closing);
    if (!closing) continue;
    ended_.store(true, std::memory_order_release);
    finish();
    return;
  }
}

// Until there is something to do.
void Log::sleep(std::unique_lock<std::mutex>& lock) {
  const auto ending = [this] { return closing_ || killed_; };
  if (failed_) {
    wake_.wait(lock, ending);
    return;
  }
  if (pending_ || !segment_) {
    wake_.wait_for(lock, kStallRetry, ending);
    return;
  }
  constexpr auto kNever = std::chrono::steady_clock::time_point::max();
  auto sync_at = kNever;
  if (unsynced_ && options_.sync == SyncMode::kInterval) {
    sync_at = last_sync_ + options_.sync_interval;
  } else if (unsynced_ && options_.sync == SyncMode::kAlways) {
    sync_at = unsynced_since_ + options_.unawaited_sync_delay;
  }
  while (!notified_.load() && !ending()) {
    const auto until = std::min(sync_at, gather_until_);
    if (until == kNever) {
      wake_.wait(lock);
    } else if (std::chrono::steady_clock::now() < until) {
      wake_.wait_until(lock, until);
    } else {
      return;
    }
  }
}

// One group commit, and the timer's sync.
void Log::turn(bool closing) {
  finishing_ = closing;
  if (!segment_) {
    if (Status begun = begin_segment(filling_.segment); !begun.ok()) {
      set_error(begun.error(), begun.error().code() != ErrorCode::kLimitExceeded);
      return;
    }
    clear_stall();
  }
  if (pending_ && !commit_pending()) {
    // What was written before does not wait for space.
    if (!failed_ && unsynced_ && options_.sync == SyncMode::kAlways) {
      if (const Status synced = sync(); !synced.ok()) {
        set_error(synced.error(), true);
      } else {
        publish(written_seq_);
      }
    }
    return;
  }
  do {
    {
      const std::lock_guard lock(mutex_);
      gathering_.store(false, std::memory_order_release);
      gather_until_ = std::chrono::steady_clock::time_point::max();
    }
    notified_.store(false, std::memory_order_release);
    const std::uint64_t used = filling_.segment == segment_->id() ? segment_->offset() : 0;
    // The frame being gathered is not written yet; that it is about as long as the last one is
    // good enough, a segment can grow.
    const bool full = used + last_frame_bytes_ >= segment_->capacity_bytes() / 4 * 3;
    const FramePosition next{filling_.seq + 1, filling_.segment + (full ? 1 : 0)};
    source_->collect(next, builder_);
    pending_ = filling_;
    filling_ = next;
    if (!commit_pending()) return;
    // Closing: appends have stopped, but one may have staged behind this collect's back.
  } while (closing && (notified_.load() || gathering_.load()));
  if (unsynced_ && options_.sync == SyncMode::kInterval &&
      std::chrono::steady_clock::now() >= last_sync_ + options_.sync_interval) {
    if (const Status synced = sync(); !synced.ok()) set_error(synced.error(), true);
  }
}

void Log::finish() {
  // A frame that is stalled is lost, and those who waited were told; the frames before it are not.
  if (!failed_ && segment_) {
    Status done = unsynced_ || options_.sync == SyncMode::kOff ? sync() : Status();
    if (done.ok()) {
      done = pool_->finish(*segment_, first_unwritten_ - 1);
      if (!done.ok() && done.error().code() == ErrorCode::kLimitExceeded) {
        logger_.warn("Write-ahead log ends as after a crash, with all of its frames",
                     {{"err", done.error().message()}});
        done = {};
      }
    }
    if (!done.ok()) set_error(done.error(), true);
  }
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

// Whether the pending frame got through; if not, the error is set.
bool Log::commit_pending() {
  if (builder_.runs_.empty() && builder_.series_.empty()) {
    written_seq_ = pending_->seq;  // nobody staged for it; the next frame written covers its number
    pending_.reset();
    return sync_and_publish();
  }
  Status written = write_pending();
  if (!written.ok()) {
    metrics_->writes_failed.add();
    set_error(written.error(), written.error().code() != ErrorCode::kLimitExceeded);
    return false;
  }
  if (!std::exchange(unsynced_, true)) unsynced_since_ = std::chrono::steady_clock::now();
  written_seq_ = pending_->seq;
  pending_.reset();
  first_unwritten_ = written_seq_ + 1;
  builder_.reset();
  clear_stall();
  return sync_and_publish();
}

// What is written, once it is as durable as the mode asks. False: the error is set.
bool Log::sync_and_publish() {
  if (unsynced_ && options_.sync == SyncMode::kAlways) {
    if (sync_can_wait()) return true;
    if (Status synced = sync(); !synced.ok()) {
      metrics_->writes_failed.add();
      set_error(synced.error(), true);
      return false;
    }
  }
  publish(written_seq_);
  return true;
}

bool Log::sync_can_wait() {
  if (finishing_ || options_.unawaited_sync_delay.count() == 0) return false;
  if (std::chrono::steady_clock::now() >= unsynced_since_ + options_.unawaited_sync_delay)
    return false;
  const std::lock_guard lock(mutex_);
  sync_deferred_seq_ = waiters_.empty() ? written_seq_ : 0;
  return waiters_.empty();
}

Status Log::write_pending() {
  if (segment_->id() != pending_->segment) {
    // In every mode: one sync a segment costs little, and close() promises that all of it is
    // synced.
    if (unsynced_) {
      if (Status synced = sync(); !synced.ok()) {
        // Whatever the reason, a sync is not tried again.
        return Error(ErrorCode::kIo, synced.error().message());
      }
    }
    VARVE_TRY(begin_segment(pending_->segment));
  }
  std::vector<std::string_view> parts;
  std::vector<std::array<char, kSectionHeaderBytes>> headers(builder_.runs_.size() + 1);
  std::array<char, kFrameHeaderBytes> frame{};
  parts.reserve(headers.size() * 2 + 1);
  parts.emplace_back(frame.data(), frame.size());
  std::size_t payload_bytes = 0;
  const auto add_section = [&](SectionKind kind, std::uint32_t shard, const ByteBuffer& bytes) {
    auto& header = headers[parts.size() / 2];
    header[0] = static_cast<char>(kind);
    put(header.data() + 2, static_cast<std::uint16_t>(shard));
    put(header.data() + 4, static_cast<std::uint32_t>(bytes.size()));
    parts.emplace_back(header.data(), header.size());
    parts.push_back(bytes.view());
    payload_bytes += header.size() + bytes.size();
  };
  if (!builder_.series_.empty()) add_section(SectionKind::kSeries, 0, builder_.series_);
  for (const FrameBuilder::Run& run : builder_.runs_) {
    VARVE_CHECK(run.shard <= 0xffff);
    add_section(SectionKind::kRun, run.shard, run.bytes);
  }
  VARVE_CHECK(payload_bytes <= kFramePayloadMax);  // sources keep kStagedBytesMax

  FrameHeader header{static_cast<std::uint32_t>(payload_bytes), pending_->segment, first_unwritten_,
                     pending_->seq, 0};
  encode_frame_header(header, frame.data());
  header.checksum = checksum_of(parts);
  encode_frame_header(header, frame.data());
  if (Status written = segment_->write(parts); !written.ok()) {
    if (written.error().code() != ErrorCode::kLimitExceeded) return written;
    return std::move(written).error().with(
        fmt::format("there is no room for {} bytes", kFrameHeaderBytes + payload_bytes));
  }
  last_frame_bytes_ = kFrameHeaderBytes + payload_bytes;
  written_bytes_.fetch_add(last_frame_bytes_, std::memory_order_relaxed);
  metrics_->frames.add();
  metrics_->frame_bytes.observe(static_cast<double>(last_frame_bytes_));
  metrics_->written_bytes.add(static_cast<double>(last_frame_bytes_));
  return {};
}

Status Log::begin_segment(std::uint32_t id) {
  VARVE_TRY_ASSIGN(segment_, pool_->begin(id));
  metrics_->segment_current.set(id);
  return {};
}

Status Log::sync() {
  const auto begin = std::chrono::steady_clock::now();
  VARVE_TRY(segment_->sync());
  last_sync_ = std::chrono::steady_clock::now();
  metrics_->sync_seconds.observe(std::chrono::duration<double>(last_sync_ - begin).count());
  unsynced_ = false;
  return {};
}

void Log::publish(std::uint64_t seq) {
  std::vector<Waiter> ready;
  {
    const std::lock_guard lock(mutex_);
    durable_seq_.store(seq, std::memory_order_release);
    const auto first_ready = std::partition(
        waiters_.begin(), waiters_.end(), [seq](const Waiter& waiter) { return waiter.seq > seq; });
    ready.assign(std::make_move_iterator(first_ready), std::make_move_iterator(waiters_.end()));
    waiters_.erase(first_ready, waiters_.end());
  }
  for (Waiter& waiter : ready) waiter.done({});
}

void Log::set_error(const Error& error, bool final) {
  Error unavailable(ErrorCode::kUnavailable,
                    fmt::format("log {}: {}", final ? "failed" : "stalled", error.message()));
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = !error_ || final;
    error_ = unavailable;
    failed_ = final;
    healthy_.store(false, std::memory_order_release);
  }
  if (news) {
    logger_.error(final ? "Write-ahead log failed; writes are refused until a restart"
                        : "Write-ahead log stalled for lack of space; writes are refused meanwhile",
                  {{"err", error.message()}});
  }
  fail_waiters(unavailable);
}

void Log::clear_stall() {
  if (healthy()) return;
  {
    const std::lock_guard lock(mutex_);
    error_.reset();
    healthy_.store(true, std::memory_order_release);
  }
  logger_.info("Write-ahead log goes on");
}

void Log::fail_waiters(const Error& error) {
  std::vector<Waiter> failed;
  {
    const std::lock_guard lock(mutex_);
    failed.swap(waiters_);
  }
  for (Waiter& waiter : failed) waiter.done(error);
}

}  // namespace varve::storage::wal
