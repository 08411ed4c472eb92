// SPDX-License-Identifier: Apache-2.0
// A histogram chunk is one record per histogram, each ending where the next begins. A record holds
// what changed: the layout if it did, and of the counts those that did, named by a bitmap.
#include "storage/codec/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/codec/byte_reader.h"

namespace varve::storage::codec {
namespace {

// The first byte of a record. Its low two bits are the CounterResetHint.
constexpr std::uint8_t kHintMask = 0x03;
constexpr std::uint8_t kInteger = 0x04;    // Histogram::integer
constexpr std::uint8_t kLayout = 0x08;     // a layout follows, and counts are relative to 0
constexpr std::uint8_t kStale = 0x10;      // a stale marker: nothing but the time follows
constexpr std::uint8_t kXorCounts = 0x20;  // counts are XORed doubles, else integer differences
constexpr std::uint8_t kFlagsMask = 0x3f;

// Integers of a histogram are held in doubles; beyond this they would not be exact.
constexpr double kIntegerMax = 9007199254740992.0;  // 2^53

std::size_t bucket_count(const std::vector<HistogramSpan>& spans) {
  std::size_t count = 0;
  for (const HistogramSpan& span : spans) count += span.length;
  return count;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool same_bounds(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_bits);
}

bool same_layout(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && same_bits(a.zero_threshold, b.zero_threshold) &&
         a.positive_spans == b.positive_spans && a.negative_spans == b.negative_spans &&
         same_bounds(a.custom_bounds, b.custom_bounds);
}

// All counts of a histogram as one row: count, zero count, positive buckets, negative buckets.
std::size_t row_size(const Histogram& h) {
  return 2 + h.positive_counts.size() + h.negative_counts.size();
}
template <typename HistogramType, typename Visit>
void visit_row(HistogramType& h, Visit visit) {
  visit(h.count);
  visit(h.zero_count);
  for (auto& count : h.positive_counts) visit(count);
  for (auto& count : h.negative_counts) visit(count);
}
std::vector<double> row_of(const Histogram& h) {
  std::vector<double> row;
  row.reserve(row_size(h));
  visit_row(h, [&](double count) { row.push_back(count); });
  return row;
}

// Whether a count survives being an integer: -0 does not.
bool is_integer(double count) {
  return std::fabs(count) <= kIntegerMax && count == std::trunc(count) &&
         !(count == 0 && std::signbit(count));
}
bool all_integers(const std::vector<double>& row) {
  return std::all_of(row.begin(), row.end(), is_integer);
}

class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}

  void byte(std::uint8_t value) { out_.push_back(value); }
  void uvarint(std::uint64_t value) {
    std::uint8_t bytes[kVarintBytesMax];
    out_.insert(out_.end(), bytes, write_uvarint(bytes, value));
  }
  void varint(std::int64_t value) { uvarint(to_zigzag(value)); }
  void word(std::uint64_t value) {
    std::uint8_t bytes[8];
    std::memcpy(bytes, &value, 8);
    out_.insert(out_.end(), bytes, bytes + 8);
  }
  // Bits without the zero bytes at both ends: a byte with how many of them there are, then the
  // rest.
  void trimmed(std::uint64_t bits) {
    if (bits == 0) {
      byte(0);
      return;
    }
    const unsigned skipped = static_cast<unsigned>(std::countr_zero(bits)) / 8;
    const unsigned kept = 8 - skipped - static_cast<unsigned>(std::countl_zero(bits)) / 8;
    byte(static_cast<std::uint8_t>(skipped << 4 | kept));
    bits >>= skipped * 8;
    for (unsigned i = 0; i < kept; ++i, bits >>= 8) byte(static_cast<std::uint8_t>(bits));
  }
  void zero_threshold(double threshold) {
    int exponent = 0;
    if (same_bits(threshold, 0)) {
      byte(0);
    } else if (std::frexp(threshold, &exponent) == 0.5 && exponent >= -242 && exponent <= 11) {
      byte(static_cast<std::uint8_t>(exponent + 243));
    } else {
      byte(255);
      word(std::bit_cast<std::uint64_t>(threshold));
    }
  }
  void spans(const std::vector<HistogramSpan>& spans) {
    uvarint(spans.size());
    for (const HistogramSpan& span : spans) {
      varint(span.offset);
      uvarint(span.length);
    }
  }
  void layout(const Histogram& h) {
    varint(h.schema);
    zero_threshold(h.zero_threshold);
    spans(h.positive_spans);
    spans(h.negative_spans);
    uvarint(h.custom_bounds.size());
    for (const double bound : h.custom_bounds) word(std::bit_cast<std::uint64_t>(bound));
  }
  // The rows have equal sizes.
  void changes(const std::vector<double>& before, const std::vector<double>& after, bool xored) {
    const std::size_t map = out_.size();
    out_.resize(map + (after.size() + 7) / 8);
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (same_bits(before[i], after[i])) continue;
      out_[map + i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
      if (xored) {
        trimmed(std::bit_cast<std::uint64_t>(before[i]) ^ std::bit_cast<std::uint64_t>(after[i]));
      } else {
        varint(static_cast<std::int64_t>(after[i]) - static_cast<std::int64_t>(before[i]));
      }
    }
  }

