// SPDX-License-Identifier: Apache-2.0
#include "api/live_request.h"

#include <fmt/format.h>

#include <string_view>

#include "api/call.h"
#include "api/moment.h"
#include "base/try.h"

namespace varve::api {
namespace {

// Nobody sees points that are closer, and nobody waits for ones that are further apart.
constexpr std::int64_t kStepMinMs = 100;
constexpr std::int64_t kStepMaxMs = std::int64_t{31} * 86'400'000;

Error invalid(std::string_view name, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("invalid parameter \"{}\": {}", name, why));
}

std::int64_t floor_mod(std::int64_t a, std::int64_t b) { return ((a % b) + b) % b; }

// The values of one parameter, to be asked for by query.
class Column {
 public:
  Column(const http::FormValues& values, std::string_view name) : name_(name) {
    for (const auto& [key, value] : values) {
      if (key == name) values_.push_back(value);
    }
  }

  std::string_view name() const { return name_; }
  std::size_t size() const { return values_.size(); }
  std::string_view at(std::size_t query) const {
    if (values_.empty()) return {};
    return values_.size() == 1 ? values_[0] : values_[query];
  }
  Status check(std::size_t queries) const {
    if (values_.size() <= 1 || values_.size() == queries) return {};
    return invalid(name_, fmt::format("{} values for {} queries: one for each, or one for all",
                                      values_.size(), queries));
  }

 private:
  std::string_view name_;
  std::vector<std::string_view> values_;
};

}  // namespace

Timestamp LiveQuery::step_at(Timestamp time_ms) const {
  return time_ms - floor_mod(time_ms - phase_ms, step_ms);
}

Result<std::vector<LiveQuery>> parse_live_request(const http::FormValues& values) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : values) bytes += key.size() + value.size();
  if (bytes > kLiveRequestMaxBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the parameters are {} bytes long, more than the {} of a live request",
                             bytes, kLiveRequestMaxBytes));
  }
  const Column expressions(values, "query");
  const Column steps(values, "step");
  const Column afters(values, "after");
  const Column lookbacks(values, "lookback_delta");
  if (expressions.size() == 0) return invalid("query", "there is none");
  if (expressions.size() > kLiveQueriesMax) {
    return invalid("query", fmt::format("{} are more than the {} of one request",
                                        expressions.size(), kLiveQueriesMax));
  }
  for (const Column* column : {&steps, &afters, &lookbacks}) {
    VARVE_TRY(column->check(expressions.size()));
  }
  std::vector<LiveQuery> queries;
  queries.reserve(expressions.size());
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    LiveQuery query;
    query.expression = expressions.at(i);
    VARVE_TRY_ASSIGN(query.step_ms, parse_duration_parameter(steps.name(), steps.at(i)));
    if (query.step_ms < kStepMinMs || query.step_ms > kStepMaxMs) {
      return invalid(steps.name(), "live steps are from 100 milliseconds to 31 days");
    }
    if (!lookbacks.at(i).empty()) {
      VARVE_TRY_ASSIGN(const std::int64_t lookback_ms,
                       parse_duration_parameter(lookbacks.name(), lookbacks.at(i)));
      if (lookback_ms <= 0) return invalid(lookbacks.name(), "it must be above 0");
      query.lookback = std::chrono::milliseconds(lookback_ms);
    }
    if (!afters.at(i).empty()) {
      const std::optional<Moment> after = parse_moment(afters.at(i));
      if (!after) {
        return invalid(afters.name(),
                       fmt::format("cannot parse \"{}\" to a valid timestamp", afters.at(i)));
      }
      query.after_ms = after->query_ms();
      query.phase_ms = floor_mod(*query.after_ms, query.step_ms);
    }
    queries.push_back(std::move(query));
  }
  return queries;
}

}  // namespace varve::api
