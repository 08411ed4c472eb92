// SPDX-License-Identifier: Apache-2.0
// What a query has to say about having been answered from buckets of levels instead of samples.
// Kept apart from other remarks, because it goes with the steps it is about: steps out of the cache
// of results bring theirs along.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "promql/ast.h"
#include "promql/value/annotations.h"
#include "varve/sample.h"

namespace varve::promql {

// Not thread-safe. The order in which notes come does not matter.
class LevelNotes {
 public:
  enum class Kind : std::uint8_t {
    kUsed,        // buckets of this resolution answer; resolution 0: samples do
    kWidened,     // a window was shorter than the buckets
    kUneven,      // a window is no whole number of buckets long
    kThinned,     // of a range vector only the last sample of each bucket is there
    kNoAnswer,    // `function` cannot be told from buckets
    kNoSketches,  // it could, but these buckets have no sketches
  };
  struct Note {
    Kind kind = Kind::kUsed;
    std::int64_t resolution_ms = 0;
    Position where{};             // in the expression; not for kUsed
    std::int64_t range_ms = 0;    // of the window; kWidened and kUneven
    std::string_view function{};  // kNoAnswer and kNoSketches; outlives the notes
  };

  // `times`: of the samples that the note is about.
  void add(const Note& note, TimeRange times);
  // All notes about times in `within`.
  void merge(const LevelNotes& other, TimeRange within = TimeRange::all());
  bool empty() const { return notes_.empty(); }
  std::int64_t bytes() const { return static_cast<std::int64_t>(notes_.size() * kNoteBytes); }

  // As remarks. Without buckets there is nothing to say.
  void report(AnnotationSink& sink) const;
  // What answered, 0 for samples, finest first.
  std::vector<std::int64_t> resolutions_ms() const;

 private:
  static constexpr std::size_t kNoteBytes = 128;
  struct Order {
    bool operator()(const Note& a, const Note& b) const {
      // Coarse buckets first: they are the older ones.
      return std::tuple(a.kind, a.where.start, b.resolution_ms, a.range_ms, a.function) <
             std::tuple(b.kind, b.where.start, a.resolution_ms, b.range_ms, b.function);
    }
  };
  std::map<Note, TimeRange, Order> notes_;
};

}  // namespace varve::promql
