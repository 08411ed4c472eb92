// SPDX-License-Identifier: Apache-2.0
// Decoding of records. Sections come from frames whose checksum held, so a failure here means a bug
// or a forged file; either way it ends in kCorruption.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/try.h"
#include "storage/wal/bytes.h"
#include "storage/wal/float_shape.h"
#include "storage/wal/float_tag.h"
#include "storage/wal/format.h"
#include "storage/wal/records.h"

namespace varve::storage::wal {
namespace {

Error corrupt(std::string_view what, std::uint64_t value) {
  return Error(ErrorCode::kCorruption, fmt::format("wal record: {} ({})", what, value));
}

constexpr std::array<std::uint64_t, 9> kKeptMask = {
    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, ~0ULL};

// Splits the next sized record off `rest`.
struct RawRecord {
  RecordKind kind;
  std::string_view body;
};
Result<RawRecord> take_record(std::string_view& rest) {
  ByteReader in(rest);
  const auto kind = in.fixed<std::uint8_t>();
  const auto size = in.fixed<std::uint32_t>();
  const std::string_view body = in.take(size);
  if (!in.ok()) return corrupt("cut short", rest.size());
  rest.remove_prefix(kRecordHeaderBytes + body.size());
  return RawRecord{static_cast<RecordKind>(kind), body};
}

SeriesId read_id(ByteReader& in) {
  const std::uint64_t id = in.uvarint();
  return id <= 0xffffffff ? static_cast<SeriesId>(id) : SeriesId::kNone;
}

double read_number(ByteReader& in) { return std::bit_cast<double>(in.fixed<std::uint64_t>()); }

// Every element takes at least `bytes_each`, so a count beyond what is left is a lie; checking it
// first keeps it from reserving memory.
bool plausible(const ByteReader& in, std::uint64_t count, std::size_t bytes_each) {
  return in.ok() && count <= in.left() / bytes_each;
}

bool read_spans(ByteReader& in, std::vector<HistogramSpan>& spans) {
  const std::uint64_t count = in.uvarint();
  if (!plausible(in, count, 2)) return false;
  spans.resize(count);
  for (HistogramSpan& span : spans) {
    span.offset = static_cast<std::int32_t>(in.varint());
    span.length = static_cast<std::uint32_t>(in.uvarint());
  }
  return in.ok();
}

bool read_counts(ByteReader& in, std::vector<double>& counts, bool whole) {
  const std::uint64_t count = in.uvarint();
  if (!plausible(in, count, whole ? 1 : 8)) return false;
  counts.resize(count);
  std::uint64_t last = 0;
  for (double& value : counts) {
    if (!whole) {
      value = read_number(in);
      continue;
    }
    last += static_cast<std::uint64_t>(in.varint());
    value = static_cast<double>(static_cast<std::int64_t>(last));
  }
  return in.ok();
}

bool spans_match(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts) {
  std::uint64_t buckets = 0;
  for (const HistogramSpan& span : spans) buckets += span.length;
  return buckets == counts.size();
}

Result<HistogramRecord> read_histogram(std::string_view body) {
  ByteReader in(body);
  HistogramRecord record;
  Histogram& h = record.sample.histogram;
  record.id = read_id(in);
  record.sample.timestamp_ms = in.varint();
  const auto flags = in.fixed<std::uint8_t>();
  h.counter_reset_hint = static_cast<CounterResetHint>(flags & 3);
  h.integer = (flags & kHistogramInteger) != 0;
  record.late = (flags & kHistogramLate) != 0;
  const bool whole = (flags & kHistogramWholeCounts) != 0;
  h.schema = static_cast<std::int32_t>(in.varint());
  h.zero_threshold = read_number(in);
  h.sum = read_number(in);
  std::vector<double> totals;
  const bool complete =
      read_counts(in, totals, whole) && totals.size() == 2 && read_spans(in, h.positive_spans) &&
      read_counts(in, h.positive_counts, whole) && read_spans(in, h.negative_spans) &&
      read_counts(in, h.negative_counts, whole) && read_counts(in, h.custom_bounds, false);
  if (!complete || !in.done() || record.id == SeriesId::kNone ||
      !spans_match(h.positive_spans, h.positive_counts) ||
      !spans_match(h.negative_spans, h.negative_counts)) {
    return corrupt("malformed histogram", body.size());
  }
  h.zero_count = totals[0];
  h.count = totals[1];
  return record;
}

Result<ExemplarRecord> read_exemplar(std::string_view body) {
  ByteReader in(body);
  ExemplarRecord record;
  record.id = read_id(in);
  record.exemplar.timestamp_ms = in.varint();
  record.exemplar.value = read_number(in);
  const std::string_view labels = in.string();
  if (!in.ok() || !in.done() || record.id == SeriesId::kNone || !Labels::valid_bytes(labels)) {
    return corrupt("malformed exemplar", body.size());
  }
  record.exemplar.labels = Labels::from_bytes(std::string(labels));
  return record;
}

Result<LateFloatRecord> read_late_float(std::string_view body) {
  ByteReader in(body);
  LateFloatRecord record;
  record.id = read_id(in);
  record.sample.timestamp_ms = in.varint();
  record.sample.value = read_number(in);
  if (!in.ok() || !in.done() || record.id == SeriesId::kNone) {
    return corrupt("malformed late float", body.size());
  }
  return record;
}

Result<TombstoneRecord> read_tombstone(std::string_view body) {
  ByteReader in(body);
  TombstoneRecord record;
  record.id = read_id(in);
  record.range.min_ms = in.varint();
  record.range.max_ms = in.varint();
  if (!in.ok() || !in.done() || record.id == SeriesId::kNone) {
    return corrupt("malformed tombstone", body.size());
  }
  return record;
}

}  // namespace

Result<const RunRecord*> RunDecoder::next() {
  if (rest_.empty()) {
    record_ = std::monostate();
    return &record_;
  }
  if (static_cast<RecordKind>(rest_.front()) == RecordKind::kFloats) {
    ByteReader in(rest_);
    in.take(1);
    const auto samples = in.fixed<std::uint32_t>();
    const auto bytes = in.fixed<std::uint32_t>();
    const auto first_ms = in.fixed<Timestamp>();
    const std::string_view body = in.take(bytes);
    if (!in.ok()) return corrupt("cut short", rest_.size());
    if (samples == 0 || samples > kRunSamplesMax || samples > body.size()) {
      return corrupt("impossible number of samples", samples);
    }
    rest_.remove_prefix(kFloatRunHeaderBytes + body.size());
    VARVE_TRY(decode_floats(body, samples, first_ms));
    record_ = FloatRun{std::span(ids_).first(samples), std::span(times_).first(samples),
                       std::span(bits_).first(samples), std::span(raw_).first(samples)};
    return &record_;
  }
  VARVE_TRY_ASSIGN(const RawRecord record, take_record(rest_));
  switch (record.kind) {
    case RecordKind::kLateFloat: {
      VARVE_TRY_ASSIGN(record_, read_late_float(record.body));
      break;
    }
    case RecordKind::kHistogram: {
      VARVE_TRY_ASSIGN(record_, read_histogram(record.body));
      break;
    }
    case RecordKind::kExemplar: {
      VARVE_TRY_ASSIGN(record_, read_exemplar(record.body));
      break;
    }
    case RecordKind::kTombstone: {
      VARVE_TRY_ASSIGN(record_, read_tombstone(record.body));
      break;
    }
    default: return corrupt("unknown kind", static_cast<std::uint64_t>(record.kind));
  }
  return &record_;
}

// Whole samples are decoded without bounds checks while a sample of any form still fits; the end of
// the body is copied behind padding, so that there too only the result is checked.
Status RunDecoder::decode_floats(std::string_view body, std::uint32_t count, Timestamp first_ms) {
  if (ids_.empty()) {
    ids_.resize(kRunSamplesMax);
    times_.resize(kRunSamplesMax);
    bits_.resize(kRunSamplesMax);
    raw_.resize(kRunSamplesMax);
  }
  constexpr std::ptrdiff_t kUncheckedBytes = kFloatSampleBytesMax + 8;  // varints may be overlong
  std::array<char, 2 * kUncheckedBytes> tail{};
  const char* in = body.data();
  const char* end = in + body.size();
  bool in_tail = false;
  std::uint32_t id = 0;
  auto time = static_cast<std::uint64_t>(first_ms);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (end - in < kUncheckedBytes) [[unlikely]] {
      if (in >= end) return corrupt("float run cut short", count - i);
      if (!in_tail) {
        in_tail = true;
        const auto left = static_cast<std::size_t>(end - in);
        std::memcpy(tail.data(), in, left);
        in = tail.data();
        end = in + left;
      }
    }
    const auto tag = static_cast<std::uint8_t>(*in++);
    switch (tag & kIdMask) {
      case kIdByte: id += kIdByteBase + static_cast<std::uint8_t>(*in++); break;
      case kIdSame: break;
      case kIdNext: ++id; break;
      default: {
        std::uint64_t distance = 0;
        in = get_uvarint(in, distance);
        id += static_cast<std::uint32_t>(distance);
      }
    }
    if ((tag & kSameTime) == 0) {
      std::uint64_t distance = 0;
      in = get_uvarint(in, distance);
      time += static_cast<std::uint64_t>(unzigzag(distance));
    }
    const std::uint8_t shape = tag & kShapeMask;
    const unsigned kept = kShapes.kept[shape];
    bits_[i] = (get<std::uint64_t>(in) & kKeptMask[kept]) << (kShapes.dropped[shape] * 8);
    raw_[i] = shape == kShapeRaw;
    in += kept;
    ids_[i] = id;
    times_[i] = static_cast<Timestamp>(time);
    if (id == 0) [[unlikely]] return corrupt("series id 0 in a float run at sample", i);
  }
  if (in != end) return corrupt("float run of a wrong length", body.size());
  return {};
}

