// SPDX-License-Identifier: Apache-2.0
#include "api/cardinality_count.h"

#include <xxhash.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "api/bucket_presence.h"
#include "base/try.h"

namespace varve::api {
namespace {

constexpr std::string_view kMetricName = "__name__";
// Series whose samples are looked for at once, between two looks at whether to go on.
constexpr std::size_t kBatch = 8192;

// What a series costs while it is counted, with its place in the selection; and a label's value.
constexpr std::int64_t kSeriesBytes = 100;
constexpr std::int64_t kValueBytes = 120;

Status charge(const CardinalityQuery& query, std::size_t things, std::int64_t bytes_each) {
  if (query.memory == nullptr) return {};
  return query.memory->grow(static_cast<std::int64_t>(things) * bytes_each);
}

void release(const CardinalityQuery& query, std::size_t things, std::int64_t bytes_each) {
  if (query.memory != nullptr) query.memory->shrink(static_cast<std::int64_t>(things) * bytes_each);
}

// The series of one range.
struct Side {
  std::unique_ptr<storage::Querier> querier;
  std::unique_ptr<storage::Selection> selection;
  std::vector<std::uint32_t> alive;  // ordinals of the series that have a sample or a bucket there
  std::vector<std::uint64_t> hashes;   // of their labels, in any order of these
  std::vector<std::string> names;      // of labels, sorted
  storage::LabelColumn metrics;
};

Result<Side> load(const storage::Queryable& storage, const CardinalityQuery& query,
                  TimeRange range) {
  Side side;
  VARVE_TRY_ASSIGN(side.querier, storage.querier(range));
  storage::SelectHints hints;
  hints.series_max = kCardinalitySeriesMax;
  hints.max_source_resolution_ms = storage::kSourceAuto;
  VARVE_TRY_ASSIGN(side.selection, side.querier->select(query.matchers, range, hints));
  VARVE_TRY(charge(query, side.selection->size(), kSeriesBytes));
  VARVE_TRY_ASSIGN(storage::Querier::Names names, side.querier->label_names(query.matchers, range));
  side.names = std::move(names.names);
  // What was selected may have samples: a block of a week is selected for each of its days.
  const std::size_t size = side.selection->size();
  std::vector<std::uint32_t> batch;
  std::vector<storage::LastSample> last;
  for (std::size_t begin = 0; begin < size; begin += kBatch) {
    VARVE_TRY(query.interrupt());
    batch.resize(std::min(kBatch, size - begin));
    std::iota(batch.begin(), batch.end(), static_cast<std::uint32_t>(begin));
    last.assign(batch.size(), {});
    VARVE_TRY(side.selection->read_last(batch, range, last));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (last[i].kind != storage::LastSample::Kind::kNone ||
          has_bucket(*side.selection, batch[i], range)) {
        side.alive.push_back(batch[i]);
      }
    }
  }
  side.hashes.assign(side.alive.size(), 0);
  return side;
}

// The series of a side by value id of one label; adds the label to their hashes.
std::vector<std::uint64_t> count_values(Side& side, const storage::LabelColumn& column,
                                        std::uint64_t name_hash) {
  std::vector<std::uint64_t> counts(column.values.size(), 0);
  std::vector<std::uint64_t> hash_of(column.values.size(), 0);
  for (std::size_t i = 0; i < side.alive.size(); ++i) {
    const std::uint32_t id = column.ids[side.alive[i]];
    if (id == 0) continue;
    if (counts[id]++ == 0) {
      const std::string_view value = column.values[id];
      hash_of[id] = XXH3_64bits_withSeed(value.data(), value.size(), name_hash);
    }
    side.hashes[i] += hash_of[id];  // a sum, as sides need not agree on the order of their labels
  }
  return counts;
}

// The best `limit` of what is added.
class Top {
 public:
  Top(std::size_t limit, bool by_growth) : limit_(limit), by_growth_(by_growth) {}

  void add(CardinalityEntry entry) {
    entries_.push_back(std::move(entry));
    if (entries_.size() >= 4 * limit_ + 64) cut();
  }
  std::vector<CardinalityEntry> take() {
    cut();
    std::sort(entries_.begin(), entries_.end(), order());
    return std::move(entries_);
  }

