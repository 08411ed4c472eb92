// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "storage/codec/bucket_chunk.h"

namespace varve::storage::codec {
namespace {

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr std::int64_t kResolutionMs = 300'000;

std::vector<Timestamp> ends_of(const std::vector<Bucket>& buckets) {
  std::vector<Timestamp> ends;
  for (const Bucket& bucket : buckets) ends.push_back(bucket.end_ms);
  return ends;
}

Bucket plain(std::size_t i, double first, double last) {
  Bucket bucket;
  bucket.end_ms = static_cast<Timestamp>(i + 1) * kResolutionMs;
  bucket.first_ms = bucket.end_ms - kResolutionMs + 7'000;
  bucket.last_ms = bucket.end_ms - 8'000;
  bucket.count = 20;
  bucket.first = bucket.min = first;
  bucket.last = bucket.max = last;
  bucket.sum = 10 * (first + last);
  bucket.changes = 19;
  return bucket;
}

std::vector<Bucket> counter(std::mt19937& random, std::size_t count) {
  std::vector<Bucket> buckets;
  double value = 1000;
  for (std::size_t i = 0; i < count; ++i) {
    const double first = value + static_cast<double>(random() % 50);
    const double last = first + static_cast<double>(random() % 900);
    buckets.push_back(plain(i, first, last));
    buckets.back().sum += static_cast<double>(random() % 500);
    value = last;
  }
  return buckets;
}

// Samples of a gauge, 20 to a bucket, with all that follows from them.
std::vector<Bucket> gauge(std::mt19937& random, std::size_t count, double unit) {
  std::vector<Bucket> buckets;
  double level = 5000;
  double before = NAN;
  for (std::size_t i = 0; i < count; ++i) {
    Bucket bucket = plain(i, 0, 0);
    bucket.sum = 0;
    for (int n = 0; n < 20; ++n) {
      level += static_cast<double>(random() % 201) - 100;
      const double value = unit == 0 ? level / 7 : level / unit;
      if (n == 0) bucket.first = bucket.min = bucket.max = value;
      if (n > 0 && value < before) {
        ++bucket.resets;
        bucket.reset_sum += before;
      }
      bucket.min = std::min(bucket.min, value);
      bucket.max = std::max(bucket.max, value);
      bucket.sum += value;
      bucket.last = before = value;
    }
    buckets.push_back(bucket);
  }
  return buckets;
}

std::vector<Bucket> anything(std::mt19937& random, std::size_t count) {
  static const double kOdd[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e308, -5e-324, 0.1};
  std::vector<Bucket> buckets;
  const auto any = [&] {
    return random() % 3 == 0 ? kOdd[random() % 8]
                             : std::ldexp(1.7, static_cast<int>(random() % 90));
  };
  for (std::size_t i = 0; i < count; ++i) {
    Bucket bucket = plain(
        i * (1 + random() % 3) +
            (buckets.empty() ? 0 : static_cast<std::size_t>(buckets.back().end_ms / kResolutionMs)),
        any(), any());
    bucket.count = static_cast<double>(random() % 30);
    bucket.sum = any();
    bucket.min = any();
    bucket.max = any();
    bucket.changes = static_cast<double>(random() % 20);
    if (random() % 3 == 0) {
      bucket.resets = 1 + static_cast<double>(random() % 4);
      bucket.reset_sum = any();
    }
    if (random() % 4 == 0)
      bucket.stale_ms = bucket.end_ms - static_cast<Timestamp>(random() % 5000);
    buckets.push_back(bucket);
  }
  return buckets;
}

void check_same(const std::vector<Bucket>& want, const std::vector<Bucket>& got) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].end_ms == want[i].end_ms);
    CHECK(bits(got[i].count) == bits(want[i].count));
    CHECK(bits(got[i].sum) == bits(want[i].sum));
    CHECK(bits(got[i].min) == bits(want[i].min));
    CHECK(bits(got[i].max) == bits(want[i].max));
    CHECK(bits(got[i].first) == bits(want[i].first));
    CHECK(bits(got[i].last) == bits(want[i].last));
    CHECK(got[i].first_ms == want[i].first_ms);
    CHECK(got[i].last_ms == want[i].last_ms);
    CHECK(got[i].resets == want[i].resets);
    CHECK(bits(got[i].reset_sum) == bits(want[i].reset_sum));
    CHECK(got[i].changes == want[i].changes);
    CHECK(got[i].stale_ms == want[i].stale_ms);
  }
}

}  // namespace

