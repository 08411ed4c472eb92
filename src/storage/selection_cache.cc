// SPDX-License-Identifier: Apache-2.0
#include "storage/selection_cache.h"

#include <fmt/format.h>

#include "base/try.h"
#include "storage/codec/times.h"

namespace varve::storage {

SelectionCache::~SelectionCache() { memory_.release(charged_.load(std::memory_order_relaxed)); }

const std::vector<char>* SelectionCache::block(std::uint64_t number) {
  if (const std::vector<char>* known = block_map_.find(number)) return known;
  auto& touches = touches_[number % touches_.size()];
  if (touches.load(std::memory_order_relaxed) < kTouchesMin) {
    touches.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  const std::uint64_t begin = number * head::SpillStore::kBlockBytes;
  if (blocks_.load(std::memory_order_relaxed) >= kBlocksMax ||
      begin + head::SpillStore::kBlockBytes > spill_.written_end()) {
    return nullptr;
  }
  std::vector<char> content(head::SpillStore::kBlockBytes);
  if (!spill_.read(begin, content).ok()) return nullptr;
  blocks_.fetch_add(1, std::memory_order_relaxed);
  constexpr auto kBytes = static_cast<std::int64_t>(head::SpillStore::kBlockBytes);
  charged_.fetch_add(kBytes, std::memory_order_relaxed);
  memory_.charge(kBytes);
  return block_map_.add(number, std::move(content));
}

Result<std::string_view> SelectionCache::bytes(head::SpillPlace place, std::uint32_t checksum,
                                               std::vector<char>& scratch) {
  const std::uint64_t first = place.offset() / head::SpillStore::kBlockBytes;
  const std::uint64_t last =
      (place.offset() + place.length() - 1) / head::SpillStore::kBlockBytes;
  std::string_view found;
  if (const std::vector<char>* whole = first == last ? block(first) : nullptr) {
    found = std::string_view(whole->data(), whole->size())
                .substr(place.offset() % head::SpillStore::kBlockBytes, place.length());
  } else {
    scratch.resize(place.length());
    VARVE_TRY(spill_.read(place.offset(), scratch));
    found = std::string_view(scratch.data(), scratch.size());
  }
  const std::uint32_t computed = head::spill_checksum(found);
  if (computed != checksum) {
    return Error(ErrorCode::kCorruption,
                 fmt::format("head chunk at {}: checksum mismatch (stored {:08x}, computed {:08x})",
                             place.offset(), checksum, computed));
  }
  return found;
}

Result<const std::vector<Timestamp>*> SelectionCache::times(head::TimeColumnId id,
                                                            std::vector<char>& scratch) {
  if (const std::vector<Timestamp>* known = column_map_.find(id)) return known;
  const head::TimeColumn& column = columns_[id];
  VARVE_TRY_ASSIGN(const std::string_view encoded, bytes(column.place, column.checksum, scratch));
  std::vector<Timestamp> decoded(column.count);
  const std::span<const std::uint8_t> input(reinterpret_cast<const std::uint8_t*>(encoded.data()),
                                            encoded.size());
  VARVE_TRY(codec::decode_times(input, decoded.size(), decoded.data()));
  const auto held = static_cast<std::int64_t>(decoded.size() * sizeof(Timestamp));
  charged_.fetch_add(held, std::memory_order_relaxed);
  memory_.charge(held);
  return column_map_.add(id, std::move(decoded));
}

}  // namespace varve::storage
