// SPDX-License-Identifier: Apache-2.0
// What has gone, of whom: series that were kept shorter than others have lost samples and buckets
// that the others still have, and the policies that said so may be different ones by now. Queries
// need it to look elsewhere, repairs not to take what is left for everything there was.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "model/matcher.h"
#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::storage {

// Stretches of time, both ends included: ascending, apart. Of buckets, the time that they cover.
using Stretches = std::vector<TimeRange>;
void add_stretch(Stretches& into, TimeRange one);
// What of `from` is in none of `away`.
Stretches without(const Stretches& from, const Stretches& away);
Stretches common(const Stretches& a, const Stretches& b);

// The first one that picks a series counts; class i is that of policies[i], the last one of the
// series that none picks.
using Policies = std::vector<model::Matchers>;
std::size_t class_in(const Policies& policies, const Labels& labels);

// By one list of policies, what of each class may be gone.
struct GoneOf {
  std::shared_ptr<const Policies> policies;              // never null
  std::map<std::int64_t, std::vector<Stretches>> marks;  // by resolution (0: samples), then class

  friend bool operator==(const GoneOf& a, const GoneOf& b) {
    return *a.policies == *b.policies && a.marks == b.marks;
  }
};

// As of some moment. Of everybody: what ends at or before a time; beside that, the marks of some.
struct Gone {
  std::map<std::int64_t, Timestamp> before;  // by resolution; included
  std::vector<GoneOf> of;

  // Of a series that is in these classes of `of`; none: of one without marks.
  Stretches of_series(std::int64_t resolution_ms, std::span<const std::size_t> classes) const;
  // Of one of all series.
  Stretches of_any(std::int64_t resolution_ms) const;
  // False, and nothing is noted, if there would be too many lists of policies: then nothing may go
  // by this one.
  bool note(std::int64_t resolution_ms, const Policies& policies, std::size_t series_class,
            TimeRange range);
  // A hold has kept some series' time since `older`: what had not gone then is there in `kept`,
  // whatever this says. False, and nothing changes, if there would be too many lists of policies.
  bool keep_since(const Gone& older, TimeRange kept);
  // Drops marks that say no more than `before` does.
  void prune();

  friend bool operator==(const Gone&, const Gone&) = default;
};

}  // namespace varve::storage
