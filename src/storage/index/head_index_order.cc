// SPDX-License-Identifier: Apache-2.0
// Series in the order of their labels, as blocks want them. A million series share few labels, so
// the distinct labels are sorted once and the series by the ranks of theirs, one label at a time.
#include <algorithm>

#include "storage/index/head_index_rep.h"

namespace varve::storage::index {
namespace {

struct Keyed {
  std::uint32_t rank;  // of the label looked at; 0: there is none
  std::uint32_t id;
};

// Series that have the first `depth` labels in common.
struct Group {
  std::size_t begin, end;
  std::uint32_t depth;
};

// By pair id, from 1, in the order in which Labels compare; 0 for pairs that none of the ids has.
std::vector<std::uint32_t> ranks_of(const HeadIndex::Rep& rep, IdSpan ids) {
  std::vector<std::uint32_t> ranks(rep.pair_count.load(std::memory_order_acquire));
  std::vector<PairId> used;
  for (const SeriesId id : ids) {
    for (const PairId pair : rep.pairs_of(id)) {
      if (ranks[pair] != 0) continue;
      ranks[pair] = 1;
      used.push_back(pair);
    }
  }
  std::sort(used.begin(), used.end(), [&rep](PairId a, PairId b) {
    const PairEntry& left = rep.pairs[a];
    const PairEntry& right = rep.pairs[b];
    if (left.name != right.name) return rep.names[left.name].view() < rep.names[right.name].view();
    return left.view() < right.view();
  });
  for (std::size_t i = 0; i < used.size(); ++i) ranks[used[i]] = static_cast<std::uint32_t>(i + 1);
  return ranks;
}

}  // namespace

Ids HeadIndex::label_order(IdSpan ids) const {
  const Rep& rep = *rep_;
  const std::vector<std::uint32_t> ranks = ranks_of(rep, ids);
  std::vector<Keyed> series;
  series.reserve(ids.size());
  for (const SeriesId id : ids) series.push_back({0, static_cast<std::uint32_t>(id)});

  std::vector<Group> todo;
  if (series.size() > 1) todo.push_back({0, series.size(), 0});
  while (!todo.empty()) {
    const Group group = todo.back();
    todo.pop_back();
    const auto begin = series.begin() + static_cast<std::ptrdiff_t>(group.begin);
    const auto end = series.begin() + static_cast<std::ptrdiff_t>(group.end);
    bool sorted = true;
    std::uint32_t last = 0;
    for (auto at = begin; at != end; ++at) {
      const std::span<const PairId> pairs = rep.pairs_of(SeriesId{at->id});
      at->rank = group.depth < pairs.size() ? ranks[pairs[group.depth]] : 0;
      sorted = sorted && last <= at->rank;
      last = at->rank;
    }
    if (!sorted) {
      std::sort(begin, end, [](const Keyed& a, const Keyed& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.id < b.id;
      });
    }
    for (std::size_t i = group.begin; i < group.end;) {
      std::size_t next = i + 1;
      while (next < group.end && series[next].rank == series[i].rank) ++next;
      if (next - i > 1 && series[i].rank != 0) todo.push_back({i, next, group.depth + 1});
      i = next;
    }
  }

  Ids out;
  out.reserve(series.size());
  for (const Keyed& one : series) out.push_back(SeriesId{one.id});
  return out;
}

}  // namespace varve::storage::index
