// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/wal/format.h"

namespace varve::storage::wal {
namespace {

// Large enough that ten million series have some samples each in a segment; small enough to be
// zeroed in a fraction of a second, and to lose not too much where one is damaged.
constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{128} << 20;
constexpr std::uint32_t kSegmentsOfInterval = 4;
constexpr std::uint32_t kSparesMin = 2;

}  // namespace

Status SegmentWriter::write(std::span<const std::string_view> parts) {
  VARVE_TRY(file_->write_at(offset_, parts));
  for (const std::string_view part : parts) offset_ += part.size();
  return {};
}

Status SegmentPool::finish(SegmentWriter& segment, std::uint64_t seq) {
  const std::lock_guard lock(mutex_);
  // Before the file gets shorter, which would look like damage.
  LogState closed = state_;
  closed.bytes = segment.offset();
  closed.seq = seq;
  closed.closed = true;
  VARVE_TRY(say(closed));
  return segment.trim();
}

Status SegmentPool::say(LogState state) {
  state.number = state_.number + 1;
  VARVE_TRY(write_log_state(files_, directory_, state));
  state_ = state;
  return {};
}

Result<std::unique_ptr<SegmentPool>> SegmentPool::open(fs::FileSystem& files, std::string directory,
                                                       std::uint64_t segment_bytes,
                                                       bool prepare_ahead) {
  std::unique_ptr<SegmentPool> pool(new SegmentPool(files, std::move(directory), segment_bytes));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(pool->directory_));
  for (const std::string& name : names) {
    if (name.ends_with(".tmp")) {
      VARVE_TRY(files.remove(pool->path(name)));
      continue;
    }
    bool spare = false;
    for (std::uint32_t index = 0; index < kSparesMax; ++index) {
      if (name != spare_name(index)) continue;
      spare = true;
      pool->spares_.insert(index);
    }
    if (!spare && !parse_segment_name(name)) continue;
    VARVE_TRY_ASSIGN(const std::uint64_t size, files.size(pool->path(name)));
    pool->size_bytes_ += size;
  }
  // Recovery has said what is wrong with it.
  if (auto state = read_log_state(files, pool->directory_); state.ok() && *state) {
    pool->state_ = (*state)->state;
  }
  if (prepare_ahead) {
    pool->thread_ = std::thread([raw = pool.get()] { raw->run(); });
  }
  return pool;
}

SegmentPool::~SegmentPool() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SegmentPool::run() {
  base::name_this_thread("varve-log-spare");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || prepare_; });
    if (stopping_) return;
    prepare_ = false;
    // If it fails, begin() tries itself and reports.
    if (spares_.empty() && !make_spare().ok()) continue;
  }
}

Status SegmentPool::make_spare() {
  std::uint32_t index = 0;
  while (spares_.count(index) > 0) ++index;
  const std::string name = path(spare_name(index));
  const std::string staged = name + ".tmp";
  VARVE_TRY_ASSIGN(const bool leftover, files_.exists(staged));
  if (leftover) VARVE_TRY(files_.remove(staged));
  VARVE_TRY_ASSIGN(const std::unique_ptr<fs::File> file,
                   files_.open(staged, fs::OpenMode::kCreate));
  const std::uint64_t bytes = segment_bytes_;
  Status filled = file->fill_zero(bytes);
  if (filled.ok()) filled = file->sync_data();
  if (!filled.ok()) {
    static_cast<void>(files_.remove(staged).ok());  // gives the space back; the error is the first
    segment_bytes_ = segment_bytes_min_;            // where space is short, that may still fit
    return filled;
  }
  VARVE_TRY(files_.rename(staged, name));
  size_bytes_ += bytes;
  spares_.insert(index);
  return {};
}

