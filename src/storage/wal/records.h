// SPDX-License-Identifier: Apache-2.0
// What frames consist of: records, packed into the sections that a frame carries (FORMAT.md).
// Encoders stage into memory under their owner's lock; decoders walk bytes whose checksum held, but
// still check every bound.
//
// How a float value is written: XOR with the series' previous value. "Previous" is the value of the
// newest in-order float sample of the series, as the head keeps it. Replay applies the same rule:
// a float run holds samples that were taken in order, and whether one was is not asked again (it
// would depend on the newest sample of the whole head). The first sample of a series in each
// segment must be raw, so that every segment decodes on its own. Late samples have records of their
// own and leave "previous" alone.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/wal/byte_buffer.h"
#include "storage/write_batch.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::wal {

// Most samples in one run; a decoder's arrays never grow beyond it.
inline constexpr std::uint32_t kRunSamplesMax = 4096;

// The staging buffer of one shard. Owned and locked by the shard. add_float() allocates nothing
// once the buffer is warm.
class RunEncoder {
 public:
  // `raw`: `value_bits` stand for themselves and `previous_bits` is not looked at.
  void add_float(SeriesId id, Timestamp timestamp_ms, std::uint64_t value_bits,
                 std::uint64_t previous_bits, bool raw);
  // A sample taken out of order.
  void add_late_float(SeriesId id, const Sample& sample);
  void add_histogram(SeriesId id, const HistogramSample& sample, bool late);
  void add_exemplar(SeriesId id, const ExemplarSample& exemplar);
  // The samples of one series in `range` are deleted. Order with samples is kept.
  void add_tombstone(SeriesId id, TimeRange range);

  std::size_t size_bytes() const { return buffer_.size(); }
  bool empty() const { return buffer_.empty(); }

  // Hands over what was staged and goes on, empty, in `fresh` (its capacity is reused).
  ByteBuffer take(ByteBuffer fresh);

 private:
  void begin_run(Timestamp timestamp_ms);
  void end_run();

  ByteBuffer buffer_;
  std::size_t run_begin_ = 0;      // offset of the open run's header
  std::uint32_t run_samples_ = 0;  // 0: no run is open
  std::uint32_t last_id_ = 0;
  Timestamp last_timestamp_ms_ = 0;
};

// The staging buffer for what belongs to no shard: new series and metadata.
class SeriesEncoder {
 public:
  // `labels`: Labels::bytes(), canonical.
  void add_series(SeriesId id, std::string_view labels);
  void add_metadata(const MetadataEntry& entry);
  // The series has left for good: whatever the log has of it, before or behind, does not count.
  void add_retired(SeriesId id);

  std::size_t size_bytes() const { return buffer_.size(); }
  bool empty() const { return buffer_.empty(); }
  ByteBuffer take(ByteBuffer fresh);

 private:
  ByteBuffer buffer_;
};

// Decoding ------------------------------------------------------------------------------------

// One decoded float run as columns of equal length. If raw[i] is 0, the value is bits[i] XOR the
// previous value of ids[i] (see above), which the replaying head knows.
struct FloatRun {
  std::span<const std::uint32_t> ids;
  std::span<const Timestamp> times;
  std::span<const std::uint64_t> bits;
  std::span<const std::uint8_t> raw;
};

struct LateFloatRecord {
  SeriesId id{};
  Sample sample;
};

struct HistogramRecord {
  SeriesId id{};
  HistogramSample sample;
  bool late = false;
};

struct ExemplarRecord {
  SeriesId id{};
  ExemplarSample exemplar;
};

struct TombstoneRecord {
  SeriesId id{};
  TimeRange range;
};

using RunRecord =
    std::variant<std::monostate, FloatRun, LateFloatRecord, HistogramRecord, ExemplarRecord,
                 TombstoneRecord>;

// Walks one shard's section of a frame, in the order it was staged. Not thread-safe. What next()
// gives is valid until the next call. Reusable: open() keeps the arrays.
class RunDecoder {
 public:
  void open(std::string_view section) { rest_ = section; }
  // The next record; std::monostate at the end. kCorruption if the bytes make no sense.
  Result<const RunRecord*> next();

 private:
  Status decode_floats(std::string_view body, std::uint32_t count, Timestamp first_ms);

  std::string_view rest_;
  RunRecord record_;
  std::vector<std::uint32_t> ids_;
  std::vector<Timestamp> times_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint8_t> raw_;
};

struct SeriesRecord {
  SeriesId id{};
  std::string_view labels;  // valid canonical Labels::bytes(), in the section's memory
};

struct RetiredRecord {
  SeriesId id{};
};

using SeriesSectionRecord =
    std::variant<std::monostate, SeriesRecord, MetadataEntry, RetiredRecord>;

// Walks the series section of a frame. As RunDecoder.
class SeriesDecoder {
 public:
  void open(std::string_view section) { rest_ = section; }
  Result<const SeriesSectionRecord*> next();

 private:
  std::string_view rest_;
  SeriesSectionRecord record_;
};

}  // namespace varve::storage::wal
