// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/bucket_chunk.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/try.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"

namespace varve::storage::codec {
namespace {

constexpr std::size_t kFieldCount = static_cast<std::size_t>(BucketField::kFields);
using Values = std::array<double, kBucketsMax>;

Error corrupt(const char* what) {
  return Error(ErrorCode::kCorruption, std::string("bucket chunk: ") + what);
}

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

std::string value_block(std::span<const double> values) {
  std::uint8_t bytes[kDenseValuesBytesMax];
  ValueHint hint;
  const std::size_t size = encode_values(values, hint, bytes);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

void put_uvarint(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[kVarintBytesMax];
  const std::uint8_t* end = write_uvarint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

// A map of which buckets have a value, 8 to a byte, lowest bit first, and these values; nothing if
// none has. `stored` are in the order of the buckets.
std::string sparse_block(std::size_t count, const std::array<bool, kBucketsMax>& has,
                         std::span<const double> stored) {
  std::string out;
  if (stored.empty()) return out;
  out.assign((count + 7) / 8, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    if (has[i]) out[i / 8] = static_cast<char>(out[i / 8] | (1 << (i % 8)));
  }
  return out + value_block(stored);
}

// The fields of a chunk while it is written.
class Fields {
 public:
  explicit Fields(std::size_t count) : count_(count) {}

  void set(BucketField which, std::string bytes) {
    fields_[static_cast<std::size_t>(which)] = std::move(bytes);
  }
  template <typename Value>
  void plain(BucketField which, const Value& value) {
    set(which, value_block(collect(value)));
  }
  // Values of those buckets for which `value` gives one; how many there are.
  template <typename Has, typename Value>
  std::size_t sparse(BucketField which, const Has& has, const Value& value) {
    std::array<bool, kBucketsMax> map{};
    std::size_t stored = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      map[i] = has(i);
      if (map[i]) values_[stored++] = value(i);
    }
    set(which, sparse_block(count_, map, {values_.data(), stored}));
    return stored;
  }
  // In place of `other` if it is smaller and `exact` says that nothing is lost.
  template <typename Value>
  void instead(BucketField which, BucketField other, const Value& value) {
    std::string bytes = value_block(collect(value));
    std::string& plain = fields_[static_cast<std::size_t>(other)];
    if (bytes.size() >= plain.size()) return;
    plain.clear();
    set(which, std::move(bytes));
  }

  std::string finish() const {
    std::string out;
    std::uint64_t present = 0;
    for (std::size_t f = 0; f < kFieldCount; ++f) {
      if (!fields_[f].empty()) present |= std::uint64_t{1} << f;
    }
    put_uvarint(out, present);
    for (const std::string& field : fields_) {
      if (!field.empty()) put_uvarint(out, field.size());
    }
    for (const std::string& field : fields_) out += field;
    return out;
  }

 private:
  template <typename Value>
  std::span<const double> collect(const Value& value) {
    for (std::size_t i = 0; i < count_; ++i) values_[i] = value(i);
    return {values_.data(), count_};
  }

  const std::size_t count_;
  Values values_{};
  std::array<std::string, kFieldCount> fields_;
};

double middle(double count, double first, double last) { return count * ((first + last) * 0.5); }

// Whether `part` put back onto `base` gives `whole`.
bool restores(double base, double whole) { return same(base + (whole - base), whole); }

std::string sketch_field(std::span<const Bucket> buckets) {
  HistogramAppender appender;
  for (const Bucket& bucket : buckets) {
    if (bucket.sketch != nullptr) appender.append(bucket.end_ms, *bucket.sketch);
  }
  const std::vector<std::uint8_t> bytes = appender.finish();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

double age(Timestamp end_ms, Timestamp t) { return static_cast<double>(end_ms - t); }

}  // namespace

std::string encode_buckets(std::span<const Bucket> buckets) {
  const std::size_t count = buckets.size();
  const auto at = [&](std::size_t i) -> const Bucket& { return buckets[i]; };
  Fields fields(count);
  fields.plain(BucketField::kCount, [&](std::size_t i) { return at(i).count; });
  fields.plain(BucketField::kSum, [&](std::size_t i) { return at(i).sum; });
  fields.plain(BucketField::kFirst, [&](std::size_t i) { return at(i).first; });
  fields.plain(BucketField::kLast, [&](std::size_t i) { return at(i).last; });
  fields.plain(BucketField::kFirstAge,
               [&](std::size_t i) { return age(at(i).end_ms, at(i).first_ms); });
  fields.plain(BucketField::kLastAge,
               [&](std::size_t i) { return age(at(i).end_ms, at(i).last_ms); });
  const std::size_t other_mins =
      fields.sparse(BucketField::kMin, [&](std::size_t i) { return !same(at(i).min, at(i).first); },
                    [&](std::size_t i) { return at(i).min; });
  const std::size_t other_maxs =
      fields.sparse(BucketField::kMax, [&](std::size_t i) { return !same(at(i).max, at(i).last); },
                    [&](std::size_t i) { return at(i).max; });
  const auto has_resets = [&](std::size_t i) { return at(i).resets != 0; };
  fields.sparse(BucketField::kResets, has_resets, [&](std::size_t i) { return at(i).resets; });
  fields.sparse(BucketField::kResetSum, has_resets, [&](std::size_t i) { return at(i).reset_sum; });
  bool always_changes = true;
  for (const Bucket& bucket : buckets) {
    always_changes = always_changes && bucket.changes == bucket.count - 1;
  }
  if (!always_changes) {
    fields.plain(BucketField::kChanges,
                 [&](std::size_t i) { return at(i).count - 1 - at(i).changes; });
  }
  fields.sparse(
      BucketField::kStale, [&](std::size_t i) { return at(i).stale_ms != Bucket::kNotStale; },
      [&](std::size_t i) { return age(at(i).end_ms, at(i).stale_ms); });
  fields.set(BucketField::kSketch, sketch_field(buckets));

  // Of a counter these are a few small numbers; of anything else they are no smaller.
  if (other_mins * 4 <= count && other_maxs * 4 <= count) {
    bool middles = true;
    bool steps = true;
    double before = 0;
    for (const Bucket& b : buckets) {
      middles = middles && restores(middle(b.count, b.first, b.last), b.sum);
      steps = steps && restores(before, b.first);
      before = b.last;
    }
    if (middles) {
      fields.instead(BucketField::kSumFromMiddle, BucketField::kSum, [&](std::size_t i) {
        return at(i).sum - middle(at(i).count, at(i).first, at(i).last);
      });
    }
    if (steps) {
      fields.instead(BucketField::kFirstFromLast, BucketField::kFirst, [&](std::size_t i) {
        return at(i).first - (i == 0 ? 0 : at(i - 1).last);
      });
    }
  }
  return fields.finish();
}

Result<BucketChunk> BucketChunk::parse(std::span<const std::uint8_t> bytes, std::size_t count) {
  if (count == 0 || count > kBucketsMax) return corrupt("a number of buckets that cannot be");
  BucketChunk chunk;
  chunk.count_ = count;
  ByteReader reader(bytes);
  const std::uint64_t present = reader.uvarint();
  if (present >> kFieldCount != 0) return corrupt("an unknown field");
  std::array<std::uint64_t, kFieldCount> sizes{};
  for (std::size_t f = 0; f < kFieldCount; ++f) {
    if ((present >> f & 1) == 0) continue;
    sizes[f] = reader.uvarint();
    if (sizes[f] == 0) return corrupt("an empty field");
  }
  for (std::size_t f = 0; f < kFieldCount; ++f) {
    if (sizes[f] == 0) continue;
    const std::uint8_t* from = reader.take(sizes[f]);
    if (from != nullptr) chunk.fields_[f] = {from, sizes[f]};
  }
  if (reader.failed()) return corrupt("it ends early");
  if (reader.left() != 0) return corrupt("bytes behind the fields");
  return chunk;
}

Status BucketChunk::plain(BucketField which, double* out) const {
  const auto bytes = field(which);
  VARVE_TRY_ASSIGN(const std::size_t taken, decode_values(bytes, count_, out));
  return taken == bytes.size() ? Status() : corrupt("bytes behind the values");
}

Status BucketChunk::sparse(BucketField which, double* out) const {
  const auto bytes = field(which);
  if (bytes.empty()) return {};
  const std::size_t map_bytes = (count_ + 7) / 8;
  if (bytes.size() <= map_bytes) return corrupt("a map without values");
  std::size_t stored = 0;
  for (std::size_t i = 0; i < map_bytes * 8; ++i) {
    const bool set = (bytes[i / 8] >> (i % 8) & 1) != 0;
    if (set && i >= count_) return corrupt("a map of more buckets than there are");
    stored += set ? 1 : 0;
  }
  if (stored == 0) return corrupt("an empty map");
  Values values;
  const auto rest = bytes.subspan(map_bytes);
  VARVE_TRY_ASSIGN(const std::size_t taken, decode_values(rest, stored, values.data()));
  if (taken != rest.size()) return corrupt("bytes behind the values");
  std::size_t next = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if ((bytes[i / 8] >> (i % 8) & 1) != 0) out[i] = values[next++];
  }
  return {};
}

Status BucketChunk::ages(BucketField which, std::span<const Timestamp> ends, Timestamp* out) const {
  if (ends.size() != count_) return corrupt("another number of ends");
  Values values;
  VARVE_TRY(plain(which, values.data()));
  for (std::size_t i = 0; i < count_; ++i) {
    // Any double comes from hostile bytes; those that were written are whole and small.
    if (!(values[i] >= 0 && values[i] <= 9e15)) return corrupt("a time outside its bucket");
    if (__builtin_sub_overflow(ends[i], static_cast<Timestamp>(values[i]), &out[i])) {
      return corrupt("a time outside its bucket");
    }
  }
  return {};
}

Status BucketChunk::counts(double* out) const { return plain(BucketField::kCount, out); }
Status BucketChunk::lasts(double* out) const { return plain(BucketField::kLast, out); }

Status BucketChunk::firsts(double* out) const {
  if (field(BucketField::kFirstFromLast).empty()) return plain(BucketField::kFirst, out);
  Values last;
  VARVE_TRY(lasts(last.data()));
  VARVE_TRY(plain(BucketField::kFirstFromLast, out));
  for (std::size_t i = 0; i < count_; ++i) out[i] += i == 0 ? 0 : last[i - 1];
  return {};
}

Status BucketChunk::sums(double* out) const {
  if (field(BucketField::kSumFromMiddle).empty()) return plain(BucketField::kSum, out);
  Values first;
  Values last;
  Values count;
  VARVE_TRY(firsts(first.data()));
  VARVE_TRY(lasts(last.data()));
  VARVE_TRY(counts(count.data()));
  VARVE_TRY(plain(BucketField::kSumFromMiddle, out));
  for (std::size_t i = 0; i < count_; ++i) out[i] += middle(count[i], first[i], last[i]);
  return {};
}

Status BucketChunk::first_times(std::span<const Timestamp> ends, Timestamp* out) const {
  return ages(BucketField::kFirstAge, ends, out);
}
Status BucketChunk::last_times(std::span<const Timestamp> ends, Timestamp* out) const {
  return ages(BucketField::kLastAge, ends, out);
}

Status BucketChunk::mins(double* out) const {
  VARVE_TRY(firsts(out));
  return sparse(BucketField::kMin, out);
}
Status BucketChunk::maxs(double* out) const {
  VARVE_TRY(lasts(out));
  return sparse(BucketField::kMax, out);
}

Status BucketChunk::resets(double* out) const {
  std::fill_n(out, count_, 0.0);
  return sparse(BucketField::kResets, out);
}
Status BucketChunk::reset_sums(double* out) const {
  std::fill_n(out, count_, 0.0);
  return sparse(BucketField::kResetSum, out);
}

Status BucketChunk::changes(double* out) const {
  Values count;
  VARVE_TRY(counts(count.data()));
  if (field(BucketField::kChanges).empty()) {
    for (std::size_t i = 0; i < count_; ++i) out[i] = count[i] - 1;
    return {};
  }
  VARVE_TRY(plain(BucketField::kChanges, out));
  for (std::size_t i = 0; i < count_; ++i) out[i] = count[i] - 1 - out[i];
  return {};
}

Status BucketChunk::stale_times(std::span<const Timestamp> ends, Timestamp* out) const {
  std::fill_n(out, count_, Bucket::kNotStale);
  if (!has_stale()) return {};
  if (ends.size() != count_) return corrupt("another number of ends");
  Values ages;
  ages.fill(-1);
  VARVE_TRY(sparse(BucketField::kStale, ages.data()));
  for (std::size_t i = 0; i < count_; ++i) {
    if (ages[i] == -1) continue;
    if (!(ages[i] >= 0 && ages[i] <= 9e15) ||
        __builtin_sub_overflow(ends[i], static_cast<Timestamp>(ages[i]), &out[i])) {
      return corrupt("a stale marker outside its bucket");
    }
  }
  return {};
}

Status BucketChunk::sketches(std::span<const Timestamp> ends, std::vector<HistogramPtr>& out) const {
  const std::size_t before = out.size();
  out.resize(before + count_);
  const auto bytes = field(BucketField::kSketch);
  if (bytes.empty()) return {};
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  Status decoded = decode_histograms(bytes, times, histograms);
  std::size_t next = 0;
  for (std::size_t i = 0; i < ends.size() && i < count_ && next < times.size(); ++i) {
    if (times[next] == ends[i]) out[before + i] = std::move(histograms[next++]);
  }
  if (decoded.ok() && next == times.size()) return {};
  out.resize(before);
  return decoded.ok() ? corrupt("a sketch of no bucket") : decoded;
}

Status decode_buckets(std::span<const std::uint8_t> bytes, std::span<const Timestamp> ends,
                      std::vector<Bucket>& out) {
  const std::size_t count = ends.size();
  VARVE_TRY_ASSIGN(const BucketChunk chunk, BucketChunk::parse(bytes, count));
  Values counts, sums, mins, maxs, firsts, lasts, resets, reset_sums, changes;
  std::array<Timestamp, kBucketsMax> first_times, last_times, stale;
  VARVE_TRY(chunk.counts(counts.data()));
  VARVE_TRY(chunk.sums(sums.data()));
  VARVE_TRY(chunk.mins(mins.data()));
  VARVE_TRY(chunk.maxs(maxs.data()));
  VARVE_TRY(chunk.firsts(firsts.data()));
  VARVE_TRY(chunk.lasts(lasts.data()));
  VARVE_TRY(chunk.resets(resets.data()));
  VARVE_TRY(chunk.reset_sums(reset_sums.data()));
  VARVE_TRY(chunk.changes(changes.data()));
  VARVE_TRY(chunk.first_times(ends, first_times.data()));
  VARVE_TRY(chunk.last_times(ends, last_times.data()));
  VARVE_TRY(chunk.stale_times(ends, stale.data()));
  std::vector<HistogramPtr> sketches;
  VARVE_TRY(chunk.sketches(ends, sketches));
  for (std::size_t i = 0; i < count; ++i) {
    Bucket& bucket = out.emplace_back();
    bucket.end_ms = ends[i];
    bucket.count = counts[i];
    bucket.sum = sums[i];
    bucket.min = mins[i];
    bucket.max = maxs[i];
    bucket.first_ms = first_times[i];
    bucket.last_ms = last_times[i];
    bucket.first = firsts[i];
    bucket.last = lasts[i];
    bucket.resets = resets[i];
    bucket.reset_sum = reset_sums[i];
    bucket.changes = changes[i];
    bucket.stale_ms = stale[i];
    bucket.sketch = std::move(sketches[i]);
  }
  return {};
}

}  // namespace varve::storage::codec
