// SPDX-License-Identifier: Apache-2.0
// Collecting and wording.
#include "promql/value/level_notes.h"

#include <algorithm>
#include <set>

#include "model/duration.h"

namespace varve::promql {
namespace {

std::string buckets_of(std::int64_t resolution_ms) {
  return "buckets of " + model::format_duration(resolution_ms);
}

}  // namespace

void LevelNotes::add(const Note& note, TimeRange times) {
  const auto [at, fresh] = notes_.try_emplace(note, times);
  if (fresh) return;
  at->second.min_ms = std::min(at->second.min_ms, times.min_ms);
  at->second.max_ms = std::max(at->second.max_ms, times.max_ms);
}

void LevelNotes::merge(const LevelNotes& other, TimeRange within) {
  for (const auto& [note, times] : other.notes_) {
    if (!times.overlaps(within)) continue;
    add(note, {std::max(times.min_ms, within.min_ms), std::min(times.max_ms, within.max_ms)});
  }
}

void LevelNotes::report(AnnotationSink& sink) const {
  std::string used;
  bool buckets = false;
  for (const auto& [note, times] : notes_) {
    const std::string until = format_seconds(times.max_ms);
    const std::string data = buckets_of(note.resolution_ms);
    const std::string function(note.function);
    switch (note.kind) {
      case Kind::kUsed:
        if (!used.empty()) used += ", ";
        used += note.resolution_ms == 0 ? "samples" : data + " up to " + until;
        buckets = buckets || note.resolution_ms != 0;
        break;
      case Kind::kWidened:
        sink.info("window of " + model::format_duration(note.range_ms) + " widened to " +
                      model::format_duration(note.resolution_ms) +
                      ", the resolution of the data up to " + until,
                  note.where);
        break;
      case Kind::kUneven:
        sink.info("window of " + model::format_duration(note.range_ms) + " is taken as the " +
                      data + " that end in it, up to " + until,
                  note.where);
        break;
      case Kind::kThinned:
        sink.info(
            "only " + data + " are left up to " + until + ": the last sample of each is shown",
            note.where);
        break;
      case Kind::kNoAnswer:
        sink.warning(function + "() cannot be told from " + data +
                         ": no result where its window reaches back to " + until + " or before",
                     note.where);
        break;
      case Kind::kNoSketches:
        sink.warning(function + "() cannot be told from " + data +
                         " without sketches: no result where its window reaches back to " + until +
                         " or before",
                     note.where);
        break;
    }
  }
  if (buckets) sink.query_info("answered from " + used);
}

std::vector<std::int64_t> LevelNotes::resolutions_ms() const {
  std::set<std::int64_t> found;
  for (const auto& [note, times] : notes_) {
    if (note.kind == Kind::kUsed) found.insert(note.resolution_ms);
  }
  return {found.begin(), found.end()};
}

}  // namespace varve::promql
