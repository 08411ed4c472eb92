// SPDX-License-Identifier: Apache-2.0
// Staging of records. The float sample is the hot one: a tag byte says how its id, time and value
// are written, so that the usual sample (same time, near id, few changed bytes) costs about four
// bytes and no loop. FORMAT.md has the table.
#include "storage/wal/records.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "storage/wal/bytes.h"
#include "storage/wal/float_shape.h"
#include "storage/wal/float_tag.h"
#include "storage/wal/format.h"

namespace varve::storage::wal {
namespace {

// Appends a record with its length: begin, write the body, end.
class RecordWriter {
 public:
  RecordWriter(ByteBuffer& out, RecordKind kind) : out_(out), begin_(out.size()) {
    out_.ensure(kRecordHeaderBytes);
    *out_.end() = static_cast<char>(kind);
    out_.advance(kRecordHeaderBytes);
  }
  ~RecordWriter() {
    put(out_.data() + begin_ + 1,
        static_cast<std::uint32_t>(out_.size() - begin_ - kRecordHeaderBytes));
  }
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void byte(std::uint8_t value) { fixed(value); }
  template <typename Number>
  void fixed(Number value) {
    out_.ensure(sizeof value);
    put(out_.end(), value);
    out_.advance(sizeof value);
  }
  void uvarint(std::uint64_t value) {
    out_.ensure(10);
    out_.advance(static_cast<std::size_t>(put_uvarint(out_.end(), value) - out_.end()));
  }
  void varint(std::int64_t value) { uvarint(zigzag(value)); }
  void number(double value) { fixed(std::bit_cast<std::uint64_t>(value)); }
  void string(std::string_view text) {
    uvarint(text.size());
    out_.append(text);
  }

