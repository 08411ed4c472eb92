// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <unordered_set>

#include "api/json.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"
#include "model/duration.h"
#include "model/number.h"
#include "promql/engine.h"
#include "promql/parser.h"

namespace varve::api {

ApiError to_api_error(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kOutOfOrder:
    case ErrorCode::kTooOld:
    case ErrorCode::kDuplicate: return {ErrorType::kBadData, error.message()};
    case ErrorCode::kNotFound: return {ErrorType::kNotFound, error.message()};
    case ErrorCode::kExecution:
    case ErrorCode::kLimitExceeded:
    case ErrorCode::kUnimplemented: return {ErrorType::kExecution, error.message()};
    case ErrorCode::kTimeout: return {ErrorType::kTimeout, error.message()};
    case ErrorCode::kCanceled: return {ErrorType::kCanceled, error.message()};
    case ErrorCode::kUnavailable: return {ErrorType::kUnavailable, error.message()};
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kCorruption:
    case ErrorCode::kIo:
    case ErrorCode::kInternal: break;
  }
  return {ErrorType::kInternal, error.message()};
}

int http_status(ErrorType type) {
  switch (type) {
    case ErrorType::kBadData: return 400;
    case ErrorType::kExecution: return 422;
    case ErrorType::kCanceled: return 499;
    case ErrorType::kTimeout: return 503;
    case ErrorType::kUnavailable: return 503;
    case ErrorType::kInternal: return 500;
    case ErrorType::kNotFound: return 404;
    case ErrorType::kNotAcceptable: return 406;
  }
  return 500;
}

std::string_view to_string(ErrorType type) {
  switch (type) {
    case ErrorType::kBadData: return "bad_data";
    case ErrorType::kExecution: return "execution";
    case ErrorType::kCanceled: return "canceled";
    case ErrorType::kTimeout: return "timeout";
    case ErrorType::kUnavailable: return "unavailable";
    case ErrorType::kInternal: return "internal";
    case ErrorType::kNotFound: return "not_found";
    case ErrorType::kNotAcceptable: return "not_acceptable";
  }
  return "internal";
}

Status Call::parse_parameters() {
  const http::Request& http_request = request();
  if (http_request.method == "POST" &&
      http_request.header("Content-Type").starts_with("application/x-www-form-urlencoded")) {
    VARVE_TRY_ASSIGN(values_, http::parse_form(http_request.body));
  }
  VARVE_TRY_ASSIGN(http::FormValues from_url, http::parse_form(http_request.query));
  for (auto& value : from_url) values_.push_back(std::move(value));
  return {};
}

std::string_view Call::parameter(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return {};
}

bool Call::has_parameter(std::string_view name) const { return !parameter(name).empty(); }

std::vector<std::string_view> Call::parameters(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : values_) {
    if (key == name) found.push_back(value);
  }
  return found;
}

Result<Moment> Call::time_parameter(std::string_view name, std::optional<Moment> fallback) const {
  const std::string_view text = parameter(name);
  if (text.empty() && fallback) return *fallback;
  const std::optional<Moment> moment = parse_moment(text);
  if (!moment) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("invalid parameter \"{}\": cannot parse \"{}\" to a valid timestamp",
                             name, text));
  }
  return *moment;
}

Result<std::int64_t> parse_duration_parameter(std::string_view name, std::string_view text) {
  const auto invalid = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("invalid parameter \"{}\": {}", name, why));
  };
  if (const auto seconds = model::parse_float(text); seconds.has_value()) {
    // Prometheus keeps durations as nanoseconds in 64 bits.
    if (!(std::fabs(*seconds * 1e9) <= 9223372036854775807.0)) {
      return invalid(
          fmt::format("cannot parse \"{}\" to a valid duration. It overflows int64", text));
    }
    return static_cast<std::int64_t>(*seconds * 1000);
  }
  if (const auto millis = model::parse_duration(text); millis.ok()) return *millis;
  return invalid(fmt::format("cannot parse \"{}\" to a valid duration", text));
}

Result<std::int64_t> Call::duration_parameter(std::string_view name) const {
  return parse_duration_parameter(name, parameter(name));
}

Result<std::size_t> Call::limit_parameter() const {
  const std::string_view text = parameter("limit");
  if (text.empty()) return std::size_t{0};
  std::size_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) {
    if (text.starts_with('-')) {
      return Error(ErrorCode::kInvalidArgument,
                   "invalid parameter \"limit\": limit must be non-negative");
    }
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("invalid parameter \"limit\": cannot parse \"{}\" to a whole number",
                             text));
  }
  return value;
}

Result<TimeRange> Call::range_parameters() const {
  VARVE_TRY_ASSIGN(const Moment start, time_parameter("start", Moment::earliest()));
  VARVE_TRY_ASSIGN(const Moment end, time_parameter("end", Moment::latest()));
  return TimeRange{start.ms(), end.ms()};
}

Result<std::vector<model::Matchers>> Call::match_parameters() const {
  std::vector<model::Matchers> sets;
  std::unordered_set<std::string_view> seen;
  for (const std::string_view selector : parameters("match[]")) {
    if (!seen.insert(selector).second) continue;
    auto matchers = promql::parse_selector(selector);
    if (!matchers.ok()) {
      return std::move(matchers).error().with("invalid parameter \"match[]\"");
    }
    bool selects = false;
    for (const model::Matcher& matcher : *matchers) selects |= !matcher.matches_empty();
    if (!selects) {
      return Error(ErrorCode::kInvalidArgument,
                   "invalid parameter \"match[]\": match[] must contain at least one non-empty "
                   "matcher");
    }
    sets.push_back(std::move(*matchers));
  }
  return sets;
}

std::unique_ptr<model::MatchWatch> Call::watch_matching() const {
  const auto deadline = services.clock->monotonic() + services.engine->options().timeout;
  return std::make_unique<model::MatchWatch>([this, deadline] {
    return exchange->client_gone() || services.clock->monotonic() >= deadline;
  });
}

void Call::fail(ErrorType type, std::string message) const {
  http::Response response;
  response.status = http_status(type);
  response.headers.emplace_back("Content-Type", "application/json");
  if (type == ErrorType::kUnavailable) response.headers.emplace_back("Retry-After", "5");
  response.body = fmt::format("{{\"status\":\"error\",\"errorType\":\"{}\",\"error\":",
                              to_string(type));
  append_json_string(response.body, message);
  response.body += '}';
  exchange->send(std::move(response));
}

void Call::fail(const Error& error) const {
  ApiError api_error = to_api_error(error);
  if (api_error.type == ErrorType::kInternal) {
    services.log->error("request failed", {{"path", request().path}, {"err", api_error.message}});
  }
  fail(api_error.type, std::move(api_error.message));
}

void append_annotations(std::string& out, const Annotations& annotations) {
  if (!annotations.warnings.empty()) {
    out += ",\"warnings\":";
    append_json_strings(out, annotations.warnings);
  }
  if (!annotations.infos.empty()) {
    out += ",\"infos\":";
    append_json_strings(out, annotations.infos);
  }
}

void Call::succeed(std::string data_json, const Annotations& annotations) const {
  http::Response response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = "{\"status\":\"success\",\"data\":";
  response.body += data_json;
  append_annotations(response.body, annotations);
  response.body += '}';
  exchange->send(std::move(response));
}

void Call::text(int status, std::string body) const {
  http::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  exchange->send(std::move(response));
}

}  // namespace varve::api
