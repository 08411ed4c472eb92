// SPDX-License-Identifier: Apache-2.0
#include "storage/block/packed.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/times.h"

namespace varve::storage::block {
namespace {

// With fewer runs than one in so many ordinals, runs are surely smaller than packed ids; with more
// than one in kRunsTried, surely larger.
constexpr std::size_t kRunsSure = 64;
constexpr std::size_t kRunsTried = 4;

void write_packed_ids(std::span<const std::uint32_t> ids, std::string& out) {
  PackedWriter packed;
  for (const std::uint32_t id : ids) packed.push(id);
  out += static_cast<char>(IdColumnKind::kPacked);
  packed.finish(out);
}

void write_runs(std::span<const std::uint32_t> ids, std::string& out) {
  PackedWriter starts;
  PackedWriter values;
  std::uint64_t runs = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (i > 0 && ids[i] == ids[i - 1]) continue;
    starts.push(i);
    values.push(ids[i]);
    ++runs;
  }
  out += static_cast<char>(IdColumnKind::kRuns);
  append_uvarint(out, runs);
  std::string starts_bytes;
  starts.finish(starts_bytes);
  append_uvarint(out, starts_bytes.size());
  out += starts_bytes;
  values.finish(out);
}

}  // namespace

void PackedWriter::close_group() {
  if (!blocks_.empty()) starts_.push_back(static_cast<std::uint32_t>(blocks_.size()));
  std::uint8_t block[codec::kTimesBytesMax];
  const std::size_t size =
      codec::encode_times(std::span<const Timestamp>(group_.data(), group_size_), block);
  blocks_.append(reinterpret_cast<const char*>(block), size);
  group_size_ = 0;
}

void PackedWriter::finish(std::string& out) {
  if (group_size_ > 0) close_group();
  out += blocks_;
  out.append(reinterpret_cast<const char*>(starts_.data()), starts_.size() * 4);
  reset();
}

void PackedWriter::reset() {
  group_size_ = 0;
  blocks_.clear();
  starts_.clear();
}

Status PackedArray::group(std::uint64_t group, PackedGroup& out) const {
  const std::uint64_t last = groups() - 1;
  if (extent_.size < last * 4)
    return extent_.corrupt(0, "packed array: shorter than its directory");
  const std::uint64_t blocks_bytes = extent_.size - last * 4;
  std::uint32_t begin = 0;
  std::uint64_t end = blocks_bytes;
  if (last > 0) {
    // Entry i is the start of group i + 1.
    const std::uint64_t from = group == 0 ? 0 : group - 1;
    const std::uint64_t to = std::min(group, last - 1);
    VARVE_TRY_ASSIGN(const std::string_view entries,
                     extent_.read(blocks_bytes + from * 4, (to - from + 1) * 4));
    if (group > 0) std::memcpy(&begin, entries.data(), 4);
    if (group < last) {
      std::uint32_t next = 0;
      std::memcpy(&next, entries.data() + entries.size() - 4, 4);
      end = next;
    }
  }
  if (begin > end || end > blocks_bytes) {
    return extent_.corrupt(blocks_bytes + group * 4, "packed array: bad directory");
  }
  VARVE_TRY_ASSIGN(const std::string_view bytes, extent_.read(begin, end - begin));
  out.size =
      static_cast<std::size_t>(std::min<std::uint64_t>(group_size_, count_ - group * group_size_));
  const auto taken = codec::decode_times(unsigned_bytes(bytes), out.size, out.values.data());
  if (!taken.ok() || *taken != bytes.size()) {
    return extent_.corrupt(begin, "packed array: malformed group");
  }
  return {};
}

Result<std::uint64_t> PackedArray::get(std::uint64_t i) const {
  VARVE_DCHECK(i < count_);
  PackedGroup decoded;
  VARVE_TRY(group(i / group_size_, decoded));
  return static_cast<std::uint64_t>(decoded.values[i % group_size_]);
}

Result<PackedArray::Bounds> PackedArray::bounds(std::uint64_t i, std::uint64_t limit) const {
  VARVE_DCHECK(i + 1 < count_);
  PackedGroup decoded;
  VARVE_TRY(group(i / group_size_, decoded));
  Bounds bounds;
  bounds.begin = static_cast<std::uint64_t>(decoded.values[i % group_size_]);
  if (i % group_size_ + 1 == group_size_) {
    VARVE_TRY_ASSIGN(bounds.end, get(i + 1));
  } else {
    bounds.end = static_cast<std::uint64_t>(decoded.values[i % group_size_ + 1]);
  }
  if (bounds.begin > bounds.end || bounds.end > limit) {
    return extent_.corrupt(0, "packed array: places descend or lie outside");
  }
  return bounds;
}

