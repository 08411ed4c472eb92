// SPDX-License-Identifier: Apache-2.0
// Selecting in a block: as in the head's index, the matchers that name label values outright are
// intersected first, the smallest list leading; what needs a look at values is asked last, of the
// survivors or of the dictionary, whichever is less work.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/file_block.h"
#include "storage/block/ordinals.h"

namespace varve::storage::block {
namespace {

using model::Matcher;
using model::MatchType;

// Regexes are run on the dictionary unless survivors are fewer than a fourth of its values.
constexpr std::size_t kSurvivorsPerValue = 4;
// More excluded values than this are looked up per series instead of subtracted one by one.
constexpr std::size_t kSubtractMax = 16;
// More lists than this are not united: the column is gone through instead.
constexpr std::size_t kUniteMax = 64;
// A list so many times longer than the survivors is not read: their own values are looked up.
constexpr std::size_t kLookUpRatio = 128;

bool matches_every_value(const Matcher& matcher) {
  return (matcher.type() == MatchType::kRegex && matcher.matches_all_nonempty()) ||
         (matcher.type() == MatchType::kNotEqual && matcher.value().empty());
}
bool matches_no_value(const Matcher& matcher) {
  return (matcher.type() == MatchType::kNotRegex && matcher.matches_all_nonempty()) ||
         (matcher.type() == MatchType::kEqual && matcher.value().empty());
}

// By value id, whether the value matches; 0, the absent label, as the empty string does.
Result<std::vector<char>> matching_values(const Name& name, const Matcher& matcher) {
  const std::uint32_t end = name.values.size() + 1;
  const bool negative =
      matcher.type() == MatchType::kNotEqual || matcher.type() == MatchType::kNotRegex;
  std::vector<char> matching(end, negative ? 1 : 0);
  matching[0] = matcher.matches_empty() ? 1 : 0;
  // Values without the prefix all answer alike, and those with it stand together.
  const std::string_view prefix = matcher.prefix();
  std::uint32_t first = 1;
  if (!prefix.empty()) {
    VARVE_TRY_ASSIGN(first, name.values.lower_bound(prefix));
  }
  VARVE_TRY(name.values.visit(first, end, [&](std::uint32_t id, std::string_view value) {
    if (!value.starts_with(prefix)) return false;
    matching[id] = matcher.matches(value) ? 1 : 0;
    return true;
  }));
  return matching;
}

// One selection.
class Selector {
 public:
  explicit Selector(const FileBlock& block) : block_(block) {}

  Result<Ordinals> run(std::span<const Matcher> matchers) {
    VARVE_TRY_ASSIGN(const bool possible, sort_out(matchers));
    if (!possible) return Ordinals();
    VARVE_TRY(lead());
    for (const Include& include : includes_) {
      if (found_.empty()) return Ordinals();
      VARVE_TRY(keep_included(include));
    }
    for (const Value& value : excluded_) {
      Ordinals list;
      VARVE_TRY(read_list(value, list));
      drop_common(found_, list);
    }
    for (const Filter& filter : filters_) {
      if (found_.empty()) return Ordinals();
      VARVE_TRY(keep_matching(filter));
    }
    return std::move(found_);
  }

 private:
  struct Value {
    const Name* name;
    std::uint32_t id;
  };
  // Series that have one of these values.
  struct Include {
    const Name* name;
    std::vector<std::uint32_t> ids;
    std::uint64_t series_count = 0;
  };
  // Series whose value of a name matches.
  struct Filter {
    const Matcher* matcher;
    const Name* name;
  };

