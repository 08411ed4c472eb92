// SPDX-License-Identifier: Apache-2.0
// Writes a bucket chunk: finds the integers behind the values, tries what each column may be
// expected to be, and keeps what is smallest.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "storage/codec/bucket_chunk.h"
#include "storage/codec/bucket_expect.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/decimal.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"

namespace varve::storage::codec {
namespace {

using Values = std::array<double, kBucketsMax>;
using Ints = std::array<std::uint64_t, kBucketsMax>;

// Sums that are this many steps of a double from a decimal still are one, and so many steps.
constexpr std::int64_t kUlpsMax = 64;
constexpr std::uint64_t kIntRangeLimit = std::uint64_t{1} << 55;  // encode_ints() takes less

std::string as_text(const std::uint8_t* bytes, std::size_t size) {
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

std::string value_block(std::span<const double> values) {
  std::uint8_t bytes[kDenseValuesBytesMax];
  ValueHint hint;
  return as_text(bytes, encode_values(values, hint, bytes));
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

std::string sketch_field(std::span<const Bucket> buckets) {
  HistogramAppender appender;
  for (const Bucket& bucket : buckets) {
    if (bucket.sketch != nullptr) appender.append(bucket.end_ms, *bucket.sketch);
  }
  const std::vector<std::uint8_t> bytes = appender.finish();
  return as_text(bytes.data(), bytes.size());
}

double age(Timestamp end_ms, Timestamp t) { return static_cast<double>(end_ms - t); }

// The smallest way found so far to write a column.
class Column {
 public:
  explicit Column(std::size_t count) : count_(count) {}

  void plain(std::span<const double> values) { take(kMethodPlain, value_block(values)); }
  // The integers less what is expected of them. `optional`: all zeros are nothing at all.
  void offer(std::uint8_t method, const Ints& ints, const Ints& expected, bool optional = false) {
    std::array<std::int64_t, kBucketsMax> rest;
    for (std::size_t i = 0; i < count_; ++i) rest[i] = as_signed(ints[i] - expected[i]);
    offer(method, rest, optional);
  }
  void offer(std::uint8_t method, const std::array<std::int64_t, kBucketsMax>& rest,
             bool optional = false) {
    const std::span<const std::int64_t> given(rest.data(), count_);
    const auto [low, high] = std::minmax_element(given.begin(), given.end());
    if (optional && *low == 0 && *high == 0) {
      nothing_ = true;
      return;
    }
    if (static_cast<std::uint64_t>(*high) - static_cast<std::uint64_t>(*low) >= kIntRangeLimit)
      return;
    std::uint8_t bytes[kIntBlockBytesMax];
    unsigned exponent = 0;
    const std::size_t size = encode_ints(given, IntKind::kResiduals, exponent, bytes);
    take(method, as_text(bytes, size));
  }
  std::string finish() { return nothing_ ? std::string() : std::move(best_); }

 private:
  void take(std::uint8_t method, const std::string& bytes) {
    if (!best_.empty() && bytes.size() + 1 >= best_.size()) return;
    best_.assign(1, static_cast<char>(method));
    best_ += bytes;
  }

  const std::size_t count_;
  std::string best_;
  bool nothing_ = false;
};

class Encoder {
 public:
  explicit Encoder(std::span<const Bucket> buckets) : buckets_(buckets), count_(buckets.size()) {
    for (std::size_t i = 0; i < count_; ++i) {
      counts_[i] = buckets[i].count;
      firsts_[i] = buckets[i].first;
      lasts_[i] = buckets[i].last;
      mins_[i] = buckets[i].min;
      maxs_[i] = buckets[i].max;
      sums_[i] = buckets[i].sum;
    }
  }

  std::string run() {
    find_form();
    set(BucketField::kCount, value_block(of(counts_)));
    put_ends();
    put_extremes();
    put_sums();
    put_resets();
    put_rest();
    return finish();
  }

 private:
  std::span<const double> of(const Values& values) const { return {values.data(), count_}; }
  void set(BucketField which, std::string bytes) {
    fields_[static_cast<std::size_t>(which)] = std::move(bytes);
  }

  // Decimals, if all values have the same places.
  void find_form() {
    const std::array<const Values*, 4> all{&lasts_, &firsts_, &mins_, &maxs_};
    const std::array<Ints*, 4> ints{&last_ints_, &first_ints_, &min_ints_, &max_ints_};
    unsigned exponent = 0;
    Decimals decimals;
    for (std::size_t found = 0; !ordered_ && found < all.size();) {
      found = 0;
      for (std::size_t c = 0; c < all.size(); ++c) {
        if (!find_decimals(of(*all[c]), exponent, decimals) || decimals.exception_count > 0 ||
            decimals.exponent < exponent) {
          ordered_ = true;
          break;
        }
        if (decimals.exponent > exponent) found = 0;
        exponent = decimals.exponent;
        for (std::size_t i = 0; i < count_; ++i) {
          (*ints[c])[i] = static_cast<std::uint64_t>(decimals.ints[i]);
        }
        ++found;
      }
    }
    exponent_ = ordered_ ? 0 : exponent;
    if (ordered_) {
      for (std::size_t c = 0; c < all.size(); ++c) {
        for (std::size_t i = 0; i < count_; ++i) (*ints[c])[i] = ordered_bits((*all[c])[i]);
      }
    }
  }

  KnownInts known() const {
    return {of(counts_), first_ints_.data(), last_ints_.data(), min_ints_.data(), max_ints_.data()};
  }

  void put_ends() {
    Column lasts(count_);
    lasts.offer(kMethodOwn, last_ints_, kZeros);
    if (ordered_) lasts.plain(of(lasts_));
    set(BucketField::kLast, lasts.finish());

    Column firsts(count_);
    for (const std::uint8_t method : {kFirstAfterLast, kFirstOnTheWay, kFirstFromLast}) {
      expect_firsts(method, known(), expected_.data());
      firsts.offer(method, first_ints_, expected_, method == kFirstAfterLast);
    }
    firsts.offer(kMethodOwn, first_ints_, kZeros);
    if (ordered_) firsts.plain(of(firsts_));
    set(BucketField::kFirst, firsts.finish());
  }

  void put_extremes() {
    Column mins(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      expected_[i] = lower_of(first_ints_[i], last_ints_[i]);
    }
    mins.offer(kBeyondEnds, expected_, min_ints_, true);
    mins.offer(kMethodOwn, min_ints_, kZeros);
    if (ordered_) mins.plain(of(mins_));
    set(BucketField::kMin, mins.finish());

    Column maxs(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      expected_[i] = higher_of(first_ints_[i], last_ints_[i]);
    }
    maxs.offer(kBeyondEnds, max_ints_, expected_, true);
    maxs.offer(kMethodOwn, max_ints_, kZeros);
    if (ordered_) maxs.plain(of(maxs_));
    set(BucketField::kMax, maxs.finish());
  }

  void put_sums() {
    const KnownInts known = this->known();
    const KnownValues values{of(counts_), firsts_.data(), lasts_.data(), mins_.data(),
                             maxs_.data()};
    ordered_sums_ = put_sums(of(sums_), known, values, BucketField::kSum, BucketField::kSumUlps);
  }

  void put_resets() {
    Values resets, sums, firsts, lasts, mins, maxs;
    Ints first_ints, last_ints, min_ints, max_ints;
    std::array<bool, kBucketsMax> map{};
    std::size_t stored = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      map[i] = buckets_[i].resets != 0;
      if (!map[i]) continue;
      resets[stored] = buckets_[i].resets;
      sums[stored] = buckets_[i].reset_sum;
      firsts[stored] = firsts_[i], first_ints[stored] = first_ints_[i];
      lasts[stored] = lasts_[i], last_ints[stored] = last_ints_[i];
      mins[stored] = mins_[i], min_ints[stored] = min_ints_[i];
      maxs[stored] = maxs_[i], max_ints[stored] = max_ints_[i];
      ++stored;
    }
    if (stored == 0) return;
    const std::span<const double> counts(resets.data(), stored);
    set(BucketField::kResets, sparse_block(count_, map, counts));
    const KnownInts known{counts, first_ints.data(), last_ints.data(), min_ints.data(),
                          max_ints.data()};
    const KnownValues values{counts, firsts.data(), lasts.data(), mins.data(), maxs.data()};
    ordered_resets_ = put_sums({sums.data(), stored}, known, values, BucketField::kResetSum,
                               BucketField::kResetUlps);
  }

  // Whether they are written as ordered bits. Sums of decimals are decimals but for their rounding.
  bool put_sums(std::span<const double> sums, const KnownInts& known, const KnownValues& values,
                BucketField which, BucketField which_ulps) {
    Ints ints;
    std::array<std::int64_t, kBucketsMax> ulps;
    const bool ordered = ordered_ || !decimal_sums(sums, ints, ulps);
    if (ordered) {
      for (std::size_t i = 0; i < sums.size(); ++i) ints[i] = ordered_bits(sums[i]);
    }
    Column column(sums.size());
    for (const std::uint8_t method : kSumMethods) {
      if (ordered) {
        expect_sums(method, values, expected_.data());
      } else {
        expect_sums(method, known, expected_.data());
      }
      column.offer(method, ints, expected_, method == kSumOfEnds);
    }
    column.offer(kMethodOwn, ints, kZeros);
    if (ordered) column.plain(sums);
    set(which, column.finish());
    if (ordered) return true;
    Column off(sums.size());
    off.offer(kMethodOwn, ulps, true);
    set(which_ulps, off.finish());
    return false;
  }

  bool decimal_sums(std::span<const double> sums, Ints& ints,
                    std::array<std::int64_t, kBucketsMax>& ulps) const {
    const double power = kPowersOfTen[exponent_];
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double scaled = std::nearbyint(sums[i] * power);
      if (!(std::fabs(scaled) < 0x1p53)) return false;
      ulps[i] = as_signed(ordered_bits(sums[i]) - ordered_bits(scaled / power));
      if (ulps[i] > kUlpsMax || ulps[i] < -kUlpsMax) return false;
      ints[i] = static_cast<std::uint64_t>(static_cast<std::int64_t>(scaled));
    }
    return true;
  }

  template <typename Value>
  std::string plain(const Value& value) {
    for (std::size_t i = 0; i < count_; ++i) scratch_[i] = value(buckets_[i]);
    return value_block(of(scratch_));
  }
  template <typename Has, typename Value>
  std::string sparse(const Has& has, const Value& value) {
    std::array<bool, kBucketsMax> map{};
    std::size_t stored = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      map[i] = has(buckets_[i]);
      if (map[i]) scratch_[stored++] = value(buckets_[i]);
    }
    return sparse_block(count_, map, {scratch_.data(), stored});
  }

