// SPDX-License-Identifier: Apache-2.0
#include "http/points_matcher.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace varve::http {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
// As much is looked at at once, and may be read behind the text.
constexpr std::size_t kStretch = 32;
static_assert(kStretch <= PointsMatcher::kBehind);
// A time or a value is shorter, or it is none.
constexpr std::size_t kNumberMax = kStretch - 1;
constexpr std::size_t kPointMax = 3 * kStretch;
constexpr char kBetween[] = "\"],[";  // points
constexpr std::size_t kBetweenSize = sizeof kBetween - 1;
constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // of hashes: 2^64 by the golden ratio

std::uint64_t load(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

std::uint32_t load_four(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#ifdef __SSE2__

__m128i load_half(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

// A bit for each byte, the first one's lowest.
std::uint32_t mask(__m128i low, __m128i high) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(low)) |
         static_cast<std::uint32_t>(_mm_movemask_epi8(high)) << 16;
}

// Which of the next kStretch bytes are the same: a bit each, the first one's lowest.
std::uint32_t same_mask(const char* a, const char* b) {
  return mask(_mm_cmpeq_epi8(load_half(a), load_half(b)),
              _mm_cmpeq_epi8(load_half(a + 16), load_half(b + 16)));
}

__m128i numeric_bytes(__m128i bytes) {
  const __m128i above_first = _mm_sub_epi8(bytes, _mm_set1_epi8(kNumericFirst));
  return _mm_cmpeq_epi8(_mm_min_epu8(above_first, _mm_set1_epi8(kNumericLast - kNumericFirst)),
                        above_first);
}

// Which of them are numeric (kNumericFirst to kNumericLast).
std::uint32_t numeric_mask(const char* at) {
  return mask(numeric_bytes(load_half(at)), numeric_bytes(load_half(at + 16)));
}

#else

std::uint32_t same_mask(const char* a, const char* b) {
  std::uint32_t mask = 0;
  for (unsigned i = 0; i < kStretch; ++i) mask |= std::uint32_t{a[i] == b[i]} << i;
  return mask;
}

std::uint32_t numeric_mask(const char* at) {
  std::uint32_t mask = 0;
  for (unsigned i = 0; i < kStretch; ++i) {
    mask |= std::uint32_t{at[i] >= kNumericFirst && at[i] <= kNumericLast} << i;
  }
  return mask;
}

#endif

std::size_t numeric_of_stretch(const char* at) {
  return static_cast<std::size_t>(std::countr_one(numeric_mask(at)));
}

// How many bytes are the same, up to `most`.
std::uint32_t same_bytes(const char* a, const char* b, std::size_t most) {
  std::size_t same = 0;
  while (same < most) {
    const auto more = static_cast<std::size_t>(std::countr_one(same_mask(a + same, b + same)));
    same += more;
    if (more < kStretch) break;
  }
  return static_cast<std::uint32_t>(std::min(most, same));
}

// The offset behind 1763769600," if that is what is there; 0 if not.
std::size_t behind_time(const char* text, std::size_t from, std::size_t to) {
  const std::size_t size = numeric_of_stretch(text + from);
  const std::size_t end = from + size;
  const bool is_time =
      size > 1 && size <= kNumberMax && end < to && text[end] == '"' && text[end - 1] == ',';
  return is_time ? end + 1 : 0;
}

// The offset of the quote that closes a value; 0 if it is none, or none of plain digits.
std::size_t behind_value(const char* text, std::size_t from, std::size_t to) {
  const std::size_t size = numeric_of_stretch(text + from);
  const std::size_t end = from + size;
  return size <= kNumberMax && end < to && text[end] == '"' ? end : 0;
}

}  // namespace

std::size_t PointsMatcher::run(const char* text, std::size_t from, std::size_t to, bool last,
                               TokenList& out) {
  text_ = text;
  out_ = &out;
  std::size_t at = from;
  for (;;) {
    if (!in_row_) {
      at = between_rows(at, to, last);
      if (!in_row_) return at;
    }
    // Points that are there as a whole; of others nobody knows how they go on.
    Point point{};
    while (at + kPointMax <= to && read_point(at, to, point)) {
      match_point(point);
      at = point.end;
    }
    if (at + kPointMax <= to) {
      in_row_ = false;
      continue;
    }
    if (!last) return at;
    unknown(at, to);
    return to;
  }
}