  // False if nothing can match.
  Result<bool> sort_out(std::span<const Matcher> matchers) {
    for (const Matcher& matcher : matchers) {
      VARVE_TRY_ASSIGN(const Name* name, block_.find_name(matcher.name()));
      if (name == nullptr) {  // every series has "" there
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
      std::vector<std::uint32_t> ids;
      for (const std::string_view value : values) {
        VARVE_TRY_ASSIGN(const std::uint32_t id, name->values.find(value));
        if (id != 0) ids.push_back(id);
      }
      if (negative) {
        for (const std::uint32_t id : ids) excluded_.push_back({name, id});
        continue;
      }
      if (ids.empty()) return false;
      VARVE_TRY(add_include(name, std::move(ids)));
    }
    return true;
  }

  Result<Extent> list_of(const Value& value) const {
    const Name& name = *value.name;
    VARVE_TRY_ASSIGN(const PackedArray::Bounds bounds,
                     name.postings_starts.bounds(value.id - 1, name.postings.size));
    return name.postings.part(bounds.begin, bounds.end - bounds.begin);
  }
  Status read_list(const Value& value, Ordinals& out) const {
    VARVE_TRY_ASSIGN(const Extent extent, list_of(value));
    return read_ordinals(extent, block_.count(), out);
  }

  Status add_include(const Name* name, std::vector<std::uint32_t> ids) {
    Include include{name, std::move(ids)};
    std::sort(include.ids.begin(), include.ids.end());
    if (include.ids.size() > kUniteMax) {
      include.series_count = name->series;  // not worth asking each
    } else {
      for (const std::uint32_t id : include.ids) {
        VARVE_TRY_ASSIGN(const Extent extent, list_of({name, id}));
        VARVE_TRY_ASSIGN(const std::uint32_t count, count_ordinals(extent));
        include.series_count += count;
      }
    }
    includes_.push_back(std::move(include));
    return {};
  }

  // Fills found_ from the smallest include. Without one, from the filter that promises least.
  Status lead() {
    if (includes_.empty()) {
      VARVE_TRY_ASSIGN(const bool filtered, lead_by_filter());
      if (filtered) return {};
      found_.resize(block_.count());
      std::iota(found_.begin(), found_.end(), 0U);
      return {};
    }
    std::sort(includes_.begin(), includes_.end(),
              [](const Include& a, const Include& b) { return a.series_count < b.series_count; });
    VARVE_TRY_ASSIGN(found_, united(includes_.front()));
    includes_.erase(includes_.begin());
    return {};
  }

  // Of a filter that needs a value, and is not just ".+". False if there is none.
  Result<bool> lead_by_filter() {
    auto best = filters_.end();
    for (auto it = filters_.begin(); it != filters_.end(); ++it) {
      if (it->matcher->matches_empty() || matches_every_value(*it->matcher)) continue;
      if (best == filters_.end() || it->name->series < best->name->series) best = it;
    }
    if (best == filters_.end()) return false;
    const Filter filter = *best;
    filters_.erase(best);
    VARVE_TRY_ASSIGN(const std::vector<char> matching,
                     matching_values(*filter.name, *filter.matcher));
    Include include{filter.name, {}};
    for (std::uint32_t id = 1; id < matching.size(); ++id) {
      if (matching[id] != 0) include.ids.push_back(id);
    }
    VARVE_TRY_ASSIGN(found_, united(include));
    return true;
  }

  Result<Ordinals> united(const Include& include) const {
    Ordinals out;
    if (include.ids.size() > kUniteMax) {
      std::vector<char> wanted(include.name->values.size() + std::size_t{1}, 0);
      for (const std::uint32_t id : include.ids) wanted[id] = 1;
      VARVE_TRY(
          include.name->column.visit([&](std::uint32_t begin, std::uint32_t end, std::uint32_t id) {
            if (wanted[id] == 0) return;
            for (; begin < end; ++begin) out.push_back(begin);
          }));
      return out;
    }
    for (const std::uint32_t id : include.ids) VARVE_TRY(read_list({include.name, id}, out));
    // Values of one name share no series, so sorting is all a union needs.
    if (include.ids.size() > 1) std::sort(out.begin(), out.end());
    return out;
  }

  Status keep_included(const Include& include) {
    if (found_.size() * kLookUpRatio < include.series_count) {
      std::vector<std::uint32_t> ids(found_.size());
      VARVE_TRY(include.name->column.gather(found_, ids));
      keep_if(ids, [&](std::uint32_t id) {
        return std::binary_search(include.ids.begin(), include.ids.end(), id);
      });
      return {};
    }
    VARVE_TRY_ASSIGN(const Ordinals list, united(include));
    keep_common(found_, list);
    return {};
  }

  // Keeps the survivors whose id of a name, as gathered, passes.
  template <typename Pass>
  void keep_if(std::span<const std::uint32_t> ids, Pass pass) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (pass(ids[i])) found_[kept++] = found_[i];
    }
    found_.resize(kept);
  }

  Status keep_matching(const Filter& filter) {
    const Matcher& matcher = *filter.matcher;
    const Name& name = *filter.name;
    std::vector<std::uint32_t> ids(found_.size());
    VARVE_TRY(name.column.gather(found_, ids));
    const bool keep_absent = matcher.matches_empty();
    if (matches_every_value(matcher) || matches_no_value(matcher)) {
      const bool keep_present = matches_every_value(matcher);
      keep_if(ids, [&](std::uint32_t id) { return id == 0 ? keep_absent : keep_present; });
      return {};
    }
    if (found_.size() >= name.values.size() / kSurvivorsPerValue) {
      VARVE_TRY_ASSIGN(const std::vector<char> matching, matching_values(name, matcher));
      keep_if(ids, [&](std::uint32_t id) { return matching[id] != 0; });
      return {};
    }
    std::vector<std::uint32_t> distinct(ids);
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (!distinct.empty() && distinct.front() == 0) distinct.erase(distinct.begin());
    std::vector<std::uint32_t> passing;
    VARVE_TRY(name.values.visit(distinct, [&](std::uint32_t id, std::string_view value) {
      if (matcher.matches(value)) passing.push_back(id);
      return true;
    }));
    keep_if(ids, [&](std::uint32_t id) {
      return id == 0 ? keep_absent : std::binary_search(passing.begin(), passing.end(), id);
    });
    return {};
  }

  const FileBlock& block_;
  std::vector<Include> includes_;
  std::vector<Value> excluded_;
  std::vector<Filter> filters_;
  Ordinals found_;
};

}  // namespace

Result<Ordinals> FileBlock::select(std::span<const model::Matcher> matchers) const {
  return Selector(*this).run(matchers);
}

}  // namespace varve::storage::block
