// SPDX-License-Identifier: Apache-2.0
// The quick way to read a remote write request: no label is looked at, what looks like samples at
// the end of a series is taken for them. What is right about that, and who finds out where it is
// wrong, is said at WriteRequestDecoder::guess().
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <protozero/exception.hpp>
#include <string_view>

#include "wire/protobuf_cursor.h"
#include "wire/remote_write.h"
#include "wire/remote_write_fields.h"

namespace varve::wire {
namespace {

using storage::SeriesEntry;
using storage::WriteBatch;

static_assert(std::endian::native == std::endian::little, "doubles are copied as they stand");

// Of what guess() takes for a key.
class GuessedKeyDecoder final : public storage::KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override {
    return decode_key(key, ErrorCode::kCorruption);
  }
};

// The samples at the end of a message, told by what they look like: two fields in order, the value
// left out if it is zero, and a time that takes six bytes, as those of the years 1971 to 2109 do.
class Tail {
 public:
  // Where the samples of the message begin; its end if there are none.
  static const char* begin(std::string_view message) {
    const char* at = message.data() + message.size();
    while (const std::ptrdiff_t bytes = sample_before(message.data(), at)) at -= bytes;
    return at;
  }
  // The sample that stands at `at`, which moves behind it.
  Sample take(const char*& at) {
    Sample sample;
    if (at[1] == kWithValue) std::memcpy(&sample.value, at + 3, 8);
    at += 2 + at[1];
    std::uint64_t time = 0;
    std::memcpy(&time, at - 8, 8);
    time >>= 16;
    if (time != time_bytes_) {  // most samples of a request have one time
      time_bytes_ = time;
      time_ms_ = static_cast<Timestamp>(ProtobufCursor({at - kTimeBytes, kTimeBytes}).varint());
    }
    sample.timestamp_ms = time_ms_;
    return sample;
  }

 private:
  static constexpr std::ptrdiff_t kTimeBytes = 6;
  static constexpr char kWithValue = 1 + 8 + 1 + kTimeBytes;  // the length of such a sample
  static constexpr char kWithoutValue = 1 + kTimeBytes;

  // The bytes of the sample field that ends at `end`; 0: none does.
  static std::ptrdiff_t sample_before(const char* begin, const char* end) {
    if (end - begin < 2 + kWithoutValue) return 0;
    std::uint64_t last = 0;  // eight bytes: of the time's field, and one before it
    std::memcpy(&last, end - 8, 8);
    if ((last & 0x808080808080ff00) != (0x0080808080800000 | kSampleTimestampTag << 8)) return 0;
    if (end - begin >= 2 + kWithValue) {
      const char* const at = end - 2 - kWithValue;
      if (at[0] == kSampleTag && at[1] == kWithValue && at[2] == kSampleValueTag) return end - at;
    }
    const char* const at = end - 2 - kWithoutValue;
    return at[0] == kSampleTag && at[1] == kWithoutValue ? end - at : 0;
  }

  std::uint64_t time_bytes_ = 0;
  Timestamp time_ms_ = 0;
};

}  // namespace

std::optional<DecodeReport> WriteRequestDecoder::guess(std::string_view protobuf, WriteBatch& out) {
  static const GuessedKeyDecoder key_decoder;
  out.clear();
  out.key_space = kRemoteWrite1KeySpace;
  out.decoder = &key_decoder;
  // A series of the shortest key and one sample takes most: less than three times its bytes.
  static_assert(sizeof(SeriesEntry) + sizeof(Sample) <= 3 * (2 + kKeyMinBytes + 2 + 7));
  if (protobuf.size() > kBatchMaxBytes / 3) return std::nullopt;
  Tail tail;
  try {
    for (ProtobufCursor cursor(protobuf); !cursor.done();) {
      if (cursor.varint() != kTimeSeriesTag) return std::nullopt;
      const std::string_view message = cursor.bytes();
      const char* at = Tail::begin(message);
      const char* const end = message.data() + message.size();
      // Of the next but one, if it is about as long.
      __builtin_prefetch(end + 2 * message.size());
      SeriesEntry& entry = out.series.emplace_back();
      entry.key = message.substr(0, static_cast<std::size_t>(at - message.data()));
      if (at == end || entry.key.size() < kKeyMinBytes || entry.key.size() > kKeyMaxBytes) {
        return std::nullopt;
      }
      entry.samples_begin = static_cast<std::uint32_t>(out.samples.size());
      while (at != end) out.samples.push_back(tail.take(at));
      entry.samples_count = static_cast<std::uint32_t>(out.samples.size()) - entry.samples_begin;
    }
  } catch (const protozero::exception&) {
    return std::nullopt;  // decode() says what is wrong
  }
  DecodeReport report;
  report.samples_without_metadata = out.samples.size();
  return report;
}

}  // namespace varve::wire
