// SPDX-License-Identifier: Apache-2.0
#include "storage/head/time_columns.h"

#include <xxhash.h>

#include <random>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/codec/times.h"
#include "storage/head/bytes.h"

namespace varve::storage::head {

Result<std::unique_ptr<TimeColumns>> TimeColumns::create(SpillStore& spill,
                                                         base::MemoryAccount& account) {
  constexpr std::size_t kBytesMax = (std::size_t{1} << 32) * sizeof(TimeColumn);
  Result<ReservedMemory> memory = ReservedMemory::create(kBytesMax, account);
  if (!memory.ok()) return std::move(memory).error().with("time columns");
  return std::unique_ptr<TimeColumns>(new TimeColumns(spill, std::move(memory).value()));
}

TimeColumns::TimeColumns(SpillStore& spill, ReservedMemory memory)
    : spill_(spill),
      memory_(std::move(memory)),
      seed_((std::uint64_t{std::random_device()()} << 32) | std::random_device()()),
      known_(std::make_unique<std::array<Known, kKnown>>()) {}

TimeColumnId TimeColumns::intern(std::span<const Timestamp> times) {
  // Equal 128-bit hashes with a secret seed are equal times, as for keys (key_table.h).
  const XXH128_hash_t hash = XXH3_128bits_withSeed(times.data(), times.size_bytes(), seed_);
  const std::lock_guard lock(mutex_);
  Known& known = (*known_)[hash.low64 % kKnown];
  if (known.low == hash.low64 && known.high == hash.high64 && held_locked(known.id))
    return known.id;

  std::uint8_t bytes[codec::kTimesBytesMax];
  const std::size_t length = codec::encode_times(times, bytes);
  const std::string_view encoded(reinterpret_cast<const char*>(bytes), length);
  TimeColumn column;
  column.range = {times.front(), times.back()};
  column.place = spill_.append(encoded, 0, times.back());
  column.count = static_cast<std::uint32_t>(times.size());
  known = {hash.low64, hash.high64, add(column)};
  return known.id;
}

TimeColumnId TimeColumns::add_bounds(TimeRange range, std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  TimeColumn column;
  column.range = range;
  column.count = count;
  return add(column);
}

TimeColumnId TimeColumns::add(const TimeColumn& column) {
  VARVE_CHECK(size_ - first_ < kIds - kStep);  // 128 GiB of columns
  const std::size_t end = (size_ % kIds + 1) * sizeof(TimeColumn);
  // As for operator new: no memory, no database.
  if (size_ < kIds) {
    VARVE_CHECK(memory_.grow(end).ok());
  } else if (size_ % kStep == 0) {
    memory_.reuse(end - sizeof(TimeColumn), end - sizeof(TimeColumn) + ReservedMemory::kStepBytes);
  }
  at(size_) = column;
  return static_cast<TimeColumnId>(size_++);
}

void TimeColumns::drop_before(Timestamp time_ms) {
  const std::lock_guard lock(mutex_);
  while (first_ / kStep < size_ / kStep) {
    const std::uint64_t end = (first_ / kStep + 1) * kStep;
    for (std::uint64_t i = first_; i < end; ++i) {
      if (at(i).range.max_ms >= time_ms) return;
    }
    memory_.discard(first_ % kIds / kStep * ReservedMemory::kStepBytes,
                    (first_ % kIds / kStep + 1) * ReservedMemory::kStepBytes);
    first_ = end;
  }
}

std::size_t TimeColumns::size() const {
  const std::lock_guard lock(mutex_);
  return size_ - first_;
}

TimeColumns::Span TimeColumns::span() const {
  const std::lock_guard lock(mutex_);
  return {first_, size_};
}

bool TimeColumns::held(TimeColumnId id) const {
  const std::lock_guard lock(mutex_);
  return held_locked(id);
}

void TimeColumns::copy(Span part, std::vector<TimeColumn>& out) const {
  out.clear();
  for (std::uint64_t i = part.begin; i < part.end; ++i) out.push_back(at(i));
}

Status TimeColumns::restore(std::span<const TimeColumn> columns) {
  const std::lock_guard lock(mutex_);
  VARVE_TRY(memory_.grow((size_ + columns.size()) * sizeof(TimeColumn)));
  for (const TimeColumn& column : columns) add(column);
  return {};
}

void encode_columns(std::uint64_t begin, std::span<const TimeColumn> columns, std::string& out) {
  put_fixed(out, begin);
  put_uvarint(out, columns.size());
  Timestamp before = 0;
  for (const TimeColumn& c : columns) {
    put_delta(out, c.range.min_ms, std::exchange(before, c.range.min_ms));
  }
  for (const TimeColumn& c : columns) put_delta(out, c.range.max_ms, c.range.min_ms);
  std::int64_t offset_before = 0;
  for (const TimeColumn& c : columns) {
    const auto offset = static_cast<std::int64_t>(c.place.offset());
    put_delta(out, offset, std::exchange(offset_before, offset));
    put_uvarint(out, c.place.length());
  }
  for (const TimeColumn& c : columns) put_uvarint(out, c.count);
}

Status decode_columns(std::string_view bytes, std::uint64_t& begin, std::vector<TimeColumn>& out) {
  ImageReader in(bytes);
  begin = in.fixed<std::uint64_t>();
  out.assign(in.count(5), {});
  Timestamp before = 0;
  for (TimeColumn& c : out) before = c.range.min_ms = in.delta(before);
  for (TimeColumn& c : out) c.range.max_ms = in.delta(c.range.min_ms);
  std::int64_t offset = 0;
  bool sound = true;
  for (TimeColumn& c : out) {
    offset = in.delta(offset);
    const std::uint64_t length = in.uvarint();
    sound &= offset >= 0 && offset >> 40 == 0 && length <= SpillPlace::kLengthMax;
    if (sound) c.place = SpillPlace::make(static_cast<std::uint64_t>(offset), length, 0);
  }
  for (TimeColumn& c : out) {
    c.count = static_cast<std::uint32_t>(in.uvarint());
    sound &= c.place.length() == 0 || (c.count >= 1 && c.count <= codec::kTimesMax);
    sound &= !c.range.empty();
  }
  if (in.ok() && in.done() && sound) return {};
  return Error(ErrorCode::kCorruption, "snapshot of time columns: malformed");
}

}  // namespace varve::storage::head