void write_id_column(std::span<const std::uint32_t> ids, std::string& out) {
  std::size_t runs = ids.empty() ? 0 : 1;
  for (std::size_t i = 1; i < ids.size(); ++i) runs += ids[i] != ids[i - 1] ? 1 : 0;
  if (runs * kRunsTried > ids.size() && runs > 1) return write_packed_ids(ids, out);
  if (runs * kRunsSure <= ids.size() || runs <= 1) return write_runs(ids, out);
  std::string as_packed;
  std::string as_runs;
  write_packed_ids(ids, as_packed);
  write_runs(ids, as_runs);
  out += as_packed.size() <= as_runs.size() ? as_packed : as_runs;
}

// Walks the runs of a column; ordinals asked for ascend.
class IdColumn::Runs {
 public:
  explicit Runs(const IdColumn& column) : column_(column) {}

  // Makes current the run that has `ordinal`.
  Status seek(std::uint32_t ordinal) {
    if (ordinal < end_) return {};
    std::uint64_t group = group_;
    if (!loaded_ || ordinal >= group_end_) {
      VARVE_TRY_ASSIGN(group, find_group(ordinal));
    }
    if (!loaded_ || group != group_) VARVE_TRY(load(group));
    const auto* const first = starts_.values.data();
    if (*first > std::int64_t{ordinal} || ordinal >= group_end_) {
      return column_.starts_.extent().corrupt(0, "id column: runs do not ascend");
    }
    const auto* const at =
        std::upper_bound(first, first + starts_.size, static_cast<std::int64_t>(ordinal)) - 1;
    const auto i = static_cast<std::size_t>(at - first);
    end_ = i + 1 < starts_.size ? static_cast<std::uint32_t>(first[i + 1]) : group_end_;
    const std::int64_t value = values_.values[i];
    if (value < 0 || value > std::int64_t{column_.id_max_}) {
      return column_.values_.extent().corrupt(0, "id column: an id above the largest");
    }
    id_ = static_cast<std::uint32_t>(value);
    return {};
  }
  std::uint32_t id() const { return id_; }
  std::uint32_t end() const { return end_; }

 private:
  Result<std::uint32_t> first_of(std::uint64_t group) {
    if (group >= column_.starts_.groups()) return column_.count_;
    PackedGroup decoded;
    VARVE_TRY(column_.starts_.group(group, decoded));
    if (decoded.values[0] < 0 || decoded.values[0] >= std::int64_t{column_.count_} ||
        (group == 0 && decoded.values[0] != 0)) {
      return column_.starts_.extent().corrupt(0, "id column: a run outside");
    }
    return static_cast<std::uint32_t>(decoded.values[0]);
  }
  // Precondition: no earlier group than the current one can have it.
  Result<std::uint64_t> find_group(std::uint32_t ordinal) {
    std::uint64_t low = loaded_ ? group_ + 1 : 0;
    // The next one is the likeliest.
    VARVE_TRY_ASSIGN(const std::uint32_t behind, first_of(low + 1));
    if (ordinal < behind) return low;
    std::uint64_t high = column_.starts_.groups();
    while (high - low > 1) {
      const std::uint64_t middle = low + (high - low) / 2;
      VARVE_TRY_ASSIGN(const std::uint32_t first, first_of(middle));
      (first <= ordinal ? low : high) = middle;
    }
    return low;
  }
  Status load(std::uint64_t group) {
    if (group >= column_.starts_.groups()) {
      return column_.starts_.extent().corrupt(0, "id column: runs end too early");
    }
    VARVE_TRY(column_.starts_.group(group, starts_));
    VARVE_TRY(column_.values_.group(group, values_));
    VARVE_TRY_ASSIGN(group_end_, first_of(group + 1));
    if (starts_.values[0] < 0 || (group == 0 && starts_.values[0] != 0)) {
      return column_.starts_.extent().corrupt(0, "id column: a run outside");
    }
    for (std::size_t i = 0; i < starts_.size; ++i) {
      const std::int64_t next =
          i + 1 < starts_.size ? starts_.values[i + 1] : std::int64_t{group_end_};
      if (next <= starts_.values[i]) {
        return column_.starts_.extent().corrupt(0, "id column: runs do not ascend");
      }
    }
    group_ = group;
    loaded_ = true;
    return {};
  }

