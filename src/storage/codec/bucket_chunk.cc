// SPDX-License-Identifier: Apache-2.0
// Reads a bucket chunk. bucket_encode.cc writes it.
#include "storage/codec/bucket_chunk.h"

#include <algorithm>
#include <cstring>

#include "base/try.h"
#include "storage/codec/bucket_expect.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/decimal.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"

namespace varve::storage::codec {
namespace {

using Values = std::array<double, kBucketsMax>;

Error corrupt(const char* what) {
  return Error(ErrorCode::kCorruption, std::string("bucket chunk: ") + what);
}

std::size_t index_of(BucketField which) {
  return static_cast<std::size_t>(which) - static_cast<std::size_t>(BucketField::kLast);
}

}  // namespace

std::string_view name_of(BucketField field) {
  static constexpr std::array<std::string_view, kBucketFields> kNames{
      "count",    "last",   "first",     "min",        "max",     "sum",   "sum_ulps", "first_age",
      "last_age", "resets", "reset_sum", "reset_ulps", "changes", "stale", "sketch"};
  return kNames[static_cast<std::size_t>(field)];
}

Status BucketChunk::open(std::span<const std::uint8_t> bytes, std::size_t count) {
  if (count == 0 || count > kBucketsMax) return corrupt("a number of buckets that cannot be");
  std::fill(std::begin(fields_), std::end(fields_), std::span<const std::uint8_t>());
  count_ = count;
  known_ = 0;
  counted_ = false;
  ByteReader reader(bytes);
  const std::uint8_t form = reader.byte();
  if ((form & ~kFormBits) != 0) return corrupt("an unknown form");
  exponent_ = form & kFormExponent;
  ordered_ = (form & kFormOrdered) != 0;
  ordered_sums_ = (form & kFormOrderedSums) != 0;
  ordered_resets_ = (form & kFormOrderedResets) != 0;
  const std::uint64_t present = reader.uvarint();
  if (present >> kBucketFields != 0) return corrupt("an unknown field");
  std::array<std::uint64_t, kBucketFields> sizes{};
  for (std::size_t f = 0; f < kBucketFields; ++f) {
    if ((present >> f & 1) == 0) continue;
    sizes[f] = reader.uvarint();
    if (sizes[f] == 0) return corrupt("an empty field");
  }
  for (std::size_t f = 0; f < kBucketFields; ++f) {
    if (sizes[f] == 0) continue;
    const std::uint8_t* from = reader.take(sizes[f]);
    if (from != nullptr) fields_[f] = {from, sizes[f]};
  }
  if (reader.failed()) return corrupt("it ends early");
  if (reader.left() != 0) return corrupt("bytes behind the fields");
  return {};
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

Status BucketChunk::take_ints(BucketField which, std::size_t count, std::uint8_t& method,
                              IntBuffer& out) const {
  ByteReader reader(field(which));
  method = reader.byte();
  if (method == kMethodPlain) {
    Values values;
    const auto bytes = field(which).subspan(1);
    VARVE_TRY_ASSIGN(const std::size_t taken, decode_values(bytes, count, values.data()));
    if (taken != bytes.size()) return corrupt("bytes behind the values");
    for (std::size_t i = 0; i < count; ++i) out[i] = ordered_bits(values[i]);
    return {};
  }
  const std::uint8_t codec = reader.byte();
  const std::uint8_t second = reader.byte();
  if (reader.failed() || codec > static_cast<std::uint8_t>(BlockCodec::kDict) ||
      (second & kHasExceptions) != 0 ||
      !decode_ints(reader, static_cast<BlockCodec>(codec), second, count, out) ||
      reader.left() != 0) {
    return corrupt("a malformed column");
  }
  return {};
}

Status BucketChunk::counted() {
  if (counted_) return {};
  VARVE_TRY(plain(BucketField::kCount, counts_.data()));
  counted_ = true;
  return {};
}

Result<const IntBuffer*> BucketChunk::ints(BucketField which) {
  const std::size_t at = index_of(which);
  IntBuffer& out = ints_[at];
  if ((known_ >> at & 1) != 0) return &out;
  std::uint8_t method = kBeyondEnds;  // of a field that is not there: as expected
  static_assert(kBeyondEnds == kFirstAfterLast);
  if (has(which)) {
    VARVE_TRY(take_ints(which, count_, method, out));
  } else {
    if (which == BucketField::kLast) return corrupt("no last values");
    std::fill_n(out.data(), count_, std::uint64_t{0});
  }
  if (method == kMethodPlain && !ordered_) return corrupt("values among decimals");
  if (method > kMethodOwn) VARVE_TRY(add_expected(which, method, out));
  known_ |= 1U << at;
  return &out;
}

Status BucketChunk::add_expected(BucketField which, std::uint8_t method, IntBuffer& out) {
  if (which == BucketField::kLast || method > kFirstFromLast) return corrupt("an unknown method");
  VARVE_TRY_ASSIGN(const IntBuffer* const lasts, ints(BucketField::kLast));
  if (which == BucketField::kFirst) {
    if (method == kFirstOnTheWay) VARVE_TRY(counted());
    KnownInts known;
    known.counts = {counts_.data(), count_};
    known.lasts = lasts->data();
    IntBuffer expected;
    expect_firsts(method, known, expected.data());
    for (std::size_t i = 0; i < count_; ++i) out[i] += expected[i];
    return {};
  }
  if (method != kBeyondEnds) return corrupt("an unknown method");
  VARVE_TRY_ASSIGN(const IntBuffer* const firsts, ints(BucketField::kFirst));
  if (which == BucketField::kMax) {
    for (std::size_t i = 0; i < count_; ++i) out[i] += higher_of((*firsts)[i], (*lasts)[i]);
  } else {
    for (std::size_t i = 0; i < count_; ++i) out[i] = lower_of((*firsts)[i], (*lasts)[i]) - out[i];
  }
  return {};
}

Status BucketChunk::expect(std::uint8_t method, bool ordered, std::span<const double> counts,
                           std::span<const std::uint8_t> which, std::uint64_t* out) {
  static constexpr std::array<BucketField, 4> kColumns{BucketField::kFirst, BucketField::kLast,
                                                       BucketField::kMin, BucketField::kMax};
  std::array<IntBuffer, 4> picked;
  std::array<const std::uint64_t*, 4> known{};
  for (std::size_t c = 0; c < kColumns.size(); ++c) {
    if (!(c < 2 ? wants_ends(method) : wants_extremes(method))) continue;
    VARVE_TRY_ASSIGN(const IntBuffer* const column, ints(kColumns[c]));
    known[c] = column->data();
    if (which.empty()) continue;
    for (std::size_t i = 0; i < which.size(); ++i) picked[c][i] = (*column)[which[i]];
    known[c] = picked[c].data();
  }
  if (!ordered) {
    expect_sums(method, KnownInts{counts, known[0], known[1], known[2], known[3]}, out);
    return {};
  }
  std::array<Values, 4> values;
  for (std::size_t c = 0; c < known.size(); ++c) {
    if (known[c] != nullptr) to_values(known[c], counts.size(), values[c].data());
  }
  expect_sums(
      method,
      KnownValues{counts, values[0].data(), values[1].data(), values[2].data(), values[3].data()},
      out);
  return {};
}

Status BucketChunk::take_sums(BucketField field, BucketField ulps, bool ordered,
                              std::span<const double> counts, std::span<const std::uint8_t> which,
                              double* out) {
  const std::size_t size = counts.size();
  IntBuffer sums;
  std::uint8_t method = kSumOfEnds;
  if (has(field)) {
    VARVE_TRY(take_ints(field, size, method, sums));
  } else {
    std::fill_n(sums.data(), size, std::uint64_t{0});
  }
  if (method == kMethodPlain && !ordered) return corrupt("values among decimals");
  if (method > kSumOfMax) return corrupt("an unknown method");
  if (method > kMethodOwn) {
    IntBuffer expected;
    VARVE_TRY(expect(method, ordered, counts, which, expected.data()));
    for (std::size_t i = 0; i < size; ++i) sums[i] += expected[i];
  }
  if (ordered) {
    for (std::size_t i = 0; i < size; ++i) out[i] = from_ordered_bits(sums[i]);
    return {};
  }
  from_decimals(sums.data(), size, exponent_, out);
  if (!has(ulps)) return {};
  IntBuffer off;
  VARVE_TRY(take_ints(ulps, size, method, off));
  if (method != kMethodOwn) return corrupt("an unknown method");
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = from_ordered_bits(ordered_bits(out[i]) + off[i]);
  }
  return {};
}

void BucketChunk::to_values(const std::uint64_t* ints, std::size_t count, double* out) const {
  if (!ordered_) {
    from_decimals(ints, count, exponent_, out);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) out[i] = from_ordered_bits(ints[i]);
}

Status BucketChunk::column(BucketField which, double* out) {
  VARVE_TRY_ASSIGN(const IntBuffer* const found, ints(which));
  to_values(found->data(), count_, out);
  return {};
}

Status BucketChunk::counts(double* out) {
  VARVE_TRY(counted());
  std::copy_n(counts_.data(), count_, out);
  return {};
}
Status BucketChunk::lasts(double* out) { return column(BucketField::kLast, out); }
Status BucketChunk::firsts(double* out) { return column(BucketField::kFirst, out); }
Status BucketChunk::mins(double* out) { return column(BucketField::kMin, out); }
Status BucketChunk::maxs(double* out) { return column(BucketField::kMax, out); }

Status BucketChunk::sums(double* out) {
  VARVE_TRY(counted());
  return take_sums(BucketField::kSum, BucketField::kSumUlps, ordered_sums_,
                   {counts_.data(), count_}, {}, out);
}

Status BucketChunk::first_times(std::span<const Timestamp> ends, Timestamp* out) const {
  return ages(BucketField::kFirstAge, ends, out);
}
Status BucketChunk::last_times(std::span<const Timestamp> ends, Timestamp* out) const {
  return ages(BucketField::kLastAge, ends, out);
}

Status BucketChunk::resets(double* out) const {
  std::fill_n(out, count_, 0.0);
  return sparse(BucketField::kResets, out);
}
Status BucketChunk::reset_sums(double* out) {
  std::fill_n(out, count_, 0.0);
  if (!has(BucketField::kResets)) {
    return has(BucketField::kResetSum) || has(BucketField::kResetUlps)
               ? corrupt("resets of no bucket")
               : Status();
  }
  Values resets;
  VARVE_TRY(sparse(BucketField::kResets, resets.data()));
  const std::span<const std::uint8_t> map = field(BucketField::kResets);
  std::array<std::uint8_t, kBucketsMax> which;
  std::size_t stored = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if ((map[i / 8] >> (i % 8) & 1) == 0) continue;
    resets[stored] = resets[i];
    which[stored++] = static_cast<std::uint8_t>(i);
  }
  Values sums;
  VARVE_TRY(take_sums(BucketField::kResetSum, BucketField::kResetUlps, ordered_resets_,
                      {resets.data(), stored}, {which.data(), stored}, sums.data()));
  for (std::size_t i = 0; i < stored; ++i) out[which[i]] = sums[i];
  return {};
}

Status BucketChunk::changes(double* out) {
  VARVE_TRY(counted());
  if (!has(BucketField::kChanges)) {
    for (std::size_t i = 0; i < count_; ++i) out[i] = counts_[i] - 1;
    return {};
  }
  VARVE_TRY(plain(BucketField::kChanges, out));
  for (std::size_t i = 0; i < count_; ++i) out[i] = counts_[i] - 1 - out[i];
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

Status BucketChunk::sketches(std::span<const Timestamp> ends,
                             std::vector<HistogramPtr>& out) const {
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
  BucketChunk chunk;
  VARVE_TRY(chunk.open(bytes, count));
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