  void put_rest() {
    set(BucketField::kFirstAge, plain([](const Bucket& b) { return age(b.end_ms, b.first_ms); }));
    set(BucketField::kLastAge, plain([](const Bucket& b) { return age(b.end_ms, b.last_ms); }));
    if (std::any_of(buckets_.begin(), buckets_.end(),
                    [](const Bucket& b) { return b.changes != b.count - 1; })) {
      set(BucketField::kChanges, plain([](const Bucket& b) { return b.count - 1 - b.changes; }));
    }
    set(BucketField::kStale, sparse([](const Bucket& b) { return b.stale_ms != Bucket::kNotStale; },
                                    [](const Bucket& b) { return age(b.end_ms, b.stale_ms); }));
    set(BucketField::kSketch, sketch_field(buckets_));
  }

  std::string finish() const {
    std::string out;
    out += static_cast<char>(exponent_ | (ordered_ ? kFormOrdered : 0U) |
                             (ordered_sums_ ? kFormOrderedSums : 0U) |
                             (ordered_resets_ ? kFormOrderedResets : 0U));
    std::uint64_t present = 0;
    for (std::size_t f = 0; f < kBucketFields; ++f) {
      if (!fields_[f].empty()) present |= std::uint64_t{1} << f;
    }
    put_uvarint(out, present);
    for (const std::string& field : fields_) {
      if (!field.empty()) put_uvarint(out, field.size());
    }
    for (const std::string& field : fields_) out += field;
    return out;
  }

  static constexpr Ints kZeros{};

  const std::span<const Bucket> buckets_;
  const std::size_t count_;
  Values counts_, firsts_, lasts_, mins_, maxs_, sums_, scratch_;
  bool ordered_ = false, ordered_sums_ = false, ordered_resets_ = false;
  unsigned exponent_ = 0;
  Ints first_ints_, last_ints_, min_ints_, max_ints_, expected_;
  std::array<std::string, kBucketFields> fields_;
};

}  // namespace

std::string encode_buckets(std::span<const Bucket> buckets) { return Encoder(buckets).run(); }

}  // namespace varve::storage::codec
