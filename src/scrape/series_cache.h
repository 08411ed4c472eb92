// SPDX-License-Identifier: Apache-2.0
// What a target's series texts meant in its last scrapes: the same text always stands for the same
// series, so that labels are parsed, relabelled and looked up once, not in every scrape; and which
// series were there last time, so that those that vanish get a stale marker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/write_batch.h"

namespace varve::scrape {

// An open-addressed table of 128-bit hashes: 40 bytes a series and no text. At 128 bits two texts
// of one target do not collide in practice. Not thread-safe; belongs to one target's loop.
class SeriesCache {
 public:
  enum class State : std::uint8_t {
    kUnknown,  // new, or forgotten: labels are to be parsed
    kPending,  // met in this scrape for the first time; its id comes with the append
    kKnown,
    kDropped,  // relabelling drops it
  };
  struct Slot {
    std::uint64_t hash_low = 0, hash_high = 0;  // both 0: free
    storage::SeriesId id = storage::SeriesId::kNone;
    std::uint32_t seen = 0;     // the generation of the last scrape that had it
    std::uint32_t tracked = 0;  // … and had it without an own timestamp
    State state = State::kUnknown;
    bool tracked_before = false;  // tracked in the scrape before the one of `tracked`
  };

  // Opens the next generation. find() may move slots: references last until the next find().
  void begin();
  // The slot of a text, made if there is none. Meant for the texts of a body one after the other.
  Slot& find(std::string_view series);
  // The slot of a text that find() has met in this generation.
  Slot& again(std::string_view series);
  bool seen(const Slot& slot) const { return slot.seen == generation_; }
  void mark_seen(Slot& slot) {
    seen_count_ += slot.seen != generation_ ? 1 : 0;
    slot.seen = generation_;
  }
  void mark_tracked(Slot& slot);
  // Ends the generation as a whole scrape: the series that were tracked last time and not this
  // time.
  void finish(std::vector<storage::SeriesId>& stale);
  // Ends it as a failed scrape, whatever find() has met: all series that were tracked last time.
  // Texts that only failed scrapes had leave the table.
  void abort(std::vector<storage::SeriesId>& stale);

  // The meaning of texts may have changed (other relabelling): they are looked up anew, but what
  // was there last time is still known for finish() and abort().
  void forget_meanings();

  std::size_t size() const { return used_; }

 private:
  void rebuild(std::size_t capacity);
  // Frees the slots for which `gone` is true if they are a quarter of the table.
  template <typename Gone>
  void trim(Gone gone);
  std::size_t locate(std::string_view series);

  // Slots are fetched this many texts ahead: a body brings them in the order of the last one, and
  // waiting for memory was most of find()'s time.
  static constexpr std::size_t kAhead = 8;

  std::vector<Slot> slots_;  // a power of two, or empty
  std::size_t used_ = 0;
  std::size_t grow_at_ = 0;
  std::vector<std::uint32_t> order_;  // where the last body's texts were found; a guess
  std::size_t next_ = 0;              // in order_
  std::uint32_t generation_ = 2;
  std::uint32_t whole_ = 0;  // the generation of the last whole scrape
  // A scrape that brings just the series of the one before is told by counts, without a look at all
  // slots.
  std::size_t seen_count_ = 0;     // slots seen in this generation
  std::size_t tracked_count_ = 0;  // … tracked,
  std::size_t kept_count_ = 0;     // … and tracked in the one before, too
  std::size_t tracked_before_count_ = 0;  // slots tracked in the generation before
  bool unknown_met_ = false;  // find() has come to a slot without a meaning in this generation
  std::vector<storage::SeriesId> orphans_;  // tracked last time, under meanings since forgotten
};

}  // namespace varve::scrape