Result<std::unique_ptr<SegmentWriter>> SegmentPool::begin(std::uint32_t id) {
  const std::lock_guard lock(mutex_);
  const std::string name = path(segment_name(id));
  // There is one of that name if its making was interrupted: after the rename, before a frame.
  VARVE_TRY_ASSIGN(const bool there, files_.exists(name));
  if (!there) {
    if (spares_.empty()) {
      const bool large = segment_bytes_ > segment_bytes_min_;
      Status made = make_spare();
      if (!made.ok() && large) made = make_spare();
      if (!made.ok() && made.error().code() == ErrorCode::kLimitExceeded) {
        const auto free = files_.free_bytes(directory_);
        return std::move(made).error().with(
            fmt::format("the next segment of the log takes {} bytes, {} are free",
                        segment_bytes_min_, free.ok() ? std::to_string(*free) : "too few"));
      }
      VARVE_TRY(std::move(made));
    }
    const std::uint32_t spare = *spares_.begin();
    VARVE_TRY(files_.rename(path(spare_name(spare)), name));
    spares_.erase(spare);
  }
  VARVE_TRY_ASSIGN(std::unique_ptr<fs::File> file, files_.open(name, fs::OpenMode::kExisting));
  VARVE_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size < segment_bytes_min_) {
    VARVE_TRY(file->fill_zero(segment_bytes_min_));
    VARVE_TRY(file->sync_data());
    size_bytes_ += segment_bytes_min_ - size;
  }
  VARVE_TRY(files_.sync_directory(directory_));
  // Behind the file, so that no crash looks like a loss, and before the first frame.
  LogState begun = state_;
  begun.segment = id;
  begun.bytes = std::max(size, segment_bytes_min_);
  begun.seq = 0;
  begun.closed = false;
  VARVE_TRY(say(begun));
  if (thread_.joinable()) {
    prepare_ = true;
    wake_.notify_all();
  }
  return std::make_unique<SegmentWriter>(std::move(file), id, state_.bytes);
}

void SegmentPool::forget_snapshot() {
  const std::lock_guard lock(mutex_);
  state_.snapshot = 0;
}

Status SegmentPool::retire(std::uint32_t before_segment,
                           const std::vector<std::uint32_t>& corrupt, std::uint32_t snapshot) {
  const std::lock_guard lock(mutex_);
  if (state_.retired_before != before_segment || state_.snapshot != snapshot) {
    LogState retired = state_;
    retired.retired_before = before_segment;
    retired.snapshot = snapshot;
    VARVE_TRY(say(retired));
  }
  VARVE_TRY_ASSIGN(std::vector<std::string> names, files_.list(directory_));
  std::erase_if(names, [before_segment](const std::string& name) {
    const auto id = parse_segment_name(name);
    return !id || *id >= before_segment;
  });
  fit_to_interval(static_cast<std::uint32_t>(names.size()));
  for (const std::string& name : names) {
    const auto id = parse_segment_name(name);
    VARVE_TRY_ASSIGN(const std::uint64_t size, files_.size(path(name)));
    if (std::find(corrupt.begin(), corrupt.end(), *id) != corrupt.end()) {
      VARVE_TRY(files_.rename(path(name), path(name) + ".corrupt"));
    } else if (spares_.size() < spares_kept_ && size >= segment_bytes_ &&
               size <= 2 * segment_bytes_) {
      std::uint32_t index = 0;
      while (spares_.count(index) > 0) ++index;
      VARVE_TRY(files_.rename(path(name), path(spare_name(index))));
      spares_.insert(index);
      continue;
    } else {
      VARVE_TRY(files_.remove(path(name)));
    }
  }
  VARVE_TRY(drop_spares());
  VARVE_TRY(count_bytes());
  return names.empty() ? Status() : files_.sync_directory(directory_);
}

// Counted anew, since frames may make a segment longer than it was prepared.
Status SegmentPool::count_bytes() {
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files_.list(directory_));
  std::uint64_t sum = 0;
  for (const std::string& name : names) {
    if (!parse_segment_name(name)) continue;
    VARVE_TRY_ASSIGN(const std::uint64_t size, files_.size(path(name)));
    sum += size;
  }
  for (const std::uint32_t index : spares_) {
    VARVE_TRY_ASSIGN(const std::uint64_t size, files_.size(path(spare_name(index))));
    sum += size;
  }
  size_bytes_ = sum;
  return {};
}

// What one snapshot has made needless is what the log takes until the next one.
void SegmentPool::fit_to_interval(std::uint32_t retired) {
  if (retired > kSegmentsOfInterval) {
    segment_bytes_ = std::max(segment_bytes_, std::min(segment_bytes_ * 2, kSegmentBytesMax));
  } else if (retired < 2) {
    segment_bytes_ = std::max(segment_bytes_ / 2, segment_bytes_min_);
  }
  // Files that are not taken back are zeroed again: more bytes for the disk than the log itself. A
  // quieter time gives them up one by one.
  const std::uint32_t before = spares_kept_ > 0 ? spares_kept_ - 1 : 0;
  spares_kept_ = std::clamp(std::max(retired, before), kSparesMin, kSparesMax);
}

Status SegmentPool::drop_spares() {
  while (spares_.size() > spares_kept_) {
    VARVE_TRY(files_.remove(path(spare_name(*spares_.rbegin()))));
    spares_.erase(std::prev(spares_.end()));
  }
  return {};
}

}  // namespace varve::storage::wal
