// SPDX-License-Identifier: Apache-2.0
// Reading labels back: of one series, of a column of series, of the whole dictionary.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "storage/index/head_index_rep.h"

namespace varve::storage::index {
namespace {

// As Labels::bytes() has a string: its length, seven bits a byte, then itself.
std::size_t bytes_of(std::string_view text) {
  std::size_t bytes = 1 + text.size();
  for (std::size_t length = text.size(); length >= 0x80; length >>= 7) ++bytes;
  return bytes;
}

char* put_string(char* at, std::string_view text) {
  std::size_t length = text.size();
  for (; length >= 0x80; length >>= 7) *at++ = static_cast<char>(length | 0x80);
  *at++ = static_cast<char>(length);
  return std::copy(text.begin(), text.end(), at);
}

std::vector<std::string> sorted(std::vector<std::string> strings) {
  std::sort(strings.begin(), strings.end());
  return strings;
}

// Keeps the `limit` largest; among equals the one that came first.
class Largest {
 public:
  explicit Largest(std::size_t limit) : limit_(limit) {}

  template <typename MakeName>
  void offer(std::uint64_t count, MakeName make_name) {
    if (limit_ == 0 || count == 0) return;
    if (kept_.size() == limit_) {
      if (count <= kept_.front().count) return;
      std::pop_heap(kept_.begin(), kept_.end(), larger);
      kept_.pop_back();
    }
    kept_.push_back({make_name(), count});
    std::push_heap(kept_.begin(), kept_.end(), larger);
  }
  std::vector<Cardinality> take() {
    std::sort(kept_.begin(), kept_.end(), [](const Cardinality& a, const Cardinality& b) {
      return a.count != b.count ? a.count > b.count : a.name < b.name;
    });
    return std::move(kept_);
  }

 private:
  static bool larger(const Cardinality& a, const Cardinality& b) { return a.count > b.count; }

  std::size_t limit_;
  std::vector<Cardinality> kept_;  // a heap with the smallest in front
};

}  // namespace

bool HeadIndex::Rep::pair_in_use(const PairEntry& pair, SeriesId up_to) const {
  if (pair.postings.size() == 0) return false;  // being added right now
  const auto last = static_cast<std::uint32_t>(up_to);
  if (pair.postings.front() > last) return false;
  if (pair.removed_count.load(std::memory_order_acquire) == 0) return true;
  bool found = false;
  pair.postings.visit_runs([&](std::span<const std::uint32_t> run) {
    for (const std::uint32_t id : run) {
      if (id > last) return false;
      if (!removed(SeriesId{id})) {
        found = true;
        return false;
      }
    }
    return true;
  });
  return found;
}

Labels HeadIndex::labels(SeriesId id) const {
  std::size_t size = 0;
  for (const PairId pair_id : rep_->pairs_of(id)) {
    const PairEntry& pair = rep_->pairs[pair_id];
    size += bytes_of(rep_->names[pair.name].view()) + bytes_of(pair.view());
  }
  std::string bytes(size, '\0');
  char* at = bytes.data();
  for (const PairId pair_id : rep_->pairs_of(id)) {
    const PairEntry& pair = rep_->pairs[pair_id];
    at = put_string(at, rep_->names[pair.name].view());
    at = put_string(at, pair.view());
  }
  return Labels::from_bytes(std::move(bytes));
}

std::string_view HeadIndex::label(SeriesId id, std::string_view name) const {
  const NameId name_id = rep_->find_name_id(name);
  if (name_id == IdTable::kNone) return {};
  std::size_t guess = 0;
  const PairId pair = rep_->pair_with_name(id, name_id, guess);
  return pair == IdTable::kNone ? std::string_view() : rep_->pairs[pair].view();
}

LabelColumn HeadIndex::label_column(IdSpan ids, std::string_view name) const {
  LabelColumn column;
  column.ids.resize(ids.size());
  column.values.emplace_back();
  const NameId name_id = rep_->find_name_id(name);
  if (name_id == IdTable::kNone) return column;
  const auto number_of = [&](std::uint32_t& number, PairId pair) {
    if (number == 0) {
      number = static_cast<std::uint32_t>(column.values.size());
      column.values.push_back(rep_->pairs[pair].view());
    }
    return number;
  };
  std::size_t guess = 0;
  const std::size_t values = rep_->names[name_id].pairs.size();
  // A table of all values, unless it would be much larger than the column.
  if (values / 8 <= ids.size()) {
    std::vector<std::uint32_t> numbers(values);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const PairId pair = rep_->pair_with_name(ids[i], name_id, guess);
      if (pair != IdTable::kNone) {
        column.ids[i] = number_of(numbers[rep_->pairs[pair].ordinal], pair);
      }
    }
    return column;
  }
  std::unordered_map<PairId, std::uint32_t> numbers;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const PairId pair = rep_->pair_with_name(ids[i], name_id, guess);
    if (pair != IdTable::kNone) column.ids[i] = number_of(numbers[pair], pair);
  }
  return column;
}

