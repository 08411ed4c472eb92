// SPDX-License-Identifier: Apache-2.0
#include "storage/gone.h"

#include <algorithm>
#include <utility>

namespace varve::storage {
namespace {

constexpr TimeRange kAll = TimeRange::all();
// People change their policies a few times a year, and a list is forgotten when nothing that it let
// go would still be there otherwise.
constexpr std::size_t kListsMax = 32;

}  // namespace

void add_stretch(Stretches& into, TimeRange one) {
  if (one.empty()) return;
  Stretches all = std::move(into);
  all.push_back(one);
  std::sort(all.begin(), all.end(),
            [](const TimeRange& a, const TimeRange& b) { return a.min_ms < b.min_ms; });
  into.clear();
  for (const TimeRange& each : all) {
    const bool joined = !into.empty() && (into.back().max_ms == kAll.max_ms ||
                                          each.min_ms <= into.back().max_ms + 1);
    if (joined) {
      into.back().max_ms = std::max(into.back().max_ms, each.max_ms);
    } else {
      into.push_back(each);
    }
  }
}

Stretches without(const Stretches& from, const Stretches& away) {
  Stretches left;
  for (TimeRange one : from) {
    bool any = true;
    for (const TimeRange& out : away) {
      if (!out.overlaps(one)) continue;
      if (out.min_ms > one.min_ms) left.push_back({one.min_ms, out.min_ms - 1});
      any = out.max_ms < one.max_ms;
      if (!any) break;
      one.min_ms = out.max_ms + 1;
    }
    if (any) left.push_back(one);
  }
  return left;
}

Stretches common(const Stretches& a, const Stretches& b) {
  Stretches both;
  for (const TimeRange& one : a) {
    for (const TimeRange& other : b) {
      if (one.overlaps(other))
        both.push_back({std::max(one.min_ms, other.min_ms), std::min(one.max_ms, other.max_ms)});
    }
  }
  return both;
}

std::size_t class_in(const Policies& policies, const Labels& labels) {
  const auto picked = std::find_if(policies.begin(), policies.end(), [&](const auto& matchers) {
    return std::all_of(matchers.begin(), matchers.end(), [&](const model::Matcher& matcher) {
      return matcher.matches(labels.get(matcher.name()));
    });
  });
  return static_cast<std::size_t>(picked - policies.begin());
}

Stretches Gone::of_series(std::int64_t resolution_ms, std::span<const std::size_t> classes) const {
  Stretches gone;
  const auto all = before.find(resolution_ms);
  if (all != before.end() && all->second != kAll.min_ms) gone.push_back({kAll.min_ms, all->second});
  for (std::size_t i = 0; i < of.size() && i < classes.size(); ++i) {
    const auto marks = of[i].marks.find(resolution_ms);
    if (marks == of[i].marks.end() || classes[i] >= marks->second.size()) continue;
    for (const TimeRange& one : marks->second[classes[i]]) add_stretch(gone, one);
  }
  return gone;
}

Stretches Gone::of_any(std::int64_t resolution_ms) const {
  Stretches gone = of_series(resolution_ms, {});
  for (const GoneOf& list : of) {
    const auto marks = list.marks.find(resolution_ms);
    if (marks == list.marks.end()) continue;
    for (const Stretches& own : marks->second) {
      for (const TimeRange& one : own) add_stretch(gone, one);
    }
  }
  return gone;
}

bool Gone::note(std::int64_t resolution_ms, const Policies& policies, std::size_t series_class,
                TimeRange range) {
  auto list = std::find_if(of.begin(), of.end(),
                           [&](const GoneOf& one) { return *one.policies == policies; });
  if (list == of.end()) {
    if (of.size() >= kListsMax) return false;
    of.push_back({std::make_shared<const Policies>(policies), {}});
    list = of.end() - 1;
  }
  std::vector<Stretches>& marks = list->marks[resolution_ms];
  marks.resize(policies.size() + 1);
  add_stretch(marks[series_class], range);
  return true;
}

bool Gone::keep_since(const Gone& older, TimeRange kept) {
  Gone next = *this;
  for (const auto& [resolution_ms, until_ms] : before) {
    if (older.before.count(resolution_ms) == 0) continue;
    // What nobody had then may have come since, so that now counts.
    Stretches nobodys = older.of_series(resolution_ms, {});
    for (const GoneOf& list : older.of) {
      const auto marks = list.marks.find(resolution_ms);
      if (!list.policies->empty() || marks == list.marks.end()) continue;
      for (const TimeRange& one : marks->second.front()) add_stretch(nobodys, one);
    }
    const Stretches then = without({kept}, nobodys);
    if (common(of_any(resolution_ms), then).empty()) continue;
    next.before[resolution_ms] = kAll.min_ms;
    for (GoneOf& list : next.of) {
      const auto marks = list.marks.find(resolution_ms);
      if (marks == list.marks.end()) continue;
      for (Stretches& own : marks->second) own = without(own, then);
    }
    for (const TimeRange& one : without(of_series(resolution_ms, {}), then)) {
      if (!next.note(resolution_ms, {}, 0, one)) return false;
    }
    for (const GoneOf& list : older.of) {
      const auto marks = list.marks.find(resolution_ms);
      if (marks == list.marks.end()) continue;
      for (std::size_t c = 0; c < marks->second.size(); ++c) {
        for (const TimeRange& one : common(marks->second[c], then)) {
          if (!next.note(resolution_ms, *list.policies, c, one)) return false;
        }
      }
    }
  }
  *this = std::move(next);
  return true;
}

void Gone::prune() {
  for (GoneOf& list : of) {
    for (auto& [resolution_ms, marks] : list.marks) {
      const auto all = before.find(resolution_ms);
      for (Stretches& own : marks) {
        std::erase_if(own, [&](const TimeRange& one) {
          // A level that is not there any more has nothing to miss.
          return all == before.end() || one.max_ms <= all->second;
        });
      }
    }
    std::erase_if(list.marks, [](const auto& one) {
      return std::all_of(one.second.begin(), one.second.end(),
                         [](const Stretches& own) { return own.empty(); });
    });
  }
  std::erase_if(of, [](const GoneOf& list) { return list.marks.empty(); });
}

}  // namespace varve::storage
