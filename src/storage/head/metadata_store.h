// SPDX-License-Identifier: Apache-2.0
// What writers said about metric families: type, help, unit. Bounded; the latest word wins.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "storage/write_batch.h"
#include "varve/result.h"

namespace varve::storage::head {

// Thread-safe. Remote write repeats the metadata of every family once a minute, so a repetition
// costs a look-up and changes nothing.
class MetadataStore {
 public:
  // Families and text bytes that are kept at most.
  static constexpr std::size_t kFamiliesMax = 100'000;
  static constexpr std::size_t kTextBytesMax = 64 << 20;
  static constexpr std::size_t kEntryBytesMax = 64 << 10;

  explicit MetadataStore(std::size_t families_max = kFamiliesMax,
                         std::size_t text_bytes_max = kTextBytesMax)
      : families_max_(families_max), text_bytes_max_(text_bytes_max) {}

  // Whether it changed anything, and so must be logged. kInvalidArgument: no family name;
  // kLimitExceeded: a new family (or longer text) passes a bound; what is stored stays.
  Result<bool> set(const MetadataEntry& entry);

  // Sorted by family; all if `family` is empty.
  std::vector<MetadataEntry> list(std::string_view family = {}) const;
  std::size_t size() const;
  // Bytes of names and texts held.
  std::size_t text_bytes() const;

 private:
  struct Entry {
    std::string type;
    std::string help;
    std::string unit;
  };

  const std::size_t families_max_;
  const std::size_t text_bytes_max_;
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, Entry, std::less<>> families_;
  std::size_t text_bytes_ = 0;
};

}  // namespace varve::storage::head
