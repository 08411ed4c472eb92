// SPDX-License-Identifier: Apache-2.0
// The writing side of the head's index.
#include "storage/index/head_index.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "storage/index/head_index_rep.h"

namespace varve::storage::index {

HeadIndex::HeadIndex(base::MemoryAccount& account) : rep_(std::make_unique<Rep>(account)) {}
HeadIndex::~HeadIndex() = default;

NameId HeadIndex::Rep::intern_name(std::string_view name) {
  const NameId known = find_name_id(name);
  if (known != IdTable::kNone) return known;
  const NameId id = name_count.load(std::memory_order_relaxed);
  names.reserve(id);
  char* const text = arena.take(name.size(), 1);
  std::memcpy(text, name.data(), name.size());
  NameEntry& entry = names[id];
  entry.text = text;
  entry.text_size = static_cast<std::uint32_t>(name.size());
  name_table.insert(name_hash(name), id);
  name_count.store(id + 1, std::memory_order_release);
  return id;
}

PairId HeadIndex::Rep::intern_pair(NameId name, std::string_view value) {
  const PairId known = find_pair_id(name, value);
  if (known != IdTable::kNone) return known;
  const PairId id = pair_count.load(std::memory_order_relaxed);
  pairs.reserve(id);
  char* const text = arena.take(value.size(), 1);
  std::memcpy(text, value.data(), value.size());
  PairEntry& entry = pairs[id];
  entry.value = text;
  entry.value_size = static_cast<std::uint32_t>(value.size());
  entry.name = name;
  entry.ordinal = names[name].pairs.size();
  names[name].pairs.append(id, arena);
  pair_table.insert(pair_hash(name, value), id);
  pair_count.store(id + 1, std::memory_order_release);
  return id;
}

void HeadIndex::add(SeriesId series_id, const Labels& labels) {
  Rep& rep = *rep_;
  const auto id = static_cast<std::uint32_t>(series_id);
  VARVE_CHECK(id > rep.bound.load(std::memory_order_relaxed));

  std::size_t count = 0;
  for (const LabelView& label : labels) {
    // Scrapes and senders list a target's series one after the other, and canonical order puts
    // equal names at equal places: comparing with the last series saves most look-ups.
    if (count < rep.last_pairs.size()) {
      const PairEntry& last = rep.pairs[rep.last_pairs[count]];
      if (rep.names[last.name].view() == label.name) {
        if (last.view() != label.value) {
          rep.last_pairs[count] = rep.intern_pair(last.name, label.value);
        }
        ++count;
        continue;
      }
    }
    const PairId pair = rep.intern_pair(rep.intern_name(label.name), label.value);
    if (count < rep.last_pairs.size()) {
      rep.last_pairs[count] = pair;
    } else {
      rep.last_pairs.push_back(pair);
    }
    ++count;
  }
  rep.last_pairs.resize(count);
  rep.append_series(id);
}

void HeadIndex::Rep::append_series(std::uint32_t id) {
  Rep& rep = *this;
  const std::size_t count = rep.last_pairs.size();
  VARVE_CHECK(count <= kLabelsMax);

  // A record does not cross blocks, so that it is one span.
  constexpr std::size_t kBlockWords = decltype(rep.words)::kBlockSize;
  if (rep.words_used % kBlockWords + count + 1 > kBlockWords) {
    rep.words_used += static_cast<std::uint32_t>(kBlockWords - rep.words_used % kBlockWords);
  }
  const std::uint32_t at = rep.words_used;
  rep.words.reserve(at + count);
  rep.words_used += static_cast<std::uint32_t>(count + 1);
  std::uint32_t* const record = &rep.words[at];
  record[0] = static_cast<std::uint32_t>(count);
  if (count > 0) std::memcpy(record + 1, rep.last_pairs.data(), count * sizeof(PairId));

  rep.series.reserve(id);
  rep.series[id].store(at, std::memory_order_release);
  for (const PairId pair_id : rep.last_pairs) {
    PairEntry& pair = rep.pairs[pair_id];
    pair.postings.append(id, rep.arena);
    std::atomic<std::uint32_t>& with_name = rep.names[pair.name].series_count;
    with_name.store(with_name.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  rep.added_count.store(rep.added_count.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  rep.bound.store(id, std::memory_order_release);
}

void HeadIndex::remove(SeriesId id) {
  Rep& rep = *rep_;
  VARVE_CHECK(id <= bound() && id != SeriesId::kNone);
  std::atomic<std::uint32_t>& entry = rep.series[static_cast<std::uint32_t>(id)];
  const std::uint32_t at = entry.load(std::memory_order_relaxed);
  VARVE_CHECK(at != 0);
  if ((at & Rep::kRemoved) != 0) return;
  entry.store(at | Rep::kRemoved, std::memory_order_release);
  for (const PairId pair : rep.pairs_of(id)) {
    rep.pairs[pair].removed_count.fetch_add(1, std::memory_order_relaxed);
  }
  rep.removed_count.fetch_add(1, std::memory_order_release);
}

void HeadIndex::add_live(const HeadIndex& from, SeriesId after, SeriesId bound) {
  const Rep& old = *from.rep_;
  Rep& rep = *rep_;
  // What a pair of the other index is called here.
  std::vector<PairId> known(old.pair_count.load(std::memory_order_acquire), IdTable::kNone);
  const auto last = static_cast<std::uint32_t>(std::min(bound, from.bound()));
  // Counted with 64 bits: the last id may be the largest there is.
  for (std::uint64_t id = std::uint64_t{static_cast<std::uint32_t>(after)} + 1; id <= last; ++id) {
    const std::uint32_t at = old.series[id].load(std::memory_order_acquire);
    if (at == 0 || (at & Rep::kRemoved) != 0) continue;
    const std::span<const PairId> pairs = old.pairs_of(static_cast<SeriesId>(id));
    rep.last_pairs.assign(pairs.begin(), pairs.end());
    for (PairId& pair : rep.last_pairs) {
      PairId& here = known[pair];
      if (here == IdTable::kNone) {
        const PairEntry& entry = old.pairs[pair];
        here = rep.intern_pair(rep.intern_name(old.names[entry.name].view()), entry.view());
      }
      pair = here;
    }
    rep.append_series(static_cast<std::uint32_t>(id));
  }
}

Status HeadIndex::has_room() const {
  const Rep& rep = *rep_;
  constexpr std::size_t kBlockWords = decltype(rep.words)::kBlockSize;
  const auto room = [](std::size_t used, std::size_t size_max) {
    return used + kLabelsMax + 1 <= size_max;
  };
  if (!room(rep.name_count.load(std::memory_order_relaxed), decltype(rep.names)::kSizeMax) ||
      !room(rep.pair_count.load(std::memory_order_relaxed), decltype(rep.pairs)::kSizeMax)) {
    return Error(ErrorCode::kLimitExceeded, "the head's index has too many label values");
  }
  if (!room(rep.words_used + kBlockWords, decltype(rep.words)::kSizeMax)) {
    return Error(ErrorCode::kLimitExceeded, "the head's index has too many labels");
  }
  return {};
}

SeriesId HeadIndex::bound() const { return SeriesId{rep_->bound.load(std::memory_order_acquire)}; }

std::size_t HeadIndex::series_count() const {
  // Removed first: it never exceeds what was added before it was read.
  const std::size_t removed = rep_->removed_count.load(std::memory_order_acquire);
  return rep_->added_count.load(std::memory_order_relaxed) - removed;
}

bool HeadIndex::has(SeriesId id) const {
  if (id == SeriesId::kNone || id > bound()) return false;
  const std::uint32_t at =
      rep_->series[static_cast<std::uint32_t>(id)].load(std::memory_order_acquire);
  return at != 0 && (at & Rep::kRemoved) == 0;
}

std::size_t HeadIndex::removed_count() const {
  return rep_->removed_count.load(std::memory_order_acquire);
}

}  // namespace varve::storage::index