TEST_CASE("bucket chunk: every bit of every column survives", "[storage][codec]") {
  const unsigned seed = GENERATE(range(1U, 60U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::size_t count = 1 + random() % kBucketsMax;
  const std::vector<Bucket> buckets = seed % 4 == 0 ? counter(random, count)
                                      : seed % 4 == 1
                                          ? gauge(random, count, seed % 3 == 0 ? 0 : 100)
                                          : anything(random, count);
  const std::string bytes = encode_buckets(buckets);
  std::vector<Bucket> decoded;
  REQUIRE(decode_buckets(as_bytes(bytes), ends_of(buckets), decoded).ok());
  check_same(buckets, decoded);
}

TEST_CASE("bucket chunk: a counter takes few bytes, a constant next to none", "[storage][codec]") {
  std::mt19937 random(3);
  const std::string of_counter = encode_buckets(counter(random, kBucketsMax));
  CHECK(of_counter.size() < kBucketsMax * 5);
  std::vector<Bucket> constant;
  for (std::size_t i = 0; i < kBucketsMax; ++i) constant.push_back(plain(i, 5, 5));
  for (Bucket& bucket : constant) bucket.changes = 0;
  CHECK(encode_buckets(constant).size() < 60);
}

TEST_CASE("bucket chunk: columns are the same in whatever order they are asked for",
          "[storage][codec]") {
  std::mt19937 random(11);
  const std::vector<Bucket> buckets = gauge(random, 100, 100);
  const std::string bytes = encode_buckets(buckets);
  std::vector<double> out(buckets.size());
  for (int order = 0; order < 5; ++order) {
    BucketChunk chunk;
    REQUIRE(chunk.open(as_bytes(bytes), buckets.size()).ok());
    for (int i = 0; i < 5; ++i) {
      const int which = (order + i) % 5;
      const double Bucket::*const members[] = {&Bucket::sum, &Bucket::min, &Bucket::first,
                                               &Bucket::reset_sum, &Bucket::max};
      Status read = which == 0   ? chunk.sums(out.data())
                    : which == 1 ? chunk.mins(out.data())
                    : which == 2 ? chunk.firsts(out.data())
                    : which == 3 ? chunk.reset_sums(out.data())
                                 : chunk.maxs(out.data());
      REQUIRE(read.ok());
      for (std::size_t b = 0; b < buckets.size(); ++b) {
        CHECK(bits(out[b]) == bits(buckets[b].*members[which]));
      }
    }
  }
}

TEST_CASE("bucket chunk: sums of decimals take a few bits more than their values",
          "[storage][codec]") {
  std::mt19937 random(5);
  const std::vector<Bucket> buckets = gauge(random, kBucketsMax, 100);
  const std::string bytes = encode_buckets(buckets);
  BucketChunk chunk;
  REQUIRE(chunk.open(as_bytes(bytes), buckets.size()).ok());
  CHECK(chunk.field_bytes(BucketField::kSum) + chunk.field_bytes(BucketField::kSumUlps) <
        chunk.field_bytes(BucketField::kLast) + kBucketsMax);
  CHECK(bytes.size() < kBucketsMax * 14);
}

TEST_CASE("bucket chunk: a chunk of the form before this one is refused", "[storage][codec]") {
  BucketChunk chunk;
  const std::string old("\xe7\x01\x03", 3);
  CHECK(chunk.open(as_bytes(old), 4).error().code() == ErrorCode::kCorruption);
}

TEST_CASE("bucket chunk: what is cut short or longer is refused", "[storage][codec]") {
  std::mt19937 random(9);
  const std::vector<Bucket> buckets = anything(random, 40);
  const std::string bytes = encode_buckets(buckets);
  std::vector<Bucket> decoded;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_buckets(as_bytes(bytes.substr(0, size)), ends_of(buckets), decoded).ok());
    CHECK(decoded.empty());
  }
  CHECK_FALSE(decode_buckets(as_bytes(bytes + 'x'), ends_of(buckets), decoded).ok());
}

