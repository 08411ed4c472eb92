// SPDX-License-Identifier: Apache-2.0
// Selecting: the matchers that name label values outright are intersected first, the smallest list
// leading; what needs a look at values is asked last, of the survivors or of the dictionary,
// whichever is less work.
#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "base/check.h"
#include "base/try.h"
#include "storage/index/head_index_rep.h"

namespace varve::storage::index {
namespace {

using model::Matcher;
using model::MatchType;

// Regexes are run on the dictionary unless survivors are fewer than a fourth of its values.
constexpr std::size_t kSurvivorsPerValue = 4;
// More excluded values than this are looked up per series instead of subtracted one by one.
constexpr std::size_t kSubtractMax = 16;

using RawIds = std::vector<std::uint32_t>;

}  // namespace

// One selection; lives on the stack of select().
class Selector {
 public:
  Selector(const HeadIndex::Rep& rep, SeriesId bound)
      : rep_(rep), bound_(static_cast<std::uint32_t>(bound)) {}

  Ids run(std::span<const Matcher> matchers) {
    if (!sort_out(matchers)) return {};
    if (!lead()) return {};
    for (const Include& include : includes_) {
      if (ids_.empty()) return {};
      keep_included(include);
    }
    for (const PairId pair : excluded_) subtract(rep_.pairs[pair].postings);
    for (const Filter& filter : filters_) {
      if (ids_.empty()) return {};
      keep_matching(filter);
    }
    drop_removed();
    Ids out(ids_.size());
    std::transform(ids_.begin(), ids_.end(), out.begin(),
                   [](std::uint32_t id) { return SeriesId{id}; });
    return out;
  }

 private:
  // Series that have one of these pairs.
  struct Include {
    std::vector<PairId> pairs;
    std::size_t series_count = 0;
  };
  // Series whose value of a name matches.
  struct Filter {
    const Matcher* matcher;
    NameId name;
  };

  // False if nothing can match.
  bool sort_out(std::span<const Matcher> matchers) {
    for (const Matcher& matcher : matchers) {
      const NameId name = rep_.find_name_id(matcher.name());
      if (name == IdTable::kNone) {  // every series has "" there
        if (!matcher.matches_empty()) return false;
        continue;
      }
      const bool regex =
          matcher.type() == MatchType::kRegex || matcher.type() == MatchType::kNotRegex;
      const bool negative =
          matcher.type() == MatchType::kNotEqual || matcher.type() == MatchType::kNotRegex;
      if (matcher.matches_all()) {
        if (negative) return false;
        continue;
      }
      std::vector<std::string_view> values;
      if (!regex) {
        values.push_back(matcher.value());
      } else {
        values.assign(matcher.literals().begin(), matcher.literals().end());
      }
      const bool has_empty = std::find(values.begin(), values.end(), "") != values.end();
      if (values.empty() || has_empty || (negative && values.size() > kSubtractMax)) {
        filters_.push_back({&matcher, name});
        continue;
      }
      std::vector<PairId> pairs;
      for (const std::string_view value : values) {
        const PairId pair = rep_.find_pair_id(name, value);
        if (pair != IdTable::kNone) pairs.push_back(pair);
      }
      if (negative) {
        excluded_.insert(excluded_.end(), pairs.begin(), pairs.end());
        continue;
      }
      if (pairs.empty()) return false;
      add_include(std::move(pairs));
    }
    return true;
  }

  void add_include(std::vector<PairId> pairs) {
    Include include{std::move(pairs)};
    for (const PairId pair : include.pairs)
      include.series_count += rep_.pairs[pair].postings.size();
    includes_.push_back(std::move(include));
  }

  // Fills ids_ from the smallest include. Without one, from the filter that promises least.
  bool lead() {
    if (includes_.empty()) {
      if (!lead_by_filter()) {
        all_ids();
        return true;
      }
      if (includes_.front().pairs.empty()) return false;
    }
    std::sort(includes_.begin(), includes_.end(),
              [](const Include& a, const Include& b) { return a.series_count < b.series_count; });
    ids_ = united(includes_.front());
    includes_.erase(includes_.begin());
    return true;
  }

  // Turns a filter that needs a value, and is not just ".+", into an include by running it over the
  // dictionary. False if there is none.
  bool lead_by_filter() {
    auto best = filters_.end();
    for (auto it = filters_.begin(); it != filters_.end(); ++it) {
      if (it->matcher->matches_empty() || matches_every_value(*it->matcher)) continue;
      if (best == filters_.end() || series_with(it->name) < series_with(best->name)) best = it;
    }
    if (best == filters_.end()) return false;
    const Matcher& matcher = *best->matcher;
    std::vector<PairId> pairs;
    rep_.names[best->name].pairs.visit_runs([&](std::span<const PairId> run) {
      for (const PairId pair : run) {
        if (matcher.matches(rep_.pairs[pair].view())) pairs.push_back(pair);
      }
      return true;
    });
    filters_.erase(best);
    add_include(std::move(pairs));
    return true;
  }

