// SPDX-License-Identifier: Apache-2.0
// Bucket chunks of native histograms: histogram chunks behind each other, one for each kind.
#include <array>
#include <cstring>

#include "base/try.h"
#include "storage/codec/bucket_chunk.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"

namespace varve::storage::codec {
namespace {

// Beyond this a chunk ends, as those of the head do: what a reader of one bucket must decode.
constexpr std::size_t kBytesMax = 16 << 10;

enum Part : std::size_t { kEnds, kCounts, kFirsts, kLasts, kSums, kResets, kResetSums, kParts };

Error corrupt(const char* what) {
  return Error(ErrorCode::kCorruption, std::string("histogram bucket chunk: ") + what);
}

std::string text(std::span<const std::uint8_t> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string value_block(std::span<const double> values) {
  std::uint8_t bytes[kDenseValuesBytesMax];
  ValueHint hint;
  return text({bytes, encode_values(values, hint, bytes)});
}

void put_uvarint(std::string& out, std::uint64_t value) {
  std::uint8_t bytes[kVarintBytesMax];
  const std::uint8_t* end = write_uvarint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(end - bytes));
}

struct Decoded {
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;

  Status read(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return {};
    VARVE_TRY(decode_histograms(bytes, times, histograms));
    // The chunk compared neighbours that are a bucket apart: what it says of resets is not so. What
    // the first of a bucket says by itself stands in a map of its own.
    for (HistogramPtr& histogram : histograms) {
      const CounterResetHint hint = histogram->counter_reset_hint;
      if (hint != CounterResetHint::kReset && hint != CounterResetHint::kNotReset) continue;
      auto copy = std::make_shared<Histogram>(*histogram);
      copy->counter_reset_hint = CounterResetHint::kUnknown;
      histogram = std::move(copy);
    }
    return {};
  }
};

// Which buckets begin with a histogram that says by itself that it is a reset: a bit each, lowest
// first; nothing if none does.
std::string reset_map(std::span<const HistogramBucketRow> buckets) {
  std::string map((buckets.size() + 7) / 8, '\0');
  bool any = false;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i].first->counter_reset_hint != CounterResetHint::kReset) continue;
    map[i / 8] = static_cast<char>(map[i / 8] | (1 << (i % 8)));
    any = true;
  }
  return any ? map : std::string();
}

// Puts it back.
void set_resets(std::span<const std::uint8_t> map, std::vector<HistogramPtr>& firsts) {
  for (std::size_t i = 0; i < firsts.size() && !map.empty(); ++i) {
    if ((map[i / 8] >> (i % 8) & 1) == 0) continue;
    auto copy = std::make_shared<Histogram>(*firsts[i]);
    copy->counter_reset_hint = CounterResetHint::kReset;
    firsts[i] = std::move(copy);
  }
}

// The histograms whose times are ends of buckets, to their buckets.
Status place(Decoded& from, std::span<const Timestamp> ends, std::size_t rows_begin,
             std::vector<HistogramBucketRow>& rows, HistogramPtr HistogramBucketRow::*member) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < ends.size() && next < from.times.size(); ++i) {
    if (from.times[next] == ends[i])
      rows[rows_begin + i].*member = std::move(from.histograms[next++]);
  }
  return next == from.times.size() ? Status() : corrupt("a histogram of no bucket");
}

}  // namespace