 private:
  std::vector<std::uint8_t>& out_;
};

// Reads records; what it returns false for, or leaves the reader failed, is corruption.
class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> bytes) : reader_(bytes) {}

  bool done() const { return reader_.left() == 0 && !reader_.failed(); }

  bool next(Timestamp& t, HistogramPtr& out) {
    const std::uint8_t flags = reader_.byte();
    if ((flags & ~kFlagsMask) != 0) return false;
    time_ += delta_ += reader_.varint();
    if (first_) delta_ = 0;
    first_ = false;
    auto h = std::make_shared<Histogram>();
    h->integer = (flags & kInteger) != 0;
    h->counter_reset_hint = static_cast<CounterResetHint>(flags & kHintMask);
    if ((flags & kStale) != 0) {
      h->sum = stale_marker();
    } else if (!histogram(flags, *h)) {
      return false;
    }
    if (reader_.failed()) return false;
    t = static_cast<Timestamp>(time_);
    out = h;
    if ((flags & kStale) == 0) baseline_ = std::move(h);
    return true;
  }

 private:
  bool histogram(std::uint8_t flags, Histogram& h) {
    const bool fresh = (flags & kLayout) != 0;
    if (fresh) {
      if (!layout(h)) return false;
    } else {
      if (baseline_ == nullptr) return false;
      h.schema = baseline_->schema;
      h.zero_threshold = baseline_->zero_threshold;
      h.positive_spans = baseline_->positive_spans;
      h.negative_spans = baseline_->negative_spans;
      h.custom_bounds = baseline_->custom_bounds;
    }
    const std::uint64_t sum_before =
        baseline_ == nullptr ? 0 : std::bit_cast<std::uint64_t>(baseline_->sum);
    h.sum = std::bit_cast<double>(sum_before ^ trimmed());
    const std::size_t positive = bucket_count(h.positive_spans);
    const std::size_t negative = bucket_count(h.negative_spans);
    const std::size_t size = 2 + positive + negative;
    // Before anything is reserved for the counts: the bitmap must be there.
    const std::uint8_t* const map = reader_.take((size + 7) / 8);
    if (map == nullptr) return false;
    std::vector<double> row = fresh ? std::vector<double>(size, 0.0) : row_of(*baseline_);
    for (std::size_t i = 0; i < size; ++i) {
      if ((map[i / 8] >> (i % 8) & 1) == 0) continue;
      if ((flags & kXorCounts) != 0) {
        row[i] = std::bit_cast<double>(std::bit_cast<std::uint64_t>(row[i]) ^ trimmed());
      } else if (!add_to(row[i], static_cast<std::int64_t>(reader_.varint()))) {
        return false;
      }
    }
    h.positive_counts.resize(positive);
    h.negative_counts.resize(negative);
    std::size_t at = 0;
    visit_row(h, [&](double& count) { count = row[at++]; });
    return true;
  }

  static bool add_to(double& count, std::int64_t change) {
    constexpr std::int64_t kChangeMax = std::int64_t{1} << 54;
    if (!is_integer(count) || change > kChangeMax || change < -kChangeMax) return false;
    count = static_cast<double>(static_cast<std::int64_t>(count) + change);
    return is_integer(count);
  }

  bool layout(Histogram& h) {
    const auto schema = static_cast<std::int64_t>(reader_.varint());
    if (schema < INT32_MIN || schema > INT32_MAX) return false;
    h.schema = static_cast<std::int32_t>(schema);
    const std::uint8_t threshold = reader_.byte();
    if (threshold == 255) {
      h.zero_threshold = std::bit_cast<double>(reader_.word());
    } else if (threshold != 0) {
      h.zero_threshold = std::ldexp(0.5, threshold - 243);
    }
    if (!spans(h.positive_spans) || !spans(h.negative_spans)) return false;
    const std::uint64_t bounds = reader_.uvarint();
    if (bounds > reader_.left() / 8 || bounds > kHistogramBucketsMax) return false;
    for (std::uint64_t i = 0; i < bounds; ++i) {
      h.custom_bounds.push_back(std::bit_cast<double>(reader_.word()));
    }
    return true;
  }

  bool spans(std::vector<HistogramSpan>& spans) {
    const std::uint64_t count = reader_.uvarint();
    if (count > reader_.left() / 2 || count > kHistogramSpansMax) return false;
    std::uint64_t buckets = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto offset = static_cast<std::int64_t>(reader_.varint());
      const std::uint64_t length = reader_.uvarint();
      if (offset < INT32_MIN || offset > INT32_MAX || length > kHistogramBucketsMax) return false;
      buckets += length;
      if (buckets > kHistogramBucketsMax) return false;
      spans.push_back({static_cast<std::int32_t>(offset), static_cast<std::uint32_t>(length)});
    }
    return true;
  }

  std::uint64_t trimmed() {
    const std::uint8_t control = reader_.byte();
    const unsigned skipped = control >> 4;
    const unsigned kept = control & 15;
    if (skipped + kept > 8) {
      reader_.mark_failed();
      return 0;
    }
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < kept; ++i) {
      bits |= std::uint64_t{reader_.byte()} << ((skipped + i) * 8);
    }
    return bits;
  }

  ByteReader reader_;
  bool first_ = true;
  std::uint64_t time_ = 0;
  std::uint64_t delta_ = 0;
  std::shared_ptr<const Histogram> baseline_;
};