Result<const SeriesSectionRecord*> SeriesDecoder::next() {
  if (rest_.empty()) {
    record_ = std::monostate();
    return &record_;
  }
  VARVE_TRY_ASSIGN(const RawRecord record, take_record(rest_));
  ByteReader in(record.body);
  if (record.kind == RecordKind::kSeries) {
    SeriesRecord series;
    series.id = read_id(in);
    series.labels = in.string();
    if (!in.ok() || !in.done() || series.id == SeriesId::kNone ||
        !Labels::valid_bytes(series.labels)) {
      return corrupt("malformed series", record.body.size());
    }
    record_ = series;
  } else if (record.kind == RecordKind::kMetadata) {
    MetadataEntry entry;
    for (std::string* text : {&entry.metric_family, &entry.type, &entry.help, &entry.unit}) {
      *text = in.string();
    }
    if (!in.ok() || !in.done()) return corrupt("malformed metadata", record.body.size());
    record_ = std::move(entry);
  } else if (record.kind == RecordKind::kRetired) {
    const RetiredRecord retired{read_id(in)};
    if (!in.ok() || !in.done() || retired.id == SeriesId::kNone) {
      return corrupt("malformed retirement", record.body.size());
    }
    record_ = retired;
  } else {
    return corrupt("unknown kind", static_cast<std::uint64_t>(record.kind));
  }
  return &record_;
}

}  // namespace varve::storage::wal