 private:
  ByteBuffer& out_;
  const std::size_t begin_;
};

// Whether a count survives a trip through an integer, bit for bit.
bool is_whole(double value) {
  return std::abs(value) <= 9007199254740992.0 &&
         std::bit_cast<std::uint64_t>(static_cast<double>(static_cast<std::int64_t>(value))) ==
             std::bit_cast<std::uint64_t>(value);
}

bool all_whole(const std::vector<double>& values) {
  for (const double value : values) {
    if (!is_whole(value)) return false;
  }
  return true;
}

void write_spans(RecordWriter& out, const std::vector<HistogramSpan>& spans) {
  out.uvarint(spans.size());
  for (const HistogramSpan& span : spans) {
    out.varint(span.offset);
    out.uvarint(span.length);
  }
}

void write_counts(RecordWriter& out, const std::vector<double>& counts, bool whole) {
  out.uvarint(counts.size());
  std::int64_t last = 0;
  for (const double count : counts) {
    if (!whole) {
      out.number(count);
      continue;
    }
    const auto value = static_cast<std::int64_t>(count);
    out.varint(value - last);
    last = value;
  }
}

}  // namespace

void RunEncoder::begin_run(Timestamp timestamp_ms) {
  run_begin_ = buffer_.size();
  buffer_.ensure(kFloatRunHeaderBytes);
  char* out = buffer_.end();
  *out = static_cast<char>(RecordKind::kFloats);
  put(out + 9, timestamp_ms);
  buffer_.advance(kFloatRunHeaderBytes);
  run_samples_ = 0;
  last_id_ = 0;
  last_timestamp_ms_ = timestamp_ms;
}

void RunEncoder::end_run() {
  if (run_samples_ == 0) return;
  char* header = buffer_.data() + run_begin_;
  put(header + 1, run_samples_);
  put(header + 5,
      static_cast<std::uint32_t>(buffer_.size() - run_begin_ - kFloatRunHeaderBytes));
  run_samples_ = 0;
}

void RunEncoder::add_float(SeriesId id, Timestamp timestamp_ms, std::uint64_t value_bits,
                           std::uint64_t previous_bits, bool raw) {
  if (run_samples_ == 0) [[unlikely]] begin_run(timestamp_ms);
  buffer_.ensure(kFloatSampleBytesMax);
  char* const begin = buffer_.end();
  char* out = begin + 1;
  std::uint8_t tag = 0;

  const std::uint32_t delta = static_cast<std::uint32_t>(id) - last_id_;  // modulo 2^32
  last_id_ = static_cast<std::uint32_t>(id);
  if (delta - kIdByteBase < 256) [[likely]] {
    tag = kIdByte;
    *out++ = static_cast<char>(delta - kIdByteBase);
  } else if (delta < kIdByteBase) {
    tag = delta == 0 ? kIdSame : kIdNext;
  } else {
    tag = kIdVarint;
    out = put_uvarint(out, delta);
  }

  if (timestamp_ms == last_timestamp_ms_) [[likely]] {
    tag |= kSameTime;
  } else {
    // Unsigned, so that the distance of any two times wraps instead of overflowing.
    out = put_uvarint(out, zigzag(static_cast<std::int64_t>(
                               static_cast<std::uint64_t>(timestamp_ms) -
                               static_cast<std::uint64_t>(last_timestamp_ms_))));
    last_timestamp_ms_ = timestamp_ms;
  }

  if (raw) {
    tag |= kShapeRaw;
    out = put(out, value_bits);
  } else if (const std::uint64_t difference = value_bits ^ previous_bits; difference != 0) {
    const std::uint8_t shape = shape_of(difference);
    tag = static_cast<std::uint8_t>(tag | shape);
    put(out, difference >> (kShapes.dropped[shape] * 8));
    out += kShapes.kept[shape];
  }
  *begin = static_cast<char>(tag);
  buffer_.advance(static_cast<std::size_t>(out - begin));
  if (++run_samples_ == kRunSamplesMax) [[unlikely]] end_run();
}

void RunEncoder::add_late_float(SeriesId id, const Sample& sample) {
  end_run();
  RecordWriter out(buffer_, RecordKind::kLateFloat);
  out.uvarint(static_cast<std::uint32_t>(id));
  out.varint(sample.timestamp_ms);
  out.number(sample.value);
}

void RunEncoder::add_histogram(SeriesId id, const HistogramSample& sample, bool late) {
  end_run();
  const Histogram& h = sample.histogram;
  const bool whole = is_whole(h.count) && is_whole(h.zero_count) && all_whole(h.positive_counts) &&
                     all_whole(h.negative_counts);
  RecordWriter out(buffer_, RecordKind::kHistogram);
  out.uvarint(static_cast<std::uint32_t>(id));
  out.varint(sample.timestamp_ms);
  out.byte(static_cast<std::uint8_t>(static_cast<unsigned>(h.counter_reset_hint) |
                                     (h.integer ? kHistogramInteger : 0U) |
                                     (late ? kHistogramLate : 0U) |
                                     (whole ? kHistogramWholeCounts : 0U)));
  out.varint(h.schema);
  out.number(h.zero_threshold);
  out.number(h.sum);
  write_counts(out, {h.zero_count, h.count}, whole);
  write_spans(out, h.positive_spans);
  write_counts(out, h.positive_counts, whole);
  write_spans(out, h.negative_spans);
  write_counts(out, h.negative_counts, whole);
  write_counts(out, h.custom_bounds, false);
}

void RunEncoder::add_exemplar(SeriesId id, const ExemplarSample& exemplar) {
  end_run();
  RecordWriter out(buffer_, RecordKind::kExemplar);
  out.uvarint(static_cast<std::uint32_t>(id));
  out.varint(exemplar.timestamp_ms);
  out.number(exemplar.value);
  out.string(exemplar.labels.bytes());
}

void RunEncoder::add_tombstone(SeriesId id, TimeRange range) {
  end_run();
  RecordWriter out(buffer_, RecordKind::kTombstone);
  out.uvarint(static_cast<std::uint32_t>(id));
  out.varint(range.min_ms);
  out.varint(range.max_ms);
}

ByteBuffer RunEncoder::take(ByteBuffer fresh) {
  end_run();
  fresh.clear();
  buffer_.swap(fresh);
  return fresh;
}

void SeriesEncoder::add_series(SeriesId id, std::string_view labels) {
  RecordWriter out(buffer_, RecordKind::kSeries);
  out.uvarint(static_cast<std::uint32_t>(id));
  out.string(labels);
}

void SeriesEncoder::add_metadata(const MetadataEntry& entry) {
  RecordWriter out(buffer_, RecordKind::kMetadata);
  out.string(entry.metric_family);
  out.string(entry.type);
  out.string(entry.help);
  out.string(entry.unit);
}

void SeriesEncoder::add_retired(SeriesId id) {
  RecordWriter out(buffer_, RecordKind::kRetired);
  out.uvarint(static_cast<std::uint32_t>(id));
}

ByteBuffer SeriesEncoder::take(ByteBuffer fresh) {
  fresh.clear();
  buffer_.swap(fresh);
  return fresh;
}

}  // namespace varve::storage::wal