Status check_side(const char* side, const std::vector<HistogramSpan>& spans,
                  const std::vector<double>& counts) {
  if (spans.size() > kHistogramSpansMax) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("histogram: {} {} spans, {} are allowed",
                                                          spans.size(), side, kHistogramSpansMax));
  }
  const std::size_t buckets = bucket_count(spans);
  if (buckets > kHistogramBucketsMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("histogram: {} {} buckets, {} are allowed", buckets, side,
                             kHistogramBucketsMax));
  }
  if (buckets != counts.size()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("histogram: {0} spans have {1} buckets, but there are {2} {0} counts",
                             side, buckets, counts.size()));
  }
  return {};
}

}  // namespace

Status check_histogram(const Histogram& h) {
  VARVE_TRY(check_side("positive", h.positive_spans, h.positive_counts));
  VARVE_TRY(check_side("negative", h.negative_spans, h.negative_counts));
  if (h.custom_bounds.size() > kHistogramBucketsMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("histogram: {} custom bounds, {} are allowed", h.custom_bounds.size(),
                             kHistogramBucketsMax));
  }
  return {};
}

void HistogramAppender::append(Timestamp t, const Histogram& histogram) {
  VARVE_CHECK(count_ < kHistogramChunkSamplesMax);
  auto next = std::make_shared<Histogram>();
  if (histogram.is_stale()) {
    next->sum = histogram.sum;  // all else of a stale marker means nothing
    next->integer = histogram.integer;
  } else {
    VARVE_DCHECK(check_histogram(histogram).ok());
    *next = histogram;
  }
  next->counter_reset_hint = next_reset_hint(last_.get(), histogram);
  // The first of a chunk does not vouch for a chunk before it, which may be gone when it is read.
  if (count_ == 0 && next->counter_reset_hint == CounterResetHint::kNotReset) {
    next->counter_reset_hint = CounterResetHint::kUnknown;
  }

  const bool stale = next->is_stale();
  const bool fresh = !stale && (baseline_ == nullptr || !same_layout(*baseline_, *next));
  std::vector<double> row;
  std::vector<double> row_before;
  bool xored = false;
  if (!stale) {
    row = row_of(*next);
    row_before = fresh ? std::vector<double>(row.size(), 0.0) : row_of(*baseline_);
    xored = !all_integers(row) || !all_integers(row_before);
  }
  auto flags = static_cast<std::uint8_t>(next->counter_reset_hint);
  if (next->integer) flags |= kInteger;
  if (fresh) flags |= kLayout;
  if (stale) flags |= kStale;
  if (xored) flags |= kXorCounts;

  Writer writer(bytes_);
  writer.byte(flags);
  // Wraps for times that are further apart than an int64, as does the decoder.
  const std::uint64_t delta =
      static_cast<std::uint64_t>(t) - static_cast<std::uint64_t>(last_time_);
  if (count_ == 0) {
    writer.varint(t);
    last_delta_ = 0;
  } else {
    writer.varint(static_cast<std::int64_t>(delta - static_cast<std::uint64_t>(last_delta_)));
    last_delta_ = static_cast<std::int64_t>(delta);
  }
  if (!stale) {
    if (fresh) writer.layout(*next);
    const double sum_before = baseline_ == nullptr ? 0 : baseline_->sum;
    writer.trimmed(std::bit_cast<std::uint64_t>(sum_before) ^
                   std::bit_cast<std::uint64_t>(next->sum));
    writer.changes(row_before, row, xored);
    baseline_ = next;
  }
  last_time_ = t;
  last_ = std::move(next);
  ++count_;
}