TEST_CASE("bucket chunk: the bytes of histograms' buckets and their map of resets are pinned",
          "[storage][codec]") {
  std::vector<HistogramBucketRow> rows;
  for (int i = 0; i < 10; ++i) {
    auto histogram = std::make_shared<Histogram>();
    histogram->count = 3;
    histogram->sum = 1.5;
    histogram->positive_spans = {{0, 1}};
    histogram->positive_counts = {3};
    if (i == 0 || i == 3 || i == 9) histogram->counter_reset_hint = CounterResetHint::kReset;
    HistogramBucketRow row;
    row.end_ms = (i + 1) * kResolutionMs;
    row.count = 1;
    row.first_ms = row.last_ms = row.end_ms - 1000;
    row.first = row.last = row.sum = std::move(histogram);
    rows.push_back(std::move(row));
  }
  std::string bytes;
  REQUIRE(encode_histogram_buckets(rows, bytes) == rows.size());
  std::string hexadecimal;
  for (const char byte : bytes)
    hexadecimal += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  CHECK(hexadecimal ==
        "0a080337000000000100c0cf24c0cf2400000209f0bf240000010001000062f83f05060602"
        "c0cf2400000200000001000000020000000200000002000000020000000200000001000000"
        "0902");  // the map: 0, 3 and 9
  std::vector<HistogramBucketRow> decoded;
  REQUIRE(decode_histogram_buckets(as_bytes(bytes), decoded).ok());
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    CHECK(decoded[i].first->counter_reset_hint == (i == 0 || i == 3 || i == 9
                                                       ? CounterResetHint::kReset
                                                       : CounterResetHint::kUnknown));
  }
  REQUIRE(decoded.size() == rows.size());
}

TEST_CASE("bucket chunk: histograms' buckets survive", "[storage][codec]") {
  std::vector<HistogramBucketRow> rows;
  const auto make = [](double count) {
    auto histogram = std::make_shared<Histogram>();
    histogram->schema = 2;
    histogram->count = count;
    histogram->sum = count * 1.5;
    histogram->positive_spans = {{0, 2}};
    histogram->positive_counts = {1, count - 1};
    return histogram;
  };
  // Far apart, so that some chunks have none of them.
  const auto is_reset = [](int i) { return i > 150 && i % 9 == 0; };
  for (int i = 0; i < 200; ++i) {
    HistogramBucketRow row;
    row.end_ms = (i + 1) * kResolutionMs;
    row.count = i % 5 == 0 ? 1 : 20;
    row.first_ms = row.end_ms - 200'000;
    auto first = make(5 + i);
    if (is_reset(i)) first->counter_reset_hint = CounterResetHint::kReset;
    row.first = std::move(first);
    row.last_ms = row.count == 1 ? row.first_ms : row.end_ms - 1000;
    row.last = row.count == 1 ? row.first : HistogramPtr(make(25 + i));
    row.sum = row.count == 1 ? row.first : i % 7 == 1 ? nullptr : HistogramPtr(make(300 + i));
    if (i % 11 == 3) {
      row.resets = 2;
      row.reset_sum = make(50);
    }
    rows.push_back(row);
  }
  std::vector<HistogramBucketRow> decoded;
  for (std::span<const HistogramBucketRow> left(rows); !left.empty();) {
    std::string bytes;
    const std::size_t count = encode_histogram_buckets(left, bytes);
    REQUIRE(count > 0);
    REQUIRE(decode_histogram_buckets(as_bytes(bytes), decoded).ok());
    left = left.subspan(count);
  }
  REQUIRE(decoded.size() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    CHECK(decoded[i].end_ms == rows[i].end_ms);
    CHECK(decoded[i].count == rows[i].count);
    CHECK(decoded[i].first_ms == rows[i].first_ms);
    CHECK(decoded[i].last_ms == rows[i].last_ms);
    CHECK(decoded[i].first->count == rows[i].first->count);
    CHECK(decoded[i].last->count == rows[i].last->count);
    CHECK((decoded[i].sum == nullptr) == (rows[i].sum == nullptr));
    if (rows[i].sum != nullptr && decoded[i].sum != nullptr) {
      CHECK(decoded[i].sum->count == rows[i].sum->count);
    }
    CHECK(decoded[i].resets == rows[i].resets);
    CHECK((decoded[i].reset_sum == nullptr) == (rows[i].reset_sum == nullptr));
    const bool reset = is_reset(static_cast<int>(i));
    CHECK((decoded[i].first->counter_reset_hint == CounterResetHint::kReset) == reset);
    if (decoded[i].count != 1) {
      CHECK(decoded[i].last->counter_reset_hint == CounterResetHint::kUnknown);
    }
  }
}

}  // namespace varve::storage::codec
