// SPDX-License-Identifier: Apache-2.0
// What the buckets of a level can be made of, and where that is all there: the finer level of the
// ladder, samples, or a level that the ladder has no more. Series differ in it, as some are kept
// shorter than others, so the choice is made for each of them and stretch by stretch.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/block_set.h"
#include "storage/gone.h"
#include "storage/keeping.h"
#include "storage/level_build.h"

namespace varve::storage {

// As of one set of blocks, which must outlive it. Not thread-safe.
class LevelSources {
 public:
  // `damaged`: ULIDs of blocks of levels that are known to be so.
  LevelSources(const Keeping& keeping, const BlockSet& set, const std::set<std::string>& damaged,
               std::int64_t resolution_ms);

  // Those that are needed for buckets that end in `ends`, as the request wants them.
  std::vector<LevelSource> of(TimeRange ends) const;
  // The first sample or bucket there is of this time; the end of time if there is none.
  Timestamp first_ms(TimeRange ends) const;
  // Whether the buckets of every series can be made.
  bool whole(TimeRange ends) const;
  // Of a series; all of `ends`. The sources are those of of(ends).
  std::vector<LevelPiece> pieces(const Labels& labels, TimeRange ends);
  // Notes the buckets in `ends`, which may begin with time, that cannot be there, as what they
  // would be made of has gone.
  void note_missing(TimeRange ends, LadderState& ladder) const;

 private:
  struct Candidate {
    std::int64_t resolution_ms = 0;
    Timestamp until_ms = TimeRange::all().max_ms;  // nothing is complete behind it
    Stretches unfit;  // what nobody's buckets can be made of: damaged, or itself out of date
  };
  Candidate candidate(std::int64_t resolution_ms, const std::set<std::string>& damaged) const;
  static Stretches complete(const Candidate& candidate, const Stretches& gone);
  TimeRange time_of(TimeRange ends) const;
  // The buckets that lie in a stretch as a whole, by their ends.
  TimeRange ends_in(TimeRange stretch) const;
  std::size_t needed(TimeRange ends) const;  // so many of candidates_
  Stretches missing(TimeRange ends, const Gone& gone, std::span<const std::size_t> classes) const;
  std::vector<std::shared_ptr<block::Block>> blocks(const Candidate& candidate,
                                                    TimeRange ends) const;

  const BlockSet& set_;
  const std::int64_t resolution_ms_;
  const Gone gone_;
  std::vector<Candidate> candidates_;                                  // in order of preference
  std::map<std::vector<std::size_t>, std::vector<LevelPiece>> known_;  // by classes of gone_.of
  TimeRange known_ends_{0, -1};
};

// The time that blocks of a level are about whose buckets cannot be made anew as they stand.
Stretches unfit_windows(const BlockSet& set, std::int64_t resolution_ms,
                        const std::set<std::string>& damaged);

}  // namespace varve::storage
