// SPDX-License-Identifier: Apache-2.0
#include "storage/series_join.h"

namespace varve::storage {

void SeriesJoin::put(std::uint32_t entry) {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = entries_[entry].low & mask;
  while (table_[at] != kAbsent) at = (at + 1) & mask;
  table_[at] = entry;
}

void SeriesJoin::build() {
  std::size_t slots = 64;
  while (slots < entries_.size() * 3) slots *= 2;
  table_.assign(slots, kAbsent);
  for (std::uint32_t entry = 0; entry < entries_.size(); ++entry) put(entry);
}

std::uint32_t SeriesJoin::find(const index::SeriesHash& hash) const {
  const std::size_t mask = table_.size() - 1;
  for (std::size_t at = hash.low & mask;; at = (at + 1) & mask) {
    const std::uint32_t entry = table_[at];
    if (entry == kAbsent || entries_[entry] == hash) return entry;
  }
}

std::vector<std::uint32_t> SeriesJoin::add(std::span<const index::SeriesHash> hashes) {
  std::vector<std::uint32_t> positions(entries_.size(), kAbsent);
  std::size_t expected = 0;
  const bool first = entries_.empty();
  if (first) entries_.reserve(hashes.size());
  for (std::uint32_t i = 0; i < hashes.size(); ++i) {
    if (!first) {
      if (expected < entries_.size() && entries_[expected] == hashes[i]) {
        positions[expected++] = i;
        continue;
      }
      if (table_.empty()) build();
      if (const std::uint32_t found = find(hashes[i]); found != kAbsent) {
        positions[found] = i;
        expected = found + 1;
        continue;
      }
    }
    const auto entry = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back(hashes[i]);
    positions.push_back(i);
    if (table_.empty()) continue;
    if (entries_.size() * 2 > table_.size()) {
      build();
    } else {
      put(entry);
    }
  }
  return positions;
}

}  // namespace varve::storage
