// SPDX-License-Identifier: Apache-2.0
// Order matters here: what is settled and the stamps are read before anything is computed, so that
// a change that comes meanwhile makes the pieces stale at once instead of going unnoticed.
#include "promql/cache/cached_range.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "promql/eval/series_source.h"
#include "storage/querier.h"

namespace varve::promql {
namespace {

// Steps by number (see RangeCache::Piece), both ends included.
struct Span {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// Gaps that are computed apart; the closest ones are joined beyond that. Usually there are two:
// what has come since at the end, and what a wider view adds at the beginning.
constexpr std::size_t kGapsMax = 3;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a % b < 0 ? a / b - 1 : a / b;
}

// Translates between step numbers and the query's grid.
class Numbering {
 public:
  explicit Numbering(const StepGrid& grid)
      : step_ms_(grid.step_ms), number_(floor_div(grid.start_ms, grid.step_ms)),
        phase_ms_(grid.start_ms - number_ * grid.step_ms),
        last_(number_ + static_cast<std::int64_t>(grid.count) - 1) {}

  Span all() const { return {number_, last_}; }
  std::int64_t phase_ms() const { return phase_ms_; }
  std::int64_t step_ms() const { return step_ms_; }
  Timestamp time(std::int64_t number) const { return phase_ms_ + number * step_ms_; }
  StepGrid grid(Span span) const {
    return {time(span.first), step_ms_, static_cast<std::size_t>(span.last - span.first) + 1};
  }

 private:
  std::int64_t step_ms_;
  std::int64_t number_;
  std::int64_t phase_ms_;
  std::int64_t last_;
};

std::vector<Span> gaps_between(const std::vector<RangeCache::PiecePtr>& known, Span all) {
  std::vector<Span> gaps;
  std::int64_t next = all.first;
  for (const auto& piece : known) {
    if (piece->first > next) gaps.push_back({next, piece->first - 1});
    next = std::max(next, piece->last() + 1);
  }
  if (next <= all.last) gaps.push_back({next, all.last});
  while (gaps.size() > kGapsMax) {
    std::size_t closest = 1;
    for (std::size_t i = 2; i < gaps.size(); ++i) {
      if (gaps[i].first - gaps[i - 1].last < gaps[closest].first - gaps[closest - 1].last) {
        closest = i;
      }
    }
    gaps[closest - 1].last = gaps[closest].last;
    gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(closest));
  }
  // A query of one step is an instant query, whose rules are not quite those of a range.
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    Span& gap = gaps[i];
    if (gap.first != gap.last) continue;
    if (gap.first > all.first) --gap.first; else ++gap.last;
    if (i > 0 && gap.first <= gaps[i - 1].last) {
      gaps[i - 1].last = gap.last;
      gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(i--));
    }
  }
  for (std::size_t i = 1; i < gaps.size(); ++i) {
    if (gaps[i].first > gaps[i - 1].last) continue;
    gaps[i - 1].last = std::max(gaps[i - 1].last, gaps[i].last);
    gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(i--));
  }
  return gaps;
}

// Steps of one slot that may be kept once they are computed.
struct Keepable {
  Span span;
  TimeRange touched;
  std::uint64_t stamp = 0;
};

