// SPDX-License-Identifier: Apache-2.0
// The join of info(): by metric name, instance and job on the side of the info series, by instance
// and job on the other.
#include "promql/eval/info.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/try.h"

namespace varve::promql {
namespace {

constexpr std::string_view kTargetInfo = "target_info";
constexpr std::array<std::string_view, 2> kIdentifying = {"instance", "job"};
constexpr std::int32_t kNone = -1;

bool all_match(const model::Matchers& matchers, std::string_view value) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [value](const model::Matcher& matcher) { return matcher.matches(value); });
}

// What info series and others are joined by, of one info metric.
std::string identity(std::string_view metric, const Labels& labels) {
  std::vector<LabelView> kept = {{kMetricName, metric}};
  for (const std::string_view name : kIdentifying) kept.push_back({name, labels.get(name)});
  return std::string(Labels(kept).bytes());
}

// The newest info series of each identity at each step.
class Newest {
 public:
  static Result<Newest> create(const std::vector<InfoSeries>& info, const StepGrid& grid) {
    Newest newest;
    for (std::size_t i = 0; i < info.size(); ++i) {
      const Labels& labels = info[i].labels;
      newest.metrics_.emplace(labels.get(kMetricName));
      std::vector<std::int32_t>& chosen =
          newest.by_identity_.try_emplace(identity(labels.get(kMetricName), labels), grid.count,
                                          kNone)
              .first->second;
      for (std::size_t step = 0; step < grid.count; ++step) {
        if (info[i].times.kinds[step] == PointKind::kNone) continue;
        const std::int32_t other = chosen[step];
        if (other != kNone) {
          const InfoSeries& existing = info[static_cast<std::size_t>(other)];
          if (existing.times.values[step] == info[i].times.values[step]) {
            return duplicate(existing, info[i], info[i].times.values[step]);
          }
          if (existing.times.values[step] > info[i].times.values[step]) continue;
        }
        chosen[step] = static_cast<std::int32_t>(i);
      }
    }
    return newest;
  }

  // For each info metric that knows this identity at all: its series at each step.
  std::vector<const std::vector<std::int32_t>*> of(const Labels& labels) const {
    std::vector<const std::vector<std::int32_t>*> found;
    for (const std::string& metric : metrics_) {
      const auto at = by_identity_.find(identity(metric, labels));
      if (at != by_identity_.end()) found.push_back(&at->second);
    }
    return found;
  }

 private:
  static Error duplicate(const InfoSeries& existing, const InfoSeries& added, double seconds) {
    const std::string time = std::to_string(static_cast<std::int64_t>(seconds * 1000));
    return Error(ErrorCode::kExecution, "found duplicate series for info metric: existing " +
                                            existing.labels.to_string() + " @ " + time + ", new " +
                                            added.labels.to_string() + " @ " + time);
  }

  std::set<std::string> metrics_;
  std::unordered_map<std::string, std::vector<std::int32_t>> by_identity_;
};

// The labels a series gets from some info series.
Result<Labels> enrich(const Labels& base, const std::vector<InfoSeries>& info,
                      const std::vector<std::int32_t>& chosen, const InfoRequest& request) {
  const auto wanted = [&request](std::string_view name) {
    return request.data_matchers.empty() ||
           std::any_of(request.data_matchers.begin(), request.data_matchers.end(),
                       [name](const model::Matcher& matcher) { return matcher.name() == name; });
  };
  LabelsBuilder added;
  for (const std::int32_t index : chosen) {
    if (index == kNone) continue;
    for (const LabelView& label : info[static_cast<std::size_t>(index)].labels) {
      if (label.name == kMetricName || !wanted(label.name)) continue;
      const std::string_view value = added.get(label.name);
      if (!value.empty() && value != label.value) {
        return Error(ErrorCode::kExecution, "conflicting label: " + std::string(label.name));
      }
      if (!base.has(label.name)) added.set(label.name, label.value);
    }
  }
  LabelsBuilder builder(base);
  for (const auto& [name, value] : added.current()) builder.set(name, value);
  return builder.build();
}

// The result, one series per label set.
class Output {
 public:
  explicit Output(std::size_t steps) : steps_(steps) {}

  std::size_t series(const Labels& labels, bool drop_name) {
    const auto [at, fresh] = index_.try_emplace(std::string(labels.bytes()), out_.series.size());
    if (fresh) {
      out_.series.emplace_back(labels, steps_);
      out_.series.back().drop_name = drop_name;
    }
    return at->second;
  }
  Status set(std::size_t series, std::size_t step, PointValue point) {
    if (out_.series[series].kinds[step] != PointKind::kNone) {
      return Error(ErrorCode::kExecution, "vector cannot contain metrics with the same labelset");
    }
    out_.series[series].set(step, std::move(point));
    return {};
  }
  StepMatrix take() && { return std::move(out_); }