 private:
  std::function<bool(const CardinalityEntry&, const CardinalityEntry&)> order() const {
    return [growth = by_growth_](const CardinalityEntry& a, const CardinalityEntry& b) {
      const auto change = [](const CardinalityEntry& e) {
        return e.count > e.before ? e.count - e.before : e.before - e.count;
      };
      if (growth && change(a) != change(b)) return change(a) > change(b);
      if (a.count != b.count) return a.count > b.count;
      return std::tie(a.name, a.value) < std::tie(b.name, b.value);
    };
  }
  void cut() {
    if (entries_.size() <= limit_) return;
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(limit_);
    std::nth_element(entries_.begin(), end, entries_.end(), order());
    entries_.erase(end, entries_.end());
  }

  const std::size_t limit_;
  const bool by_growth_;
  std::vector<CardinalityEntry> entries_;
};

struct Counts {
  std::uint64_t now = 0, before = 0, fresh = 0;
};
using CountsByValue = std::unordered_map<std::string_view, Counts>;

// Which series of `side` the other one does not have, a flag for each of the alive.
std::vector<bool> missing_in(const Side& other, const Side& side) {
  std::vector<std::uint64_t> sorted = other.hashes;
  std::sort(sorted.begin(), sorted.end());
  std::vector<bool> missing(side.hashes.size());
  for (std::size_t i = 0; i < side.hashes.size(); ++i) {
    missing[i] = !std::binary_search(sorted.begin(), sorted.end(), side.hashes[i]);
  }
  return missing;
}

}  // namespace

Result<Cardinality> count_cardinality(const storage::Queryable& storage,
                                      const CardinalityQuery& query) {
  VARVE_TRY_ASSIGN(Side now, load(storage, query, query.range));
  std::optional<Side> before;
  if (query.before) {
    VARVE_TRY_ASSIGN(before, load(storage, query, *query.before));
  }
  std::vector<std::string> names = now.names;
  if (before) {
    names.clear();
    std::set_union(now.names.begin(), now.names.end(), before->names.begin(), before->names.end(),
                   std::back_inserter(names));
  }

  Top labels(query.limit, query.by_growth), pairs(query.limit, query.by_growth);
  CountsByValue metrics;
  for (const std::string& name : names) {
    VARVE_TRY(query.interrupt());
    const std::uint64_t name_hash = XXH3_64bits(name.data(), name.size());
    CountsByValue values;  // its keys live as long as the selections
    std::size_t charged = 0;
    const auto add = [&](Side& side, std::uint64_t Counts::*member) -> Status {
      storage::LabelColumn column = side.selection->label_column(name);
      VARVE_TRY(charge(query, column.values.size(), kValueBytes));
      charged += column.values.size();
      const std::vector<std::uint64_t> counts = count_values(side, column, name_hash);
      for (std::size_t id = 1; id < counts.size(); ++id) {
        if (counts[id] > 0) values[column.values[id]].*member += counts[id];
      }
      if (name == kMetricName) side.metrics = std::move(column);
      return {};
    };
    VARVE_TRY(add(now, &Counts::now));
    if (before) VARVE_TRY(add(*before, &Counts::before));
    CardinalityEntry label{name, "", 0, 0, 0};
    for (const auto& [value, counts] : values) {
      if (counts.now > 0) ++label.count;
      if (counts.before > 0) ++label.before;
      if (name != kMetricName) {
        pairs.add({name, std::string(value), counts.now, counts.before, 0});
      }
    }
    if (label.count > 0 || label.before > 0) labels.add(std::move(label));
    if (name == kMetricName) {
      metrics = std::move(values);
    } else {
      release(query, charged, kValueBytes);
    }
  }

  Cardinality result;
  result.series = now.alive.size();
  if (before) {
    result.series_before = before->alive.size();
    const std::vector<bool> fresh = missing_in(*before, now);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (!fresh[i]) continue;
      ++result.fresh;
      if (now.metrics.ids.empty()) continue;
      const std::uint32_t id = now.metrics.ids[now.alive[i]];
      if (id != 0) ++metrics[now.metrics.values[id]].fresh;
    }
    const std::vector<bool> gone = missing_in(now, *before);
    result.gone = static_cast<std::uint64_t>(std::count(gone.begin(), gone.end(), true));
  }
  Top by_metric(query.limit, query.by_growth);
  for (const auto& [name, counts] : metrics) {
    by_metric.add({std::string(name), "", counts.now, counts.before, counts.fresh});
  }
  result.by_metric = by_metric.take();
  result.by_label = labels.take();
  result.by_pair = pairs.take();
  result.warnings = now.querier->warnings();
  if (before) {
    for (std::string& warning : before->querier->warnings()) {
      if (std::find(result.warnings.begin(), result.warnings.end(), warning) ==
          result.warnings.end()) {
        result.warnings.push_back(std::move(warning));
      }
    }
  }
  return result;
}

}  // namespace varve::api
