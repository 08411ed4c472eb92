// SPDX-License-Identifier: Apache-2.0
#include "cli/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <ostream>
#include <span>
#include <string_view>

#include "api/moment.h"
#include "base/clock.h"
#include "base/percent_encode.h"
#include "base/try.h"
#include "cli/arguments.h"
#include "cli/http_call.h"
#include "cli/result_text.h"
#include "fs/real_fs.h"
#include "model/duration.h"

namespace varve::cli {
namespace {

// What promtool looks through if no times are given: more than a year either way.
constexpr std::int64_t kFarMs = std::int64_t{9999} * 3600 * 1000;
constexpr std::int64_t kDefaultRangeMs = 5 * 60 * 1000;
constexpr std::int64_t kStepsDefault = 250;

constexpr FlagSpec kFlags[] = {
    {"format", true, 'o'}, {"header"},        {"time"}, {"start"}, {"end"}, {"step"}, {"match"},
    {"http.config.file"},  {"enable-feature"}};

int complain(const Console& console, std::string_view message) {
  console.err << message << "\n";
  return kExitFailure;
}

Result<Timestamp> time_of(const std::string& text, std::string_view what, Timestamp fallback) {
  if (text.empty()) return fallback;
  const auto moment = api::parse_moment(text);
  if (moment) return moment->ms();
  return Error(
      ErrorCode::kInvalidArgument,
      fmt::format("error parsing {} time: cannot parse \"{}\" to a valid timestamp", what, text));
}

std::string seconds(Timestamp time_ms) {
  return fmt::format("{}.{:03}", time_ms / 1000, time_ms % 1000);
}

// A command's arguments, read and checked.
struct Request {
  Arguments arguments;
  ResultFormat format = ResultFormat::kPromql;
  std::string server;
  Timestamp now = 0;
};

Result<Request> read(const std::vector<std::string>& words, std::size_t operands,
                     std::string_view names) {
  VARVE_TRY_ASSIGN(Arguments arguments, Arguments::parse(words, kFlags));
  if (arguments.positional().size() != operands) {
    return Error(ErrorCode::kInvalidArgument,
                 arguments.positional().size() < operands
                     ? fmt::format("required arguments {} not provided", names)
                     : "unexpected " + arguments.positional()[operands]);
  }
  const std::string format = arguments.text("format", "promql");
  if (format != "promql" && format != "json") {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("enum value must be one of promql,json, got '{}'", format));
  }
  Request out;
  out.format = format == "json" ? ResultFormat::kJson : ResultFormat::kPromql;
  out.server = server_url(arguments.positional()[0]);
  out.now = base::SystemClock().now_ms();
  out.arguments = std::move(arguments);
  return out;
}

std::vector<std::pair<std::string, std::string>> headers_of(const Arguments& arguments) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const std::string& header : arguments.all("header")) {
    const std::size_t end = std::min(header.find_first_of("=:"), header.size());
    headers.emplace_back(header.substr(0, end), header.substr(std::min(end + 1, header.size())));
  }
  return headers;
}

using ToText = Result<std::string> (*)(std::string_view body, ResultFormat format);

// Asks with POST, and with GET where a server does not know that.
int ask(const Request& request, const std::string& path, const FormFields& form, bool post,
        ToText to_text, const Console& console) {
  fs::RealFs files;
  auto options = client_options(files, request.arguments);
  if (!options.ok()) return complain(console, "varve: error: " + options.error().message());
  auto caller = Caller::create(files, *std::move(options), headers_of(request.arguments));
  if (!caller.ok()) {
    return complain(console, "error creating API client: " + caller.error().message());
  }
  const std::string url = request.server + path;
  const auto get = [&] { return caller->get(form.empty() ? url : url + "?" + form_text(form)); };
  auto response = post ? caller->post_form(url, form) : get();
  if (post && response.ok() && (response->status == 405 || response->status == 501)) {
    response = get();
  }
  if (!response.ok()) return complain(console, "query error: " + response.error().message());
  const auto text = to_text(response->body, request.format);
  if (text.ok()) {
    console.out << *text;
    return kExitOk;
  }
  // An error page of something else says more by its status.
  if (response->status / 100 != 2 && text.error().message().starts_with("bad_response")) {
    const std::string_view kind = response->status / 100 == 5 ? "server" : "client";
    return complain(console, fmt::format("query error: {}_error: {} error: {} (detail: {})", kind,
                                         kind, response->status, response->body.substr(0, 1000)));
  }
  return complain(console, "query error: " + text.error().message());
}

int refuse(const Error& error, const Console& console) {
  return complain(console, "varve: error: " + error.message());
}