 private:
  std::size_t steps_;
  StepMatrix out_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

Result<InfoRequest> info_request(const VectorSelector* selector) {
  InfoRequest request;
  bool positive = false;
  if (selector != nullptr) {
    for (const model::Matcher& matcher : selector->matchers) {
      if (matcher.name() != kMetricName) {
        request.data_matchers.push_back(matcher);
        continue;
      }
      positive |= matcher.type() == model::MatchType::kEqual ||
                  matcher.type() == model::MatchType::kRegex;
      request.name_matchers.push_back(matcher);
    }
  }
  if (request.name_matchers.empty()) {
    VARVE_TRY_ASSIGN(model::Matcher matcher,
                     model::Matcher::create(model::MatchType::kEqual, std::string(kMetricName),
                                            std::string(kTargetInfo)));
    request.name_matchers.push_back(std::move(matcher));
  } else if (!positive) {
    // "Not this one" means any other metric that is called an info metric.
    VARVE_TRY_ASSIGN(model::Matcher matcher,
                     model::Matcher::create(model::MatchType::kRegex, std::string(kMetricName),
                                            ".+_info"));
    request.name_matchers.insert(request.name_matchers.begin(), std::move(matcher));
  }
  return request;
}

std::vector<bool> enrichable(const StepMatrix& base, const InfoRequest& request) {
  std::vector<bool> enriched;
  enriched.reserve(base.series.size());
  for (const StepSeries& series : base.series) {
    enriched.push_back(!all_match(request.name_matchers, series.labels.get(kMetricName)));
  }
  return enriched;
}

Result<model::Matchers> info_matchers(const StepMatrix& base, const std::vector<bool>& enriched,
                                      const InfoRequest& request) {
  model::Matchers matchers;
  for (const std::string_view name : kIdentifying) {
    std::set<std::string_view> values;
    for (std::size_t i = 0; i < base.series.size(); ++i) {
      const std::string_view value = base.series[i].labels.get(name);
      if (enriched[i] && !value.empty()) values.insert(value);
    }
    if (values.empty()) continue;
    std::string alternatives;
    for (const std::string_view value : values) {
      if (!alternatives.empty()) alternatives.push_back('|');
      alternatives.append(RE2::QuoteMeta(re2::StringPiece(value.data(), value.size())));
    }
    VARVE_TRY_ASSIGN(model::Matcher matcher,
                     model::Matcher::create(model::MatchType::kRegex, std::string(name),
                                            std::move(alternatives)));
    matchers.push_back(std::move(matcher));
  }
  if (matchers.empty()) return matchers;
  matchers.insert(matchers.end(), request.data_matchers.begin(), request.data_matchers.end());
  matchers.insert(matchers.end(), request.name_matchers.begin(), request.name_matchers.end());
  return matchers;
}

Result<StepMatrix> join_info(StepMatrix base, const std::vector<bool>& enriched,
                             const std::vector<InfoSeries>& info, const InfoRequest& request,
                             const StepGrid& grid) {
  VARVE_TRY_ASSIGN(const Newest newest, Newest::create(info, grid));
  // Without any info series, a matcher that insists on a label drops the series.
  const bool may_stay_bare =
      std::all_of(request.data_matchers.begin(), request.data_matchers.end(),
                  [](const model::Matcher& matcher) { return matcher.matches_empty(); });
  Output output(grid.count);
  for (std::size_t i = 0; i < base.series.size(); ++i) {
    const StepSeries& series = base.series[i];
    std::vector<const std::vector<std::int32_t>*> sources;
    if (enriched[i]) sources = newest.of(series.labels);
    std::map<std::vector<std::int32_t>, std::size_t> known;  // info series → output series
    std::vector<std::int32_t> chosen(sources.size());
    for (std::size_t step = 0; step < grid.count; ++step) {
      if (series.kinds[step] == PointKind::kNone) continue;
      for (std::size_t s = 0; s < sources.size(); ++s) chosen[s] = (*sources[s])[step];
      const bool bare = std::all_of(chosen.begin(), chosen.end(),
                                    [](std::int32_t index) { return index == kNone; });
      if (bare && enriched[i] && !may_stay_bare) continue;
      auto at = known.find(chosen);
      if (at == known.end()) {
        VARVE_TRY_ASSIGN(const Labels labels, enrich(series.labels, info, chosen, request));
        at = known.emplace(chosen, output.series(labels, series.drop_name)).first;
      }
      VARVE_TRY(output.set(at->second, step, series.at(step)));
    }
  }
  return std::move(output).take();
}

}  // namespace varve::promql
