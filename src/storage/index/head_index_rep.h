// SPDX-License-Identifier: Apache-2.0
// The tables of a HeadIndex. Included by its .cc files only.
#pragma once

#include <xxhash.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "storage/index/head_index.h"
#include "storage/index/id_list.h"
#include "storage/index/id_table.h"
#include "storage/index/stable_array.h"

namespace varve::storage::index {

using NameId = std::uint32_t;
using PairId = std::uint32_t;

// A label name that some series has. Never changes but for its atomics and its list.
struct NameEntry {
  const char* text;
  std::uint32_t text_size;
  std::atomic<std::uint32_t> series_count;  // that have it; only ever grows
  IdList pairs;                             // one per value, by age

  std::string_view view() const { return {text, text_size}; }
};

// A label, name and value.
struct PairEntry {
  const char* value;
  std::uint32_t value_size;
  NameId name;
  std::uint32_t ordinal;                     // among the pairs of its name
  std::atomic<std::uint32_t> removed_count;  // of the postings, series that were removed
  IdList postings;

  std::string_view view() const { return {value, value_size}; }
  std::uint32_t live_count() const {
    return postings.size() - removed_count.load(std::memory_order_relaxed);
  }
};
static_assert(sizeof(PairEntry) == 48);

struct HeadIndex::Rep {
  explicit Rep(base::MemoryAccount& account)
      : arena(account),
        names(account),
        pairs(account),
        words(account),
        series(account),
        name_table(account),
        pair_table(account) {}

  // In `series`: where in `words` the labels of an id begin; 0 for ids that were never added.
  // There: the number of labels, then a pair id for each, in order of the names.
  static constexpr std::uint32_t kRemoved = 0x80000000;

  static std::uint64_t name_hash(std::string_view name) {
    return XXH3_64bits(name.data(), name.size());
  }
  static std::uint64_t pair_hash(NameId name, std::string_view value) {
    return XXH3_64bits_withSeed(value.data(), value.size(), name);
  }

  const NameEntry* find_name(std::string_view name) const {
    const NameId id = find_name_id(name);
    return id == IdTable::kNone ? nullptr : &names[id];
  }
  NameId find_name_id(std::string_view name) const {
    return name_table.find(name_hash(name),
                           [&](NameId candidate) { return names[candidate].view() == name; });
  }
  PairId find_pair_id(NameId name, std::string_view value) const {
    return pair_table.find(pair_hash(name, value), [&](PairId candidate) {
      const PairEntry& pair = pairs[candidate];
      return pair.name == name && pair.view() == value;
    });
  }

  // Nothing for an id that this generation does not have.
  std::span<const PairId> pairs_of(SeriesId id) const {
    if (static_cast<std::uint32_t>(id) > bound.load(std::memory_order_acquire)) return {};
    const std::uint32_t at =
        series[static_cast<std::uint32_t>(id)].load(std::memory_order_acquire) & ~kRemoved;
    if (at == 0) return {};
    const std::uint32_t* const record = &words[at];
    return {record + 1, record[0]};
  }
  bool removed(SeriesId id) const {
    return (series[static_cast<std::uint32_t>(id)].load(std::memory_order_acquire) & kRemoved) != 0;
  }
  // The pair by which a series has a name, or kNone. Series of one metric have a name at the same
  // place; `guess` remembers it from call to call.
  PairId pair_with_name(SeriesId id, NameId name, std::size_t& guess) const {
    const std::span<const PairId> of_series = pairs_of(id);
    if (guess < of_series.size() && pairs[of_series[guess]].name == name) return of_series[guess];
    for (std::size_t i = 0; i < of_series.size(); ++i) {
      if (pairs[of_series[i]].name == name) {
        guess = i;
        return of_series[i];
      }
    }
    return IdTable::kNone;
  }
  // Whether the pair is on a series that is not beyond bound and not removed.
  bool pair_in_use(const PairEntry& pair, SeriesId bound) const;

  NameId intern_name(std::string_view name);
  PairId intern_pair(NameId name, std::string_view value);
  // Makes `last_pairs` the labels of a new series.
  void append_series(std::uint32_t id);

  Arena arena;
  StableArray<NameEntry, 10, 65'536> names;
  StableArray<PairEntry, 12, 65'536> pairs;
  StableArray<std::uint32_t, 18, 8'192> words;
  StableArray<std::atomic<std::uint32_t>, 18, 16'384> series;
  IdTable name_table;
  IdTable pair_table;

  std::atomic<std::uint32_t> bound{0};
  std::atomic<std::uint32_t> added_count{0};
  std::atomic<std::uint32_t> removed_count{0};
  std::atomic<std::uint32_t> name_count{0};
  std::atomic<std::uint32_t> pair_count{0};

  // The writer's.
  std::uint32_t words_used = 1;    // word 0 stands for "no labels"
  std::vector<PairId> last_pairs;  // of the series added last: the next one shares most of them
};

}  // namespace varve::storage::index
