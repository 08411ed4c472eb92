// SPDX-License-Identifier: Apache-2.0
// Set algebra over sorted ids; each operation picks its way by how unlike the sizes are.
#include "storage/index/postings.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <queue>
#include <utility>

namespace varve::storage::index {
namespace {

// Lists of like length are merged, unlike ones galloped through.
constexpr std::size_t kGallopRatio = 8;

Ids intersect_merging(IdSpan a, IdSpan b) {
  Ids out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

std::size_t gallop(IdSpan ids, std::size_t from, SeriesId target) {
  std::size_t low = from;
  std::size_t high = from;
  for (std::size_t step = 1; high < ids.size() && ids[high] < target; step *= 2) {
    low = high + 1;
    high += step;
  }
  const auto begin = ids.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(std::min(high, ids.size()));
  return static_cast<std::size_t>(
      std::lower_bound(begin + static_cast<std::ptrdiff_t>(std::min(low, ids.size())), end,
                       target) -
      begin);
}

Ids intersect(IdSpan a, IdSpan b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() < a.size() * kGallopRatio) return intersect_merging(a, b);
  Ids out;
  std::size_t at = 0;
  for (const SeriesId id : a) {
    at = gallop(b, at, id);
    if (at == b.size()) break;
    if (b[at] == id) out.push_back(id);
  }
  return out;
}

Ids unite(std::span<const IdSpan> lists) {
  using Head = std::pair<SeriesId, std::size_t>;  // next id of a list, which list
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  std::vector<std::size_t> at(lists.size(), 0);
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!lists[i].empty()) heads.emplace(lists[i][0], i);
  }
  Ids out;
  while (!heads.empty()) {
    const auto [id, list] = heads.top();
    heads.pop();
    if (out.empty() || out.back() != id) out.push_back(id);
    // Label values of one name share no series, so their lists often follow each other in runs.
    const SeriesId limit = heads.empty() ? SeriesId{0xffffffff} : heads.top().first;
    std::size_t next = at[list] + 1;
    while (next < lists[list].size() && lists[list][next] < limit)
      out.push_back(lists[list][next++]);
    at[list] = next;
    if (next < lists[list].size()) heads.emplace(lists[list][next], list);
  }
  return out;
}

Ids subtract(IdSpan a, IdSpan b) {
  Ids out;
  std::size_t at = 0;
  for (const SeriesId id : a) {
    at = gallop(b, at, id);
    if (at == b.size() || b[at] != id) out.push_back(id);
  }
  return out;
}

}  // namespace varve::storage::index