  const IdColumn& column_;
  PackedGroup starts_;
  PackedGroup values_;
  std::uint64_t group_ = 0;
  std::uint32_t group_end_ = 0;
  bool loaded_ = false;
  std::uint32_t id_ = 0;
  std::uint32_t end_ = 0;  // of the current run; 0: there is none yet
};

Result<IdColumn> IdColumn::open(Extent extent, std::uint32_t count, std::uint32_t id_max) {
  IdColumn column;
  column.count_ = count;
  column.id_max_ = id_max;
  VARVE_TRY_ASSIGN(
      const std::string_view head,
      extent.read(0, std::min<std::uint64_t>(extent.size, 1 + 2 * codec::kVarintBytesMax)));
  codec::ByteReader reader(unsigned_bytes(head));
  const std::uint8_t kind = reader.byte();
  if (reader.failed() || kind > static_cast<std::uint8_t>(IdColumnKind::kRuns)) {
    return extent.corrupt(0, "id column: of no known kind");
  }
  column.kind_ = IdColumnKind{kind};
  if (column.kind_ == IdColumnKind::kPacked) {
    VARVE_TRY_ASSIGN(const Extent values, extent.part(1, extent.size - 1));
    column.values_ = PackedArray(values, count);
    return column;
  }
  const std::uint64_t runs = reader.uvarint();
  const std::uint64_t starts_bytes = reader.uvarint();
  if (reader.failed() || runs > count || (runs == 0) != (count == 0)) {
    return extent.corrupt(1, "id column: bad number of runs");
  }
  VARVE_TRY_ASSIGN(const Extent starts, extent.part(reader.taken(), starts_bytes));
  VARVE_TRY_ASSIGN(const Extent values, extent.part(reader.taken() + starts_bytes,
                                                    extent.size - reader.taken() - starts_bytes));
  column.starts_ = PackedArray(starts, runs);
  column.values_ = PackedArray(values, runs);
  return column;
}

Result<std::uint32_t> IdColumn::get(std::uint32_t ordinal) const {
  std::uint32_t id = 0;
  VARVE_TRY(gather(std::span(&ordinal, 1), std::span(&id, 1)));
  return id;
}

Status IdColumn::gather(std::span<const std::uint32_t> ordinals,
                        std::span<std::uint32_t> out) const {
  VARVE_DCHECK(ordinals.size() == out.size());
  if (kind_ == IdColumnKind::kRuns) {
    Runs runs(*this);
    for (std::size_t i = 0; i < ordinals.size(); ++i) {
      VARVE_TRY(runs.seek(ordinals[i]));
      out[i] = runs.id();
    }
    return {};
  }
  PackedGroup group;
  std::uint64_t loaded = ~std::uint64_t{0};
  for (std::size_t i = 0; i < ordinals.size(); ++i) {
    VARVE_DCHECK(ordinals[i] < count_);
    if (ordinals[i] / kGroupSize != loaded) {
      loaded = ordinals[i] / kGroupSize;
      VARVE_TRY(values_.group(loaded, group));
    }
    const std::int64_t value = group.values[ordinals[i] % kGroupSize];
    if (value < 0 || value > std::int64_t{id_max_}) {
      return values_.extent().corrupt(0, "id column: an id above the largest");
    }
    out[i] = static_cast<std::uint32_t>(value);
  }
  return {};
}

Status IdColumn::visit(const VisitRun& run) const {
  if (kind_ == IdColumnKind::kRuns) {
    Runs runs(*this);
    for (std::uint32_t at = 0; at < count_; at = runs.end()) {
      VARVE_TRY(runs.seek(at));
      run(at, runs.end(), runs.id());
    }
    return {};
  }
  PackedGroup group;
  std::uint32_t begin = 0;
  std::int64_t id = -1;
  for (std::uint64_t g = 0; g < values_.groups(); ++g) {
    VARVE_TRY(values_.group(g, group));
    for (std::size_t i = 0; i < group.size; ++i) {
      const std::int64_t value = group.values[i];
      if (value == id) continue;
      if (value < 0 || value > std::int64_t{id_max_}) {
        return values_.extent().corrupt(0, "id column: an id above the largest");
      }
      const auto at = static_cast<std::uint32_t>(g * kGroupSize + i);
      if (at > begin) run(begin, at, static_cast<std::uint32_t>(id));
      begin = at;
      id = value;
    }
  }
  if (count_ > begin) run(begin, count_, static_cast<std::uint32_t>(id));
  return {};
}

}  // namespace varve::storage::block
