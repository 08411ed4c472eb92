// SPDX-License-Identifier: Apache-2.0
#include "storage/head/time_columns.h"

#include <xxhash.h>

#include <random>

#include "base/check.h"
#include "storage/codec/times.h"

namespace varve::storage::head {

std::uint32_t spill_checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

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
  if (size_ != 0 && known.low == hash.low64 && known.high == hash.high64) return known.id;

  std::uint8_t bytes[codec::kTimesBytesMax];
  const std::size_t length = codec::encode_times(times, bytes);
  const std::string_view encoded(reinterpret_cast<const char*>(bytes), length);
  TimeColumn column;
  column.range = {times.front(), times.back()};
  column.place = spill_.append(encoded, 0, times.back());
  column.checksum = spill_checksum(encoded);
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
  const std::size_t end = (std::size_t{size_} + 1) * sizeof(TimeColumn);
  VARVE_CHECK(memory_.grow(end).ok());  // as for operator new: no memory, no database
  reinterpret_cast<TimeColumn*>(memory_.data())[size_] = column;
  return size_++;
}

std::size_t TimeColumns::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

}  // namespace varve::storage::head