std::vector<std::string> HeadIndex::label_names(SeriesId bound) const {
  std::vector<std::string> out;
  const NameId count = rep_->name_count.load(std::memory_order_acquire);
  for (NameId id = 0; id < count; ++id) {
    const NameEntry& name = rep_->names[id];
    bool in_use = false;
    name.pairs.visit_runs([&](std::span<const PairId> run) {
      in_use = std::any_of(run.begin(), run.end(), [&](PairId pair) {
        return rep_->pair_in_use(rep_->pairs[pair], bound);
      });
      return !in_use;
    });
    if (in_use) out.emplace_back(name.view());
  }
  return sorted(std::move(out));
}

std::vector<std::string> HeadIndex::label_names(IdSpan ids) const {
  std::vector<char> seen(rep_->name_count.load(std::memory_order_acquire));
  std::vector<std::string> out;
  for (const SeriesId id : ids) {
    for (const PairId pair : rep_->pairs_of(id)) {
      const NameId name = rep_->pairs[pair].name;
      if (seen[name] != 0) continue;
      seen[name] = 1;
      out.emplace_back(rep_->names[name].view());
    }
  }
  return sorted(std::move(out));
}

std::vector<std::string> HeadIndex::label_values(std::string_view name, SeriesId bound) const {
  std::vector<std::string> out;
  const NameEntry* const entry = rep_->find_name(name);
  if (entry == nullptr) return out;
  entry->pairs.visit_runs([&](std::span<const PairId> run) {
    for (const PairId id : run) {
      const PairEntry& pair = rep_->pairs[id];
      if (rep_->pair_in_use(pair, bound)) out.emplace_back(pair.view());
    }
    return true;
  });
  return sorted(std::move(out));
}

std::vector<std::string> HeadIndex::label_values(std::string_view name, IdSpan ids) const {
  const LabelColumn column = label_column(ids, name);
  std::vector<std::string> out(column.values.begin() + 1, column.values.end());
  return sorted(std::move(out));
}

IndexStats HeadIndex::stats(std::size_t limit) const {
  IndexStats stats;
  stats.series_count = series_count();
  Largest metrics(limit);
  Largest values(limit);
  Largest bytes(limit);
  Largest pairs(limit);
  const NameId count = rep_->name_count.load(std::memory_order_acquire);
  for (NameId id = 0; id < count; ++id) {
    const NameEntry& name = rep_->names[id];
    const bool is_metric = name.view() == kMetricName;
    std::uint64_t value_count = 0;
    std::uint64_t value_bytes = 0;
    name.pairs.visit_runs([&](std::span<const PairId> run) {
      for (const PairId pair_id : run) {
        const PairEntry& pair = rep_->pairs[pair_id];
        const std::uint64_t series = pair.live_count();
        if (series == 0) continue;
        ++value_count;
        value_bytes += series * pair.value_size;
        if (is_metric) metrics.offer(series, [&] { return std::string(pair.view()); });
        pairs.offer(series,
                    [&] { return std::string(name.view()).append("=").append(pair.view()); });
      }
      return true;
    });
    // Series may have left and taken the last values with them.
    if (value_count == 0) continue;
    stats.pair_count += value_count;
    values.offer(value_count, [&] { return std::string(name.view()); });
    bytes.offer(value_bytes, [&] { return std::string(name.view()); });
  }
  stats.series_by_metric = metrics.take();
  stats.values_by_label = values.take();
  stats.bytes_by_label = bytes.take();
  stats.series_by_pair = pairs.take();
  return stats;
}

}  // namespace varve::storage::index