// The steps of a gap that look at settled time only, cut at slots, with their stamps as of now.
// What is known already stays out.
std::vector<Keepable> keepable(const CachedRange& query, const Numbering& numbering, Span gap,
                               const std::vector<RangeCache::PiecePtr>& known,
                               Timestamp settled_before_ms) {
  std::vector<Keepable> parts;
  const auto touched = [&](Span span) {
    return query.plan.touched(query.expr, numbering.grid(span));
  };
  if (touched({gap.first, gap.first}).max_ms >= settled_before_ms) return parts;
  // The newest time that the steps up to one look at never goes back (that of a single step may:
  // the grid of a subquery whose range is shorter than its step is empty at some).
  std::int64_t settled = gap.first;
  std::int64_t open = gap.last + 1;
  while (open - settled > 1) {
    const std::int64_t middle = settled + (open - settled) / 2;
    (touched({gap.first, middle}).max_ms < settled_before_ms ? settled : open) = middle;
  }
  const std::int64_t slot_steps = RangeCache::slot_steps(numbering.step_ms());
  std::int64_t next = gap.first;
  while (next <= settled) {
    const auto covering = std::find_if(known.begin(), known.end(), [next](const auto& piece) {
      return piece->first <= next && next <= piece->last();
    });
    if (covering != known.end()) {
      next = (*covering)->last() + 1;
      continue;
    }
    std::int64_t last = std::min(settled, (floor_div(next, slot_steps) + 1) * slot_steps - 1);
    for (const auto& piece : known) {
      if (piece->first > next) last = std::min(last, piece->first - 1);
    }
    Keepable part{{next, last}, touched({next, last}), 0};
    part.stamp = query.storage.stamp(part.touched);
    parts.push_back(part);
    next = last + 1;
  }
  return parts;
}

// The steps [begin, end) of a matrix, without series that have none there.
StepMatrix cut(const StepMatrix& matrix, std::size_t begin, std::size_t end) {
  StepMatrix out;
  const auto from = static_cast<std::ptrdiff_t>(begin);
  const auto to = static_cast<std::ptrdiff_t>(end);
  for (const StepSeries& series : matrix.series) {
    const auto kinds = series.kinds.begin();
    if (std::all_of(kinds + from, kinds + to,
                    [](PointKind kind) { return kind == PointKind::kNone; })) {
      continue;
    }
    StepSeries& part = out.series.emplace_back();
    part.labels = series.labels;
    part.kinds.assign(kinds + from, kinds + to);
    part.values.assign(series.values.begin() + from, series.values.begin() + to);
    if (std::find(part.kinds.begin(), part.kinds.end(), PointKind::kHistogram) !=
        part.kinds.end()) {
      part.histograms.assign(series.histograms.begin() + from, series.histograms.begin() + to);
    }
  }
  return out;
}

// Puts parts together, in order of time.
class Assembly {
 public:
  explicit Assembly(QueryState& state) : state_(state) {}

  // The steps of `span` out of a matrix whose first step is `first`.
  Status add(const StepMatrix& matrix, std::int64_t first, Span span, const Numbering& numbering,
             bool charged) {
    const auto begin = static_cast<std::size_t>(span.first - first);
    const auto end = static_cast<std::size_t>(span.last - first) + 1;
    for (std::size_t i = 0; i < matrix.series.size(); ++i) {
      if (i % QueryState::kTaskItems == 0) VARVE_TRY(state_.poll());
      const StepSeries& part = matrix.series[i];
      Series* series = nullptr;
      std::size_t points = 0;
      for (std::size_t step = begin; step < end; ++step) {
        if (part.kinds[step] == PointKind::kNone) continue;
        if (series == nullptr) series = &series_of(part.labels, i);
        const Timestamp time = numbering.time(first + static_cast<std::int64_t>(step));
        if (part.kinds[step] == PointKind::kFloat) {
          series->floats.push_back({time, part.values[step]});
        } else {
          series->histograms.push_back({time, part.histograms[step]});
        }
        ++points;
      }
      if (!charged) VARVE_TRY(state_.charge(points));
    }
    return {};
  }
  Matrix take() { return std::move(matrix_); }

 private:
  // Parts mostly list their series in the same order, so the i-th is tried first.
  Series& series_of(const Labels& labels, std::size_t i) {
    if (i < matrix_.size() && matrix_[i].labels == labels) return matrix_[i];
    const auto [at, fresh] = index_.try_emplace(std::string(labels.bytes()), matrix_.size());
    if (fresh) matrix_.emplace_back().labels = labels;
    return matrix_[at->second];
  }

  QueryState& state_;
  Matrix matrix_;
  std::unordered_map<std::string, std::size_t> index_;
};

