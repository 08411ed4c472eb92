// SPDX-License-Identifier: Apache-2.0
#include "storage/selection_cache.h"

#include "base/try.h"

namespace varve::storage {

SelectionCache::~SelectionCache() { memory_.release(charged_.load(std::memory_order_relaxed)); }

const char* SelectionCache::mapped(head::SpillPlace place) {
  const std::uint64_t number = place.offset() / head::SpillStore::kFileBytes;
  const std::shared_ptr<const fs::MappedFile>* file = file_map_.find(number);
  if (file == nullptr) {
    std::shared_ptr<const fs::MappedFile> fresh = spill_.map(place);
    if (fresh == nullptr) return nullptr;
    file = file_map_.add(number, std::move(fresh));
  }
  const std::string_view bytes = (*file)->bytes();
  const std::uint64_t at = place.offset() % head::SpillStore::kFileBytes;
  return at + place.stored_length() <= bytes.size() ? bytes.data() + at : nullptr;
}

Result<std::string_view> SelectionCache::bytes(head::SpillPlace place,
                                               std::vector<char>& scratch) {
  const char* const data = mapped(place);
  if (data == nullptr) return spill_.read(place, scratch);
  return head::SpillStore::verify(place, {data, place.stored_length()});
}

Result<const DecodedTimes*> SelectionCache::times(head::TimeColumnId id,
                                                  std::vector<char>& scratch) {
  if (const DecodedTimes* known = column_map_.find(id)) return known;
  const head::TimeColumn& column = columns_[id];
  VARVE_TRY_ASSIGN(const std::string_view encoded, bytes(column.place, scratch));
  VARVE_TRY_ASSIGN(DecodedTimes decoded,
                   decode_times_of({reinterpret_cast<const std::uint8_t*>(encoded.data()),
                                    encoded.size()},
                                   column.count));
  const auto held = static_cast<std::int64_t>(decoded.times.size() * sizeof(Timestamp));
  charged_.fetch_add(held, std::memory_order_relaxed);
  memory_.charge(held);
  return column_map_.add(id, std::move(decoded));
}

}  // namespace varve::storage