std::vector<std::uint8_t> HistogramAppender::finish() {
  count_ = 0;
  baseline_ = nullptr;
  bytes_.shrink_to_fit();
  return std::exchange(bytes_, {});
}

Status HistogramAppender::restore(std::span<const std::uint8_t> bytes, Timestamp last_time,
                                  HistogramPtr last) {
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  VARVE_TRY(decode_histograms(bytes, times, histograms));
  last_time_ = last_time;
  last_ = std::move(last);
  if (times.empty()) return {};
  bytes_.assign(bytes.begin(), bytes.end());
  count_ = times.size();
  last_time_ = times.back();
  last_ = histograms.back();
  if (times.size() > 1) {
    last_delta_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(times.back()) -
                                            static_cast<std::uint64_t>(times[times.size() - 2]));
  }
  for (HistogramPtr& histogram : histograms) {
    if (!histogram->is_stale()) baseline_ = std::move(histogram);
  }
  return {};
}

std::size_t HistogramAppender::memory_bytes() const {
  std::size_t bytes = bytes_.capacity();
  const auto add = [&](const Histogram* h) {
    if (h == nullptr) return;
    bytes += sizeof(Histogram) +
             (h->positive_spans.capacity() + h->negative_spans.capacity()) * sizeof(HistogramSpan) +
             (h->positive_counts.capacity() + h->negative_counts.capacity() +
              h->custom_bounds.capacity()) *
                 sizeof(double);
  };
  add(last_.get());
  if (baseline_ != last_) add(baseline_.get());
  return bytes;
}

Status decode_histograms(std::span<const std::uint8_t> bytes, std::vector<Timestamp>& times,
                         std::vector<HistogramPtr>& histograms) {
  VARVE_CHECK(times.size() == histograms.size());
  const std::size_t begin = times.size();
  Decoder decoder(bytes);
  while (!decoder.done()) {
    Timestamp t = 0;
    HistogramPtr histogram;
    if (times.size() - begin == kHistogramChunkSamplesMax || !decoder.next(t, histogram)) {
      const std::size_t good = times.size() - begin;
      times.resize(begin);
      histograms.resize(begin);
      return Error(ErrorCode::kCorruption,
                   fmt::format("histogram chunk: malformed after {} histograms", good));
    }
    times.push_back(t);
    histograms.push_back(std::move(histogram));
  }
  return {};
}

}  // namespace varve::storage::codec
