// SPDX-License-Identifier: Apache-2.0
// Field by field over all series, as neighbours have equal or near values there: what follows is
// compressed, and a column of equal times becomes nothing.
#include "storage/head/shard_image.h"

#include <fmt/format.h>

#include "base/try.h"
#include "storage/codec/histogram.h"
#include "storage/head/bytes.h"
#include "storage/head/shard.h"

namespace varve::storage::head {
namespace {

Error corrupt(std::string_view what) {
  return Error(ErrorCode::kCorruption, fmt::format("snapshot of a shard: {}", what));
}

// A histogram as a chunk of its own.
void put_histogram(std::string& out, Timestamp t, const Histogram& histogram) {
  codec::HistogramAppender appender;
  appender.append(t, histogram);
  const auto bytes = appender.bytes();
  put_string(out, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

bool take_histogram(ImageReader& in, HistogramPoint& point) {
  const std::string_view bytes = in.string();
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  const std::span<const std::uint8_t> chunk(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            bytes.size());
  if (!in.ok() || !codec::decode_histograms(chunk, times, histograms).ok() || times.size() != 1) {
    in.fail();
    return false;
  }
  point = {times[0], std::move(histograms[0])};
  return true;
}

void put_late(const std::vector<ShardImage::Late>& entries, std::string& out) {
  put_uvarint(out, entries.size());
  for (const ShardImage::Late& late : entries) {
    put_uvarint(out, late.id);
    put_uvarint(out, late.floats.size());
    Timestamp before = 0;
    for (const Sample& sample : late.floats) {
      put_delta(out, sample.timestamp_ms, before);
      put_fixed(out, sample.value);
      before = sample.timestamp_ms;
    }
    put_uvarint(out, late.histograms.size());
    for (const HistogramPoint& point : late.histograms) {
      put_histogram(out, point.timestamp_ms, *point.histogram);
    }
  }
}

class ImageDecoder {
 public:
  ImageDecoder(std::string_view bytes, unsigned shard, ShardImage& image)
      : in_(bytes), shard_(shard), image_(image) {}

  Status decode() {
    image_.clear();
    image_.frozen_before_ms = in_.fixed<Timestamp>();
    if (!series()) return corrupt("series");
    if (!chunks()) return corrupt("chunks");
    if (!histograms()) return corrupt("histograms");
    if (!late(image_.late) || !late(image_.frozen)) return corrupt("late samples");
    if (!deleted()) return corrupt("deleted ranges");
    if (!in_.ok() || !in_.done()) return corrupt("length");
    return sides_belong() ? Status() : corrupt("flags");
  }

 private:
  bool series() {
    const std::size_t count = in_.count(8);
    image_.ids.resize(count);
    image_.hot.resize(count);
    std::uint64_t id = 0;
    for (std::uint32_t& each : image_.ids) {
      const std::uint64_t distance = in_.uvarint();
      id += distance;
      if (distance == 0 || id > 0xffffffff || shard_of(static_cast<SeriesId>(id)) != shard_) {
        return false;
      }
      each = static_cast<std::uint32_t>(id);
    }
    std::vector<HotSeries>& hot = image_.hot;
    for (HotSeries& s : hot) s.gorilla.owner_byte = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.gorilla.bit_count = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.gorilla.leading = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.gorilla.trailing = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.value_exponent = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.samples_max = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.gorilla.count = in_.fixed<std::uint8_t>();
    for (HotSeries& s : hot) s.gorilla.word_count = in_.fixed<std::uint8_t>();
    std::int64_t before = 0;
    for (HotSeries& s : hot) before = s.gorilla.last_time = in_.delta(before);
    before = 0;
    for (HotSeries& s : hot) before = s.range_end = in_.delta(before);
    for (HotSeries& s : hot) s.first_offset_ms = static_cast<std::uint32_t>(in_.uvarint());
    for (HotSeries& s : hot) s.gorilla.last_delta = static_cast<std::uint32_t>(in_.uvarint());
    for (HotSeries& s : hot) s.gorilla.last_value = in_.fixed<double>();
    for (HotSeries& s : hot) s.gorilla.bits = in_.fixed<std::uint64_t>();
    std::size_t words = 0;
    for (const HotSeries& s : hot) words += s.gorilla.word_count;
    const std::string_view bytes = in_.take(words * sizeof(std::uint64_t));
    if (!in_.ok()) return false;
    image_.words.resize(words);
    if (words > 0) std::memcpy(image_.words.data(), bytes.data(), bytes.size());
    const std::uint64_t* at = image_.words.data();
    for (const HotSeries& s : hot) {
      constexpr unsigned kAllFlags = 2 * HotSeries::kDeleted - 1;
      if (!s.is(HotSeries::kKnown) || s.gorilla.owner_byte > kAllFlags) return false;
      if (s.gorilla.word_count > kChunkWordsMax || s.gorilla.count > kChunkSamplesMax) return false;
      if (!codec::gorilla_check(s.gorilla, at)) return false;
      if (s.gorilla.count > 0 && !s.is(HotSeries::kHasSamples)) return false;
      at += s.gorilla.word_count;
    }
    return true;
  }

  bool chunks() {
    image_.chunk_counts.resize(image_.ids.size());
    std::uint64_t total = 0;
    for (std::uint32_t& count : image_.chunk_counts) {
      const std::uint64_t value = in_.uvarint();
      if (value > in_.left()) return false;
      count = static_cast<std::uint32_t>(value);
      total += value;
    }
    if (total > in_.left() / 3) return false;
    image_.chunks.resize(total);
    std::int64_t before = 0;
    for (ChunkRef& chunk : image_.chunks) {
      const std::int64_t offset = in_.delta(before);
      const std::uint64_t length = in_.uvarint();
      if (offset < 0 || offset >> 40 != 0 || length >> 4 > SpillPlace::kLengthMax) return false;
      const auto tag = static_cast<unsigned>(length & 15);
      if (tag != ChunkRef::kFloats && tag != ChunkRef::kHistograms) return false;
      chunk.place = SpillPlace::make(static_cast<std::uint64_t>(offset), length >> 4, tag);
      before = offset;
    }
    before = 0;
    for (ChunkRef& chunk : image_.chunks) {
      before = in_.delta(before);
      chunk.column = static_cast<TimeColumnId>(before);
    }
    return in_.ok();
  }

  // The id of an entry beside the series; entries ascend.
  bool side_id(std::uint32_t& id) {
    const std::uint64_t value = in_.uvarint();
    id = static_cast<std::uint32_t>(value);
    return in_.ok() && value <= 0xffffffff;
  }

  bool histograms() {
    image_.histograms.resize(in_.count(4));
    for (ShardImage::Histograms& h : image_.histograms) {
      if (!side_id(h.id)) return false;
      h.first_ms = in_.delta(0);
      h.last_ms = in_.delta(h.first_ms);
      const std::string_view open = in_.string();
      h.open.assign(open.begin(), open.end());
      if (!h.open.empty()) continue;
      HistogramPoint last;
      if (!take_histogram(in_, last)) return false;
      h.last = std::move(last.histogram);
    }
    return in_.ok();
  }

  bool late(std::vector<ShardImage::Late>& entries) {
    entries.resize(in_.count(3));
    for (ShardImage::Late& late : entries) {
      if (!side_id(late.id)) return false;
      late.floats.resize(in_.count(9));
      Timestamp before = TimeRange::all().min_ms;
      Timestamp base = 0;
      for (Sample& sample : late.floats) {
        base = sample.timestamp_ms = in_.delta(base);
        sample.value = in_.fixed<double>();
        if (&sample != late.floats.data() && sample.timestamp_ms <= before) return false;
        before = sample.timestamp_ms;
      }
      late.histograms.resize(in_.count(2));
      for (HistogramPoint& point : late.histograms) {
        if (!take_histogram(in_, point)) return false;
        if (&point != late.histograms.data() && point.timestamp_ms <= before) return false;
        before = point.timestamp_ms;
      }
    }
    return in_.ok();
  }

  bool deleted() {
    image_.deleted.resize(in_.count(4));
    for (ShardImage::Deleted& d : image_.deleted) {
      if (!side_id(d.id)) return false;
      d.ranges.resize(in_.count(2));
      for (std::size_t i = 0; i < d.ranges.size(); ++i) {
        TimeRange& range = d.ranges[i];
        range.min_ms = in_.delta(i == 0 ? 0 : d.ranges[i - 1].max_ms);
        range.max_ms = in_.delta(range.min_ms);
        if (range.empty() || (i > 0 && range.min_ms <= d.ranges[i - 1].max_ms)) return false;
      }
      if (d.ranges.empty()) return false;
    }
    return in_.ok();
  }

  // Every flag of a series that promises something beside it is kept, and nothing is there unasked.
  bool sides_belong() const {
    std::size_t h = 0, l = 0, f = 0, d = 0;
    const auto next = [](const auto& entries, std::size_t& at, std::uint32_t id) {
      if (at == entries.size() || entries[at].id != id) return false;
      ++at;
      return true;
    };
    for (std::size_t i = 0; i < image_.ids.size(); ++i) {
      const HotSeries& hot = image_.hot[i];
      const std::uint32_t id = image_.ids[i];
      if (next(image_.histograms, h, id) != hot.is(HotSeries::kHistograms)) return false;
      if (hot.is(HotSeries::kLastHistogram) && !hot.is(HotSeries::kHistograms)) return false;
      const bool has_late = next(image_.late, l, id);
      const bool has_frozen = next(image_.frozen, f, id);
      if ((has_late || has_frozen) != hot.is(HotSeries::kOutOfOrder)) return false;
      if (next(image_.deleted, d, id) != hot.is(HotSeries::kDeleted)) return false;
    }
    return h == image_.histograms.size() && l == image_.late.size() && f == image_.frozen.size() &&
           d == image_.deleted.size();
  }

  ImageReader in_;
  const unsigned shard_;
  ShardImage& image_;
};

}  // namespace

void ShardImage::clear() {
  frozen_before_ms = TimeRange::all().min_ms;
  ids.clear();
  hot.clear();
  chunk_counts.clear();
  words.clear();
  chunks.clear();
  histograms.clear();
  late.clear();
  frozen.clear();
  deleted.clear();
}

void encode_image(const ShardImage& image, std::string& out) {
  static_assert(kChunkSamplesMax <= 0xff && kChunkWordsMax <= 0xff);
  const std::vector<HotSeries>& hot = image.hot;
  const auto byte = [&out](std::uint64_t value) { out.push_back(static_cast<char>(value)); };
  put_fixed(out, image.frozen_before_ms);
  put_uvarint(out, image.ids.size());
  std::uint32_t last_id = 0;
  for (const std::uint32_t id : image.ids) put_uvarint(out, id - std::exchange(last_id, id));
  for (const HotSeries& s : hot) byte(s.gorilla.owner_byte);
  for (const HotSeries& s : hot) byte(s.gorilla.bit_count);
  for (const HotSeries& s : hot) byte(s.gorilla.leading);
  for (const HotSeries& s : hot) byte(s.gorilla.trailing);
  for (const HotSeries& s : hot) byte(s.value_exponent);
  for (const HotSeries& s : hot) byte(s.samples_max);
  for (const HotSeries& s : hot) byte(s.gorilla.count);
  for (const HotSeries& s : hot) byte(s.gorilla.word_count);
  std::int64_t before = 0;
  for (const HotSeries& s : hot) {
    put_delta(out, s.gorilla.last_time, std::exchange(before, s.gorilla.last_time));
  }
  before = 0;
  for (const HotSeries& s : hot) put_delta(out, s.range_end, std::exchange(before, s.range_end));
  for (const HotSeries& s : hot) put_uvarint(out, s.first_offset_ms);
  for (const HotSeries& s : hot) put_uvarint(out, s.gorilla.last_delta);
  for (const HotSeries& s : hot) put_fixed(out, s.gorilla.last_value);
  for (const HotSeries& s : hot) put_fixed(out, s.gorilla.bits);
  out.append(reinterpret_cast<const char*>(image.words.data()),
             image.words.size() * sizeof(std::uint64_t));

  for (const std::uint32_t count : image.chunk_counts) put_uvarint(out, count);
  before = 0;
  for (const ChunkRef& chunk : image.chunks) {
    const auto offset = static_cast<std::int64_t>(chunk.place.offset());
    put_delta(out, offset, std::exchange(before, offset));
    put_uvarint(out, std::uint64_t{chunk.place.length()} << 4 | chunk.place.tag());
  }
  before = 0;
  for (const ChunkRef& chunk : image.chunks) {
    put_delta(out, chunk.column, std::exchange(before, std::int64_t{chunk.column}));
  }

  put_uvarint(out, image.histograms.size());
  for (const ShardImage::Histograms& h : image.histograms) {
    put_uvarint(out, h.id);
    put_delta(out, h.first_ms, 0);
    put_delta(out, h.last_ms, h.first_ms);
    put_string(out, {reinterpret_cast<const char*>(h.open.data()), h.open.size()});
    if (h.open.empty()) put_histogram(out, h.last_ms, *h.last);
  }
  put_late(image.late, out);
  put_late(image.frozen, out);
  put_uvarint(out, image.deleted.size());
  for (const ShardImage::Deleted& d : image.deleted) {
    put_uvarint(out, d.id);
    put_uvarint(out, d.ranges.size());
    before = 0;
    for (const TimeRange& range : d.ranges) {
      put_delta(out, range.min_ms, before);
      put_delta(out, range.max_ms, range.min_ms);
      before = range.max_ms;
    }
  }
}

Status decode_image(std::string_view bytes, unsigned shard, ShardImage& image) {
  return ImageDecoder(bytes, shard, image).decode();
}

}  // namespace varve::storage::head