struct Computed {
  Span span;
  StepMatrix matrix;
  LevelNotes notes;
};

}  // namespace

Result<Matrix> evaluate_cached(const CachedRange& query, const StepGrid& grid,
                               const ComputeSteps& compute) {
  const Numbering numbering(grid);
  const std::string key = query.key + '\0' + std::to_string(numbering.step_ms()) + '\0' +
                          std::to_string(numbering.phase_ms());
  const Span all = numbering.all();
  const Timestamp settled_before_ms = query.storage.settled_before_ms();
  const auto known = query.cache.find(key, all.first, all.last, query.storage);

  std::vector<Computed> computed;
  std::vector<std::pair<std::size_t, Keepable>> keep;  // of which computed part
  std::size_t computed_steps = 0;
  for (const Span gap : gaps_between(known, all)) {
    for (Keepable& part : keepable(query, numbering, gap, known, settled_before_ms)) {
      keep.emplace_back(computed.size(), part);
    }
    const StepGrid part = numbering.grid(gap);
    Result<StepMatrix> matrix = compute(part);
    if (!matrix.ok()) {
      // Which error it is may depend on the steps: as if nothing had been known.
      if (known.empty() || matrix.error().code() != ErrorCode::kExecution) {
        return std::move(matrix).error();
      }
      VARVE_TRY_ASSIGN(StepMatrix whole, compute(grid));
      Assembly assembly(query.state);
      VARVE_TRY(assembly.add(whole, all.first, all, numbering, true));
      return assembly.take();
    }
    computed_steps += part.count;
    computed.push_back({gap, std::move(matrix).value(), query.state.take_level_notes()});
  }

  const std::size_t reused =
      grid.count > computed_steps ? grid.count - computed_steps : std::size_t{0};
  query.cache.count(computed.empty() ? RangeCache::Outcome::kHit
                    : known.empty()  ? RangeCache::Outcome::kMiss
                                     : RangeCache::Outcome::kPartial,
                    reused, computed_steps);

  // What was remarked on belongs to some of the steps only, so such steps are not kept.
  if (query.state.annotations().empty()) {
    for (const auto& [from, part] : keep) {
      const Span span = computed[from].span;
      RangeCache::Piece piece;
      piece.first = part.span.first;
      piece.count = static_cast<std::size_t>(part.span.last - part.span.first) + 1;
      piece.touched = part.touched;
      piece.stamp = part.stamp;
      const auto begin = static_cast<std::size_t>(part.span.first - span.first);
      piece.points = cut(computed[from].matrix, begin, begin + piece.count);
      piece.notes.merge(computed[from].notes, piece.touched);
      query.cache.store(key, std::move(piece), numbering.step_ms(), query.storage);
    }
  }

  // A piece may have more steps than are asked for.
  const TimeRange asked = query.plan.touched(query.expr, grid);
  for (const auto& piece : known) {
    LevelNotes notes;
    notes.merge(piece->notes, asked);
    query.state.note_levels(notes);
  }
  for (const Computed& part : computed) query.state.note_levels(part.notes);

  Assembly assembly(query.state);
  std::int64_t next = all.first;
  std::size_t at = 0;
  std::size_t piece = 0;
  while (next <= all.last) {
    if (at < computed.size() && computed[at].span.first <= next) {
      const Computed& part = computed[at++];
      VARVE_TRY(
          assembly.add(part.matrix, part.span.first, {next, part.span.last}, numbering, true));
      next = part.span.last + 1;
      continue;
    }
    while (known[piece]->last() < next) ++piece;
    const std::int64_t until = at < computed.size() ? computed[at].span.first - 1 : all.last;
    const Span span{next, std::min(known[piece]->last(), until)};
    VARVE_TRY(assembly.add(known[piece]->points, known[piece]->first, span, numbering, false));
    next = span.last + 1;
  }
  return assembly.take();
}

}  // namespace varve::promql