// The bounds of series and labels.
Result<FormFields> far_bounds(const Request& request) {
  VARVE_TRY_ASSIGN(const Timestamp start,
                   time_of(request.arguments.text("start"), "start", request.now - kFarMs));
  VARVE_TRY_ASSIGN(const Timestamp end,
                   time_of(request.arguments.text("end"), "end", request.now + kFarMs));
  return FormFields{{"start", seconds(start)}, {"end", seconds(end)}};
}

int check_server(const std::vector<std::string>& words, const std::string& path,
                 const Console& console) {
  static constexpr FlagSpec kServerFlags[] = {{"url"}, {"http.config.file"}};
  const auto arguments = Arguments::parse(words, kServerFlags);
  if (!arguments.ok()) return refuse(arguments.error(), console);
  const std::string server = server_url(arguments->text("url", "http://localhost:9090"));
  fs::RealFs files;
  auto options = client_options(files, *arguments);
  if (!options.ok()) return refuse(options.error(), console);
  auto caller = Caller::create(files, *std::move(options), {});
  if (!caller.ok()) return complain(console, "  FAILED: " + caller.error().message());
  const auto response = caller->get(server + path);
  if (!response.ok()) return complain(console, "  FAILED: " + response.error().message());
  if (response->status != 200) {
    return complain(console, fmt::format("  FAILED: check failed: URL={}, status={}", server,
                                         response->status));
  }
  console.err << "  SUCCESS:  " << response->body << "\n";
  return kExitOk;
}

}  // namespace

int query_instant(const std::vector<std::string>& words, const Console& console) {
  const auto request = read(words, 2, "'server', 'expr'");
  if (!request.ok()) return refuse(request.error(), console);
  const auto time = time_of(request->arguments.text("time"), "evaluation", request->now);
  if (!time.ok()) return complain(console, time.error().message());
  return ask(*request, "/api/v1/query",
             {{"query", request->arguments.positional()[1]}, {"time", seconds(*time)}}, true,
             value_text, console);
}

int query_range(const std::vector<std::string>& words, const Console& console) {
  const auto request = read(words, 2, "'server', 'expr'");
  if (!request.ok()) return refuse(request.error(), console);
  const Arguments& arguments = request->arguments;
  const auto end = time_of(arguments.text("end"), "end", request->now);
  if (!end.ok()) return complain(console, end.error().message());
  const auto start = time_of(arguments.text("start"), "start", *end - kDefaultRangeMs);
  if (!start.ok()) return complain(console, start.error().message());
  if (*start >= *end) return complain(console, "start time is not before end time");
  std::int64_t step_ms = std::max<std::int64_t>((*end - *start) / 1000 / kStepsDefault, 1) * 1000;
  if (arguments.given("step")) {
    const auto step = model::parse_duration(arguments.text("step"));
    if (!step.ok()) return refuse(step.error(), console);
    if (*step > 0) step_ms = *step;
  }
  return ask(*request, "/api/v1/query_range",
             {{"query", arguments.positional()[1]},
              {"start", seconds(*start)},
              {"end", seconds(*end)},
              {"step", seconds(step_ms)}},
             true, value_text, console);
}

int query_series(const std::vector<std::string>& words, const Console& console) {
  const auto request = read(words, 1, "'server'");
  if (!request.ok()) return refuse(request.error(), console);
  if (!request->arguments.given("match")) {
    return complain(console, "varve: error: required flag --match not provided");
  }
  auto form = far_bounds(*request);
  if (!form.ok()) return complain(console, form.error().message());
  for (const std::string& match : request->arguments.all("match")) {
    form->emplace_back("match[]", match);
  }
  return ask(*request, "/api/v1/series", *form, true, series_text, console);
}

int query_labels(const std::vector<std::string>& words, const Console& console) {
  const auto request = read(words, 2, "'server', 'name'");
  if (!request.ok()) return refuse(request.error(), console);
  auto form = far_bounds(*request);
  if (!form.ok()) return complain(console, form.error().message());
  for (const std::string& match : request->arguments.all("match")) {
    form->emplace_back("match[]", match);
  }
  const std::string name = base::query_escape(request->arguments.positional()[1]);
  return ask(*request, "/api/v1/label/" + name + "/values", *form, false, label_values_text,
             console);
}

int check_healthy(const std::vector<std::string>& words, const Console& console) {
  return check_server(words, "/-/healthy", console);
}

int check_ready(const std::vector<std::string>& words, const Console& console) {
  return check_server(words, "/-/ready", console);
}

}  // namespace varve::cli
