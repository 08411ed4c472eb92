// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/log.h"
#include "model/histogram.h"
#include "model/number.h"
#include "model/relabel.h"

namespace varve::api {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_int(std::string& out, std::int64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

constexpr std::size_t kTimeMax = 32;

// The fraction of a time, if it has one; where it ends.
char* write_millis(char* at, unsigned millis) {
  if (millis == 0) return at;
  *at++ = '.';
  *at++ = static_cast<char>('0' + millis / 100);
  *at++ = static_cast<char>('0' + millis / 10 % 10);
  *at++ = static_cast<char>('0' + millis % 10);
  return at;
}

// At most kTimeMax characters; where they end.
char* write_time(char* at, Timestamp time_ms) {
  auto magnitude = static_cast<std::uint64_t>(time_ms);
  if (time_ms < 0) {
    *at++ = '-';
    magnitude = 0 - magnitude;
  }
  at = std::to_chars(at, at + kTimeMax, magnitude / 1000).ptr;
  return write_millis(at, static_cast<unsigned>(magnitude % 1000));
}

// Times as text, one after the other: of two in a row mostly only the last four digits of the
// seconds differ.
class TimeText {
 public:
  // At most kTimeMax characters, which it may change all; where they end.
  char* write(char* at, Timestamp time_ms) {
    constexpr Timestamp kHighMs = 10'000'000;
    if (time_ms < kHighMs) return write_time(at, time_ms);
    const Timestamp high = time_ms / kHighMs;
    if (high != high_) {
      high_ = high;
      size_ =
          static_cast<std::size_t>(std::to_chars(text_, text_ + sizeof text_, high).ptr - text_);
    }
    std::memcpy(at, text_, sizeof text_);
    at += size_;
    const auto low_ms = static_cast<std::uint32_t>(time_ms % kHighMs);
    const std::uint32_t seconds = low_ms / 1000;
    at[0] = static_cast<char>('0' + seconds / 1000);
    at[1] = static_cast<char>('0' + seconds / 100 % 10);
    at[2] = static_cast<char>('0' + seconds / 10 % 10);
    at[3] = static_cast<char>('0' + seconds % 10);
    at += 4;
    return write_millis(at, low_ms % 1000);
  }

 private:
  Timestamp high_ = -1;
  char text_[16];
  std::size_t size_ = 0;
};

constexpr std::size_t kSampleMax = kTimeMax + model::kFloatTextMax + 6;

// [1435781430.781,"12.5"]
char* write_sample(TimeText& times, const Sample& sample, char* at) {
  *at++ = '[';
  at = times.write(at, sample.timestamp_ms);
  *at++ = ',';
  *at++ = '"';
  at = model::write_float(at, sample.value);
  *at++ = '"';
  *at++ = ']';
  return at;
}

// Bytes that stand in a string as they are.
constexpr std::array<bool, 256> plain_bytes() {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x80; ++byte) plain[byte] = true;
  for (const char escaped : {'"', '\\', '<', '>', '&'})
    plain[static_cast<std::size_t>(escaped)] = false;
  return plain;
}
constexpr std::array<bool, 256> kPlain = plain_bytes();

// How many bytes the character at `from`, which is not ASCII, takes; 0: it is none.
std::size_t character_size(std::string_view text, std::size_t from) {
  const auto lead = static_cast<unsigned char>(text[from]);
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const std::string_view character = text.substr(from, size);
  return character.size() == size && model::valid_utf8(character) ? size : 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;
  const auto flush = [&](std::size_t end) {
    out.append(text.substr(plain, end - plain));
    plain = end + 1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (kPlain[byte]) continue;
    if (byte == '"' || byte == '\\') {
      flush(i);
      out += '\\';
      out += text[i];
    } else if (byte < 0x80) {
      flush(i);
      if (byte == '\n') {
        out += "\\n";
      } else if (byte == '\r') {
        out += "\\r";
      } else if (byte == '\t') {
        out += "\\t";
      } else {
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
    } else {
      // What targets and peers answer stands in errors, whatever bytes these are.
      const std::size_t size = character_size(text, i);
      if (size == 0) {
        flush(i);
        out += "\\ufffd";
      } else {
        i += size - 1;
      }
    }
  }
  flush(text.size());
  out += '"';
}

void append_json_strings(std::string& out, std::span<const std::string> texts) {
  out += '[';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, texts[i]);
  }
  out += ']';
}

void append_json_labels(std::string& out, const Labels& labels) {
  out += '{';
  bool first = true;
  for (const LabelView& label : labels) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, label.name);
    out += ':';
    append_json_string(out, label.value);
  }
  out += '}';
}

void append_json_time(std::string& out, Timestamp time_ms) {
  char text[kTimeMax];
  out.append(text, write_time(text, time_ms));
}

void append_json_value(std::string& out, double value) {
  out += '"';
  model::append_float(out, value);
  out += '"';
}

void append_json_sample(std::string& out, const Sample& sample) {
  append_json_samples(out, {&sample, 1}, 0);
}

std::size_t append_json_samples(std::string& out, std::span<const Sample> samples,
                                std::size_t goal) {
  // A long panel is tens of thousands of these: many at once go to the string.
  constexpr std::size_t kBatch = 32;
  char text[kBatch * kSampleMax];
  TimeText times;
  std::size_t done = 0;
  do {
    char* at = text;
    const std::size_t end = std::min(samples.size(), done + kBatch);
    for (; done < end; ++done) {
      if (done > 0) *at++ = ',';
      at = write_sample(times, samples[done], at);
    }
    out.append(text, at);
  } while (done < samples.size() && out.size() < goal);
  return done;
}

void append_json_histogram(std::string& out, const Histogram& histogram) {
  out += "{\"count\":";
  append_json_value(out, histogram.count);
  out += ",\"sum\":";
  append_json_value(out, histogram.sum);
  bool first = true;
  for (const model::HistogramBucket& bucket : model::all_buckets(histogram)) {
    if (bucket.count == 0) continue;
    out += first ? ",\"buckets\":[[" : ",[";
    first = false;
    // 0: (lower, upper]; 1: [lower, upper); 2: both ends out; 3: both in.
    const int rule = bucket.lower_inclusive ? (bucket.upper_inclusive ? 3 : 1)
                                            : (bucket.upper_inclusive ? 0 : 2);
    append_int(out, rule);
    for (const double number : {bucket.lower, bucket.upper, bucket.count}) {
      out += ',';
      append_json_value(out, number);
    }
    out += ']';
  }
  out += first ? "}" : "]}";
}

void append_json_rfc3339(std::string& out, Timestamp time_ms) {
  if (time_ms == 0) {
    out += "\"0001-01-01T00:00:00Z\"";
    return;
  }
  out += '"';
  out += base::format_utc(time_ms);
  out += '"';
}

}  // namespace varve::api
