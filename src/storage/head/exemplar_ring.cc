// SPDX-License-Identifier: Apache-2.0
#include "storage/head/exemplar_ring.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace varve::storage::head {
namespace {

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // all but continuation bytes
  }));
}

bool same_value(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// Writers sort exemplars by time, then value, then labels, so what is before the newest in that
// order came late or was seen already.
bool before(const ExemplarSample& exemplar, const ExemplarPoint& newest) {
  if (exemplar.timestamp_ms != newest.timestamp_ms) {
    return exemplar.timestamp_ms < newest.timestamp_ms;
  }
  if (!same_value(exemplar.value, newest.value)) return exemplar.value < newest.value;
  return exemplar.labels < newest.labels;
}

}  // namespace

ExemplarRing::ExemplarRing(std::size_t capacity)
    : capacity_(std::min<std::size_t>(capacity, kNoSlot - 1)) {}

Result<ExemplarRing::Added> ExemplarRing::add(SeriesId series, const ExemplarSample& exemplar) {
  VARVE_CHECK(series != SeriesId::kNone);
  if (capacity_ == 0) return Added::kDuplicate;
  std::size_t length = 0;
  for (const LabelView& label : exemplar.labels) {
    length += characters(label.name) + characters(label.value);
  }
  if (length > kLabelCharsMax) {
    return Error(ErrorCode::kInvalidArgument,
                 "label length for exemplar exceeds maximum of 128 UTF-8 characters");
  }

  const std::lock_guard lock(mutex_);
  if (const auto found = chains_.find(series); found != chains_.end()) {
    const ExemplarPoint& newest = slots_[found->second.newest].point;
    if (newest.timestamp_ms == exemplar.timestamp_ms &&
        same_value(newest.value, exemplar.value) && newest.labels == exemplar.labels) {
      return Added::kDuplicate;
    }
    if (before(exemplar, newest)) return Error(ErrorCode::kOutOfOrder, "out of order exemplar");
  }
  const auto slot = static_cast<std::uint32_t>(next_);
  next_ = (next_ + 1) % capacity_;
  if (slot == slots_.size()) {
    slots_.emplace_back();
  } else {
    evict(slot);
    label_bytes_ -= slots_[slot].point.labels.bytes().size();
  }
  label_bytes_ += exemplar.labels.bytes().size();
  slots_[slot].series = series;
  slots_[slot].newer = kNoSlot;
  slots_[slot].point = {exemplar.labels, exemplar.value, exemplar.timestamp_ms};
  Chain& chain = chains_[series];
  if (chain.newest != kNoSlot) slots_[chain.newest].newer = slot;
  if (chain.oldest == kNoSlot) chain.oldest = slot;
  chain.newest = slot;
  return Added::kAdded;
}

// The slot written longest ago is the oldest of its series, because a series' slots are written in
// its order.
void ExemplarRing::evict(std::uint32_t slot) {
  const auto found = chains_.find(slots_[slot].series);
  VARVE_CHECK(found != chains_.end());
  VARVE_CHECK(found->second.oldest == slot);
  if (found->second.newest == slot) {
    chains_.erase(found);
  } else {
    found->second.oldest = slots_[slot].newer;
  }
}

std::vector<std::vector<ExemplarPoint>> ExemplarRing::query(std::span<const SeriesId> series,
                                                            TimeRange range) const {
  std::vector<std::vector<ExemplarPoint>> out(series.size());
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto found = chains_.find(series[i]);
    if (found == chains_.end()) continue;
    for (std::uint32_t at = found->second.oldest; at != kNoSlot; at = slots_[at].newer) {
      if (range.contains(slots_[at].point.timestamp_ms)) out[i].push_back(slots_[at].point);
    }
  }
  return out;
}

std::vector<std::pair<SeriesId, ExemplarPoint>> ExemplarRing::all() const {
  std::vector<std::pair<SeriesId, ExemplarPoint>> out;
  const std::lock_guard lock(mutex_);
  out.reserve(slots_.size());
  const std::size_t first = slots_.size() < capacity_ ? 0 : next_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[(first + i) % slots_.size()];
    out.emplace_back(slot.series, slot.point);
  }
  return out;
}

std::size_t ExemplarRing::memory_bytes() const {
  constexpr std::size_t kChainBytes = 48;  // a node of the map and its bucket
  const std::lock_guard lock(mutex_);
  return slots_.capacity() * sizeof(Slot) + label_bytes_ + chains_.size() * kChainBytes;
}

ExemplarRing::Stats ExemplarRing::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats;
  stats.exemplars = slots_.size();
  stats.series = chains_.size();
  if (slots_.empty()) return stats;
  stats.oldest_ms = slots_[slots_.size() < capacity_ ? 0 : next_].point.timestamp_ms;
  stats.newest_ms = slots_[(next_ + capacity_ - 1) % capacity_].point.timestamp_ms;
  return stats;
}

}  // namespace varve::storage::head