  static bool matches_every_value(const Matcher& matcher) {
    return (matcher.type() == MatchType::kRegex && matcher.matches_all_nonempty()) ||
           (matcher.type() == MatchType::kNotEqual && matcher.value().empty());
  }
  static bool matches_no_value(const Matcher& matcher) {
    return (matcher.type() == MatchType::kNotRegex && matcher.matches_all_nonempty()) ||
           (matcher.type() == MatchType::kEqual && matcher.value().empty());
  }

  std::uint32_t series_with(NameId name) const {
    return rep_.names[name].series_count.load(std::memory_order_relaxed);
  }

  void all_ids() {
    ids_.reserve(rep_.added_count.load(std::memory_order_relaxed));
    for (std::uint32_t id = 1; id != 0 && id <= bound_; ++id) {
      if (rep_.series[id].load(std::memory_order_acquire) != 0) ids_.push_back(id);
    }
  }

  RawIds united(const Include& include) const {
    RawIds out;
    out.reserve(include.series_count);
    for (const PairId pair : include.pairs) rep_.pairs[pair].postings.copy_to(bound_, out);
    // Pairs of one name share no series, so sorting is all a union needs.
    if (include.pairs.size() > 1) std::sort(out.begin(), out.end());
    return out;
  }

  void keep_included(const Include& include) {
    if (include.pairs.size() == 1) {
      IdList::Cursor cursor(rep_.pairs[include.pairs[0]].postings);
      std::erase_if(ids_, [&](std::uint32_t id) { return !cursor.seek(id); });
      return;
    }
    if (ids_.size() >= include.series_count) {
      const RawIds others = united(include);
      RawIds both;
      std::set_intersection(ids_.begin(), ids_.end(), others.begin(), others.end(),
                            std::back_inserter(both));
      ids_ = std::move(both);
      return;
    }
    // Fewer survivors than ids in the lists: look at the survivors' own pairs.
    std::vector<PairId> wanted = include.pairs;
    std::sort(wanted.begin(), wanted.end());
    const NameId name = rep_.pairs[wanted[0]].name;
    std::size_t guess = 0;
    std::erase_if(ids_, [&](std::uint32_t id) {
      const PairId pair = rep_.pair_with_name(SeriesId{id}, name, guess);
      return pair == IdTable::kNone || !std::binary_search(wanted.begin(), wanted.end(), pair);
    });
  }

  void subtract(const IdList& list) {
    IdList::Cursor cursor(list);
    std::erase_if(ids_, [&](std::uint32_t id) { return cursor.seek(id); });
  }

  void keep_matching(const Filter& filter) {
    const Matcher& matcher = *filter.matcher;
    const bool keep_absent = matcher.matches_empty();
    std::size_t guess = 0;
    if (matches_every_value(matcher) || matches_no_value(matcher)) {
      const bool keep_present = matches_every_value(matcher);
      std::erase_if(ids_, [&](std::uint32_t id) {
        const bool absent = rep_.pair_with_name(SeriesId{id}, filter.name, guess) == IdTable::kNone;
        return absent ? !keep_absent : !keep_present;
      });
      return;
    }
    const IdList& pairs = rep_.names[filter.name].pairs;
    const std::size_t values = pairs.size();
    if (ids_.size() < values / kSurvivorsPerValue) {
      std::unordered_map<PairId, bool> known;
      std::erase_if(ids_, [&](std::uint32_t id) {
        const PairId pair = rep_.pair_with_name(SeriesId{id}, filter.name, guess);
        if (pair == IdTable::kNone) return !keep_absent;
        const auto [it, is_new] = known.try_emplace(pair, false);
        if (is_new) it->second = matcher.matches(rep_.pairs[pair].view());
        return !it->second;
      });
      return;
    }
    std::vector<char> matching;  // by ordinal
    matching.reserve(values);
    pairs.visit_runs([&](std::span<const PairId> run) {
      for (const PairId pair : run) {
        matching.push_back(matcher.matches(rep_.pairs[pair].view()) ? 1 : 0);
      }
      return true;
    });
    std::erase_if(ids_, [&](std::uint32_t id) {
      const PairId pair = rep_.pair_with_name(SeriesId{id}, filter.name, guess);
      if (pair == IdTable::kNone) return !keep_absent;
      return matching[rep_.pairs[pair].ordinal] == 0;
    });
  }

  void drop_removed() {
    if (rep_.removed_count.load(std::memory_order_acquire) == 0) return;
    std::erase_if(ids_, [&](std::uint32_t id) { return rep_.removed(SeriesId{id}); });
  }

  const HeadIndex::Rep& rep_;
  const std::uint32_t bound_;
  std::vector<Include> includes_;
  std::vector<PairId> excluded_;
  std::vector<Filter> filters_;
  RawIds ids_;
};

Result<Ids> HeadIndex::select(std::span<const model::Matcher> matchers, SeriesId bound) const {
  if (std::all_of(matchers.begin(), matchers.end(),
                  [](const Matcher& matcher) { return matcher.matches_empty(); })) {
    return Error(ErrorCode::kInvalidArgument,
                 "match[] must contain at least one non-empty matcher");
  }
  return Selector(*rep_, bound).run(matchers);
}

Ids HeadIndex::all(SeriesId bound) const { return Selector(*rep_, bound).run({}); }

}  // namespace varve::storage::index