// To the closing quote of the next series' first value; in_row_ says whether there is one.
std::size_t PointsMatcher::between_rows(std::size_t from, std::size_t to, bool last) {
  // Only what follows says whether the last bytes begin a series.
  const std::size_t until = last ? to : to - std::min(to - from, kPointMax);
  for (std::size_t at = from; at < until;) {
    const void* found = std::memchr(text_ + at, '[', until - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - text_) + 1;
    if (at >= to || text_[at] != '[') continue;
    const std::size_t value = behind_time(text_, at + 1, to);
    const std::size_t end = value == 0 ? 0 : behind_value(text_, value, to);
    if (end == 0) continue;
    unknown(from, value);
    out_->add(0, 0, end - value, true);
    begin_row(at + 1, value);
    return end;
  }
  unknown(from, until);
  return until;
}

void PointsMatcher::begin_row(std::size_t time, std::size_t value) {
  std::swap(row_, above_);
  row_->count = 0;
  above_at_ = 0;
  head_size_ = value - time + kBetweenSize;
  value_before_ = position(value);
  quote_before_ = position(time - kBetweenSize);  // as if that stood there
  in_row_ = true;
}

// The point behind the quote that closes the value before; false if there is none, but the end of
// the series, or a value like NaN or 1e-07: then the next series begins with the next [[.
inline bool PointsMatcher::read_point(std::size_t quote, std::size_t to, Point& point) {
  const char* const here = text_ + quote;
  if (load_four(here) != load_four(kBetween)) return false;
  if (here[head_size_ - 2] != ',' || here[head_size_ - 1] != '"') {
    const std::size_t value = behind_time(text_, quote + kBetweenSize, to);
    if (value == 0) return false;
    head_size_ = value - quote;
  }
  point.quote = quote;
  point.value = quote + head_size_;
  point.end = behind_value(text_, point.value, to);
  return point.end != 0;
}

inline void PointsMatcher::match_point(const Point& point) {
  const char* const here = text_ + point.quote;
  const std::size_t size = point.end - point.quote;
  const std::size_t open = out_->open_distance();
  if (open != 0 && same_bytes(here, here - open, size) == size) {
    out_->add(open, size, 0, false);
    if (above_at_ < above_->count) ++above_at_;
  } else {
    const Reference above = point_above(point);
    if (above.shared == size) {
      out_->add(above.distance, size, 0, false);
    } else if (point.digits() >= kWord) {
      match_parts(point, above, same_value(point));
    } else if (const Reference whole = same_point(point); whole.shared == size) {
      out_->add(whole.distance, size, 0, false);
    } else {
      match_parts(point, above, {});
    }
  }
  if (row_->count < kRowMax) row_->quotes[row_->count++] = position(point.quote);
  value_before_ = position(point.value);
  quote_before_ = position(point.quote);
}

// The point's head by itself, and its value with what is most like it.
inline void PointsMatcher::match_parts(const Point& point, Reference above, Reference past) {
  // A match costs as much as so many digits, one from far away more.
  constexpr std::size_t kNearGain = 4;
  constexpr std::size_t kFarGain = 7;
  // Where the value before repeats its own, the match that says so goes on up to the time's last
  // digits: that is less than another distance costs.
  if (above.distance == 0 || out_->open_distance() == position(point.quote) - quote_before_) {
    return match_before(point, past.shared >= kFarGain ? past : Reference{});
  }
  const std::size_t digits = point.digits();
  const std::size_t shared = above.shared - point.head();
  const Reference before = value_before(point);
  if (before.shared >= shared + kNearGain) past = before;
  if (before.shared >= shared + kNearGain || past.shared >= shared + kFarGain) {
    out_->add(above.distance, point.head(), 0, false);
    out_->add(past.distance, past.shared, digits - past.shared, true);
  } else {
    out_->add(above.distance, above.shared, digits - shared, true);
  }
}

// The point of the series before whose time is that of the point at hand.
inline PointsMatcher::Reference PointsMatcher::point_above(const Point& point) {
  const char* const here = text_ + point.quote;
  for (; above_at_ < above_->count; ++above_at_) {
    const Position distance = position(point.quote) - above_->quotes[above_at_];
    if (!in_reach(distance, point.quote)) return {};
    const std::uint32_t shared = same_bytes(here, here - distance, point.end - point.quote);
    if (shared >= point.head()) {
      ++above_at_;
      return {distance, shared};
    }
    // Times of as many digits: the smaller one is earlier.
    if (here[shared] < *(here + shared - distance)) return {};
  }
  return {};
}

