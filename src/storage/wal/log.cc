// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/wal/log_metrics.h"
#include "storage/wal/segment.h"

namespace varve::storage::wal {
namespace {

// A burst may leave a shard's buffer large; only ones up to this are kept for reuse.
constexpr std::size_t kKeptBufferBytes = 1 << 20;
constexpr std::size_t kKeptBuffers = 128;

}  // namespace

ByteBuffer FrameBuilder::fresh_buffer() {
  if (spare_.empty()) return {};
  ByteBuffer buffer = std::move(spare_.back());
  spare_.pop_back();
  buffer.clear();
  return buffer;
}

void FrameBuilder::add_run(std::uint32_t shard, ByteBuffer staged) {
  if (staged.empty()) {
    spare_.push_back(std::move(staged));
    return;
  }
  runs_.push_back({shard, std::move(staged)});
}

void FrameBuilder::add_series(ByteBuffer staged) { series_ = std::move(staged); }

void FrameBuilder::reset() {
  const auto keep = [this](ByteBuffer& buffer) {
    if (buffer.capacity() <= kKeptBufferBytes && spare_.size() < kKeptBuffers) {
      spare_.push_back(std::move(buffer));
    }
  };
  for (Run& run : runs_) keep(run.bytes);
  runs_.clear();
  keep(series_);
  series_ = ByteBuffer();
}

Log::Log(LogOptions options, const FramePosition& start, base::Logger& logger)
    : options_(std::move(options)),
      logger_(logger),
      filling_(start),
      first_unwritten_(options_.covered_from_seq != 0 ? options_.covered_from_seq : start.seq),
      durable_seq_(start.seq - 1) {}

Result<std::unique_ptr<Log>> Log::open(LogOptions options, const FramePosition& start,
                                       fs::FileSystem& files, base::Logger& logger,
                                       base::MetricsRegistry& metrics) {
  std::unique_ptr<Log> log(new Log(std::move(options), start, logger));
  log->metrics_ = std::make_unique<Metrics>(metrics);
  VARVE_TRY_ASSIGN(log->pool_,
                   SegmentPool::open(files, log->options_.directory, log->options_.segment_bytes,
                                     log->options_.prepare_ahead));
  if (log->options_.without_snapshot) log->pool_->forget_snapshot();
  // A full disk must not keep the database from being read: the log begins stalled then.
  if (Status begun = log->begin_segment(start.segment); !begun.ok()) {
    if (begun.error().code() != ErrorCode::kLimitExceeded) return std::move(begun).error();
    log->set_error(begun.error(), false);
  }
  return log;
}

Log::~Log() {
  {
    const std::lock_guard lock(mutex_);
    killed_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  fail_waiters(Error(ErrorCode::kUnavailable, "the log is closed"));
}

void Log::start(FrameSource& source) {
  VARVE_CHECK(source_ == nullptr);
  source_ = &source;
  thread_ = std::thread([this] { run(); });
}

void Log::notify() {
  if (notified_.exchange(true, std::memory_order_acq_rel)) return;
  // Taking the mutex closes the gap between the thread's last look and its sleep.
  { const std::lock_guard lock(mutex_); }
  wake_.notify_one();
}

void Log::notify_soon() {
  if (options_.unawaited_write_delay.count() == 0) {
    notify();
    return;
  }
  if (notified_.load(std::memory_order_acquire) ||
      gathering_.exchange(true, std::memory_order_acq_rel)) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    gather_until_ = std::chrono::steady_clock::now() + options_.unawaited_write_delay;
  }
  wake_.notify_one();  // so that the thread knows when to wake
}

Status Log::status() const {
  const std::lock_guard lock(mutex_);
  if (error_) return *error_;
  return {};
}

void Log::when_durable(std::uint64_t seq, std::function<void(Status)> done) {
  Status answer;
  if (durable_seq() < seq) {
    std::unique_lock lock(mutex_);
    if (error_) {
      answer = *error_;
    } else if (closed_) {
      answer = Error(ErrorCode::kUnavailable, "the log is closed");
    } else if (durable_seq() < seq) {
      if (waiters_.size() < kWaitersMax) {
        waiters_.push_back({seq, std::move(done)});
        const bool is_gathered = gathering_.load(std::memory_order_acquire) && !notified_.load();
        if (seq > sync_deferred_seq_ && !is_gathered) return;  // its frame is about to come
        sync_deferred_seq_ = 0;
        notified_.store(true, std::memory_order_release);
        lock.unlock();
        wake_.notify_one();
        return;
      }
      answer = Error(ErrorCode::kLimitExceeded,
                     fmt::format("more than {} appends wait for the log", kWaitersMax));
    }
  }
  done(std::move(answer));
}

Status Log::wait_durable(std::uint64_t seq) {
  std::promise<Status> promise;
  auto future = promise.get_future();
  when_durable(seq, [&promise](Status status) { promise.set_value(std::move(status)); });
  return future.get();
}

Status Log::retire(std::uint32_t before_segment, const std::vector<std::uint32_t>& corrupt,
                   std::uint32_t snapshot) {
  metrics_->truncations.add();
  return pool_->retire(before_segment, corrupt, snapshot);
}

std::uint64_t Log::size_bytes() const { return pool_->size_bytes(); }

Status Log::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  fail_waiters(Error(ErrorCode::kUnavailable, "the log is closed"));
  return status();
}

}  // namespace varve::storage::wal