std::size_t encode_histogram_buckets(std::span<const HistogramBucketRow> buckets,
                                     std::string& out) {
  HistogramAppender firsts;
  HistogramAppender lasts;
  HistogramAppender sums;
  HistogramAppender reset_sums;
  std::array<Timestamp, kBucketsMax> ends;
  std::array<double, kBucketsMax> counts;
  std::array<double, kBucketsMax> resets;
  std::size_t count = 0;
  bool any_resets = false;
  for (const HistogramBucketRow& bucket : buckets) {
    const std::size_t bytes = firsts.bytes().size() + lasts.bytes().size() + sums.bytes().size() +
                              reset_sums.bytes().size();
    if (count == kBucketsMax || bytes >= kBytesMax) break;
    ends[count] = bucket.end_ms;
    counts[count] = bucket.count;
    resets[count] = bucket.resets;
    any_resets = any_resets || bucket.resets != 0;
    ++count;
    firsts.append(bucket.first_ms, *bucket.first);
    // A bucket with a single one, as a rule of rare ones, has it once.
    if (bucket.count != 1) lasts.append(bucket.last_ms, *bucket.last);
    if (bucket.count != 1 && bucket.sum != nullptr) sums.append(bucket.end_ms, *bucket.sum);
    if (bucket.reset_sum != nullptr) reset_sums.append(bucket.end_ms, *bucket.reset_sum);
  }
  std::array<std::string, kParts> parts;
  std::uint8_t times[kTimesBytesMax];
  parts[kEnds] = text({times, encode_times({ends.data(), count}, times)});
  parts[kCounts] = value_block({counts.data(), count});
  parts[kFirsts] = text(firsts.finish());
  parts[kLasts] = text(lasts.finish());
  parts[kSums] = text(sums.finish());
  if (any_resets) parts[kResets] = value_block({resets.data(), count});
  parts[kResetSums] = text(reset_sums.finish());
  put_uvarint(out, count);
  for (const std::string& part : parts) put_uvarint(out, part.size());
  for (const std::string& part : parts) out += part;
  out += reset_map(buckets.first(count));
  return count;
}

Status decode_histogram_buckets(std::span<const std::uint8_t> bytes,
                                std::vector<HistogramBucketRow>& out) {
  ByteReader reader(bytes);
  const std::uint64_t count = reader.uvarint();
  if (count == 0 || count > kBucketsMax) return corrupt("a number of buckets that cannot be");
  std::array<std::uint64_t, kParts> sizes;
  for (std::uint64_t& size : sizes) size = reader.uvarint();
  std::array<std::span<const std::uint8_t>, kParts> parts;
  for (std::size_t p = 0; p < kParts; ++p) {
    const std::uint8_t* from = reader.take(sizes[p]);
    if (from != nullptr) parts[p] = {from, sizes[p]};
  }
  const std::size_t map_bytes = reader.left() == 0 ? 0 : (count + 7) / 8;
  const std::uint8_t* const map = reader.take(map_bytes);
  if (reader.failed()) return corrupt("it ends early");
  if (reader.left() != 0) return corrupt("bytes behind it");

  std::array<Timestamp, kBucketsMax> ends;
  std::array<double, kBucketsMax> counts;
  std::array<double, kBucketsMax> resets{};
  VARVE_TRY(decode_times(parts[kEnds], count, ends.data()));
  VARVE_TRY(decode_values(parts[kCounts], count, counts.data()));
  if (!parts[kResets].empty()) VARVE_TRY(decode_values(parts[kResets], count, resets.data()));
  Decoded firsts;
  Decoded lasts;
  Decoded sums;
  Decoded reset_sums;
  VARVE_TRY(firsts.read(parts[kFirsts]));
  VARVE_TRY(lasts.read(parts[kLasts]));
  VARVE_TRY(sums.read(parts[kSums]));
  VARVE_TRY(reset_sums.read(parts[kResetSums]));
  if (firsts.times.size() != count) return corrupt("another number of first histograms");
  if (map_bytes != 0) set_resets({map, map_bytes}, firsts.histograms);

  const std::size_t begin = out.size();
  std::size_t next_last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    HistogramBucketRow row;
    row.end_ms = ends[i];
    row.count = counts[i];
    row.resets = resets[i];
    row.first_ms = firsts.times[i];
    row.first = firsts.histograms[i];
    if (counts[i] == 1) {
      row.last_ms = row.first_ms;
      row.last = row.first;
      row.sum = row.first;
    } else if (next_last < lasts.times.size()) {
      row.last_ms = lasts.times[next_last];
      row.last = lasts.histograms[next_last++];
    } else {
      out.resize(begin);
      return corrupt("too few last histograms");
    }
    out.push_back(std::move(row));
  }
  Status placed = place(sums, {ends.data(), count}, begin, out, &HistogramBucketRow::sum);
  if (placed.ok()) {
    placed = place(reset_sums, {ends.data(), count}, begin, out, &HistogramBucketRow::reset_sum);
  }
  if (placed.ok() && next_last != lasts.times.size()) placed = corrupt("too many last histograms");
  if (!placed.ok()) out.resize(begin);
  return placed;
}

}  // namespace varve::storage::codec