// A point of the same time and value, one of a few characters, in any series.
inline PointsMatcher::Reference PointsMatcher::same_point(const Point& point) {
  const std::uint64_t characters = load(text_ + point.end + 1 - kWord);  // time's last ones too
  const std::uint64_t time = load(text_ + point.value - kWord);
  Position& entry = points_[(characters * kMultiplier ^ time) * kMultiplier >> (64 - kTableBits)];
  const Position here = position(point.quote);
  const Position distance = here - std::exchange(entry, here);
  if (!in_reach(distance, point.quote)) return {};
  const char* const at = text_ + point.quote;
  return {distance, same_bytes(at, at - distance, point.end - point.quote)};
}

// A value that begins with the same eight characters or more.
inline PointsMatcher::Reference PointsMatcher::same_value(const Point& point) {
  const char* const at = text_ + point.value;
  const std::uint64_t word = load(at);
  const Position here = position(point.value);
  Position& entry = values_[word * kMultiplier >> (64 - kTableBits)];
  const Position distance = here - std::exchange(entry, here);
  if (!in_reach(distance, point.value) || load(at - distance) != word) return {};
  return {distance, same_bytes(at, at - distance, point.digits())};
}

// What of the value is as in the one before it, if that is worth a match.
inline PointsMatcher::Reference PointsMatcher::value_before(const Point& point) const {
  const Position distance = position(point.value) - value_before_;
  const char* const at = text_ + point.value;
  if (!in_reach(distance, point.value) || load_four(at) != load_four(at - distance)) return {};
  return {distance, same_bytes(at, at - distance, point.digits())};
}

// A point that is compared with the one before it only; or its value with that of `past`. Mostly
// only the time's last digits and the value's are different.
inline void PointsMatcher::match_before(const Point& point, Reference past) {
  const Position distance = position(point.quote) - quote_before_;
  const char* const here = text_ + point.quote;
  const std::size_t head = point.head();
  const std::size_t size = point.end - point.quote;
  std::size_t written = 0;  // of the point
  if (distance == position(point.value) - value_before_ && in_reach(distance, point.quote) &&
      head < kStretch) {
    const std::uint32_t same = same_mask(here, here - distance);
    const std::uint32_t differ = ~same & ((std::uint32_t{1} << head) - 1);
    const auto first = std::min(head, static_cast<std::size_t>(std::countr_one(same)));
    const auto rest = static_cast<std::size_t>(std::bit_width(differ));
    std::size_t second =
        std::min(size - rest, static_cast<std::size_t>(std::countr_one(same >> rest)));
    if (rest + second == kStretch) {
      second += same_bytes(here + kStretch, here + kStretch - distance, size - kStretch);
    }
    if (first >= kMatchMin && rest >= first) {
      written = first;
      const bool is_time = numeric_of_stretch(here + kBetweenSize) + 1 == head - kBetweenSize;
      out_->add(distance, first, rest - first, is_time && first >= kBetweenSize);
      written = rest;
    }
    if (written == rest && rest + second >= head + past.shared && second >= kMatchMin) {
      return out_->add(distance, second, size - rest - second, true);
    }
  }
  out_->add(0, 0, head - written, false);
  out_->add(past.distance, past.shared, point.digits() - past.shared, true);
}

void PointsMatcher::unknown(std::size_t from, std::size_t to) {
  constexpr std::size_t kHashed = 4;
  const auto entry = [this](std::size_t at) -> Position& {
    return texts_[load_four(text_ + at) * 2654435761u >> (32 - kTableBits)];
  };
  std::size_t plain = from;
  std::size_t at = from;
  while (at + kHashed <= to) {
    const Position distance = position(at) - std::exchange(entry(at), position(at));
    if (!in_reach(distance, at) || load_four(text_ + at) != load_four(text_ + at - distance)) {
      ++at;
      continue;
    }
    const std::size_t length = same_bytes(text_ + at, text_ + at - distance, to - at);
    out_->add(0, 0, at - plain, false);
    out_->add(distance, length, 0, false);
    const std::size_t end = at + length;
    while (++at < end && at + kHashed <= to) entry(at) = position(at);
    plain = at = end;
  }
  out_->add(0, 0, to - plain, false);
}

}  // namespace varve::http
