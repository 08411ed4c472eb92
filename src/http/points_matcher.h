// SPDX-License-Identifier: Apache-2.0
// Finds what repeats in the JSON of a range query, as one who knows how it is written: series of
// points, [[1763769600,"0.75"],[1763769615,"0.8"],…
//
// A compressor that knows nothing looks up every position in a table of those before. Here a point
// is compared as a whole with a few others: the one of the same time in the series before, whose
// beginning is the same up to the value; the one before it, with which it shares the time's first
// digits and often the value's; one that had the same value. What stands between the series,
// labels, goes by a small table as usual.
//
// Any text is understood; only what is not written so takes longer and saves less.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "http/deflate_block.h"

namespace varve::http {

// Of one text, piece after piece. For one thread at a time.
class PointsMatcher {
 public:
  // Behind the text there must be so many bytes that may be read.
  static constexpr std::size_t kBehind = 32;

  // Tokens for text[from, to) into `out`, up to where it returns: `to` if the text ends there
  // (`last`), else a little less, because what follows says how to go on; `from` is where the call
  // before returned. text[0, from) are bytes before those, as many as are still there.
  std::size_t run(const char* text, std::size_t from, std::size_t to, bool last, TokenList& out);
  // The next call's text begins so many bytes later.
  void forget(std::size_t bytes) { base_ += static_cast<std::uint32_t>(bytes); }
  // The next call's text is another one; that of the call before had `bytes`. What the tables hold
  // is then too far away.
  void restart(std::size_t bytes) {
    forget(bytes + 2 * kDistanceMax);
    in_row_ = false;
    row_->count = above_->count = 0;
  }

 private:
  // Of points: no more fit between a point and the one of the same time in the series before.
  static constexpr std::size_t kRowMax = 2048;
  static constexpr unsigned kTableBits = 11;

  // Where something stands, counted from the begin of the whole text, modulo 2^32; offsets into the
  // text at hand are positions minus base_.
  using Position = std::uint32_t;
  // By a hash.
  using Table = std::array<Position, std::size_t{1} << kTableBits>;
  struct Row {
    std::size_t count = 0;
    // Of each point but the first, the quote that closes the value before.
    std::array<Position, kRowMax> quotes;
  };
  // The point at hand, as offsets.
  struct Point {
    std::size_t quote;  // that closes the value before
    std::size_t value;
    std::size_t end;  // the quote behind the value
    std::size_t head() const { return value - quote; }
    std::size_t digits() const { return end - value; }
  };
  // Goes in one register: written as two words and read as one it would wait for the store.
  struct Reference {
    std::uint32_t distance = 0;
    std::uint32_t shared = 0;  // bytes
  };

  std::size_t between_rows(std::size_t from, std::size_t to, bool last);
  void begin_row(std::size_t time, std::size_t value);
  bool read_point(std::size_t quote, std::size_t to, Point& point);
  void match_point(const Point& point);
  void match_parts(const Point& point, Reference above, Reference past);
  Reference point_above(const Point& point);
  Reference same_point(const Point& point);
  Reference same_value(const Point& point);
  Reference value_before(const Point& point) const;
  void match_before(const Point& point, Reference past);
  void unknown(std::size_t from, std::size_t to);
  Position position(std::size_t offset) const { return base_ + static_cast<std::uint32_t>(offset); }
  // 0 is what is 2^32 bytes ago, or was never there.
  bool in_reach(Position distance, std::size_t offset) const {
    return distance - 1 < kDistanceMax && distance <= offset;
  }

  const char* text_ = nullptr;  // during run()
  TokenList* out_ = nullptr;
  // Beginning so, no entry of a table is within kDistanceMax.
  Position base_ = 2 * kDistanceMax;
  bool in_row_ = false;  // the text goes on at a value's closing quote
  Row rows_[2];
  Row* row_ = &rows_[0];
  Row* above_ = &rows_[1];
  std::size_t above_at_ = 0;   // the point of *above_ to compare with next
  std::size_t head_size_ = 0;  // from a quote to the value behind it
  Position quote_before_ = 0;  // of the point before
  Position value_before_ = 0;
  Table texts_{};   // what stands between series, by its next four bytes
  Table values_{};  // long ones by their first eight
  Table points_{};  // those of shorter ones by time and value
};

}  // namespace varve::http
