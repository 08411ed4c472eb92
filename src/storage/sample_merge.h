// SPDX-License-Identifier: Apache-2.0
// Samples of one series from several places, joined in time. A time belongs to one sample only: of
// two with the same time, also of different kinds, the one that was there first stays.
#pragma once

#include <span>
#include <vector>

#include "storage/querier.h"
#include "varve/query.h"
#include "varve/sample.h"

namespace varve::storage {

// The time of the newest sample, the minimum Timestamp if there is none; and of the oldest, the
// maximum.
Timestamp newest_time(const SeriesSamples& samples);
Timestamp oldest_time(const SeriesSamples& samples);

// Appends `more`, all of which is newer than what `into` has.
void append_samples(SeriesSamples& into, const SeriesSamples& more);
// Puts `more` in between. times_id becomes 0.
void merge_samples(SeriesSamples& into, const SeriesSamples& more);
// The same for samples that came out of order; ascending.
void merge_late(SeriesSamples& into, std::span<const Sample> floats,
                std::span<const HistogramPoint> histograms);

// Removes what lies in one of the ranges (ascending, apart), looking only at floats and histograms
// from these positions on. Whether there was any; times_id becomes 0 then.
bool erase_ranges(std::span<const TimeRange> ranges, std::size_t floats_from,
                  std::size_t histograms_from, SeriesSamples& samples);

// Makes `last` the newest sample of `samples` if that is newer.
void take_newest(const SeriesSamples& samples, LastSample& last);

}  // namespace varve::storage
