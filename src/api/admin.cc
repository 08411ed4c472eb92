// SPDX-License-Identifier: Apache-2.0
// /api/v1/admin/tsdb: deleting, cleaning, copying and compacting on request. Off unless
// --web.enable-admin-api is given. The work may take minutes, so it has a thread of its own.
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "api/admin_work.h"
#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/thread_pool.h"
#include "storage/db.h"

namespace varve::api {
namespace {

void delete_series(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    const auto match = c.match_parameters();
    if (!match.ok()) return c.fail(match.error());
    if (match->empty()) return c.fail(ErrorType::kBadData, "no match[] parameter provided");
    const auto range = c.range_parameters();
    if (!range.ok()) return c.fail(range.error());
    // However long the database makes it wait; nobody waits for it once the client has gone.
    const model::MatchWatch watch([&c] { return c.exchange->client_gone(); });
    const Status status = c.storage->delete_series(*match, *range);
    if (!status.ok()) return fail_admin(c, status.error());
    done_admin(c);
  });
}

void clean_tombstones(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    const Status status = c.storage->clean_tombstones();
    if (!status.ok()) return fail_admin(c, status.error());
    done_admin(c);
  });
}

// As Go's strconv.ParseBool.
std::optional<bool> parse_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

void snapshot(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    bool skip_head = false;
    if (const std::string_view text = c.parameter("skip_head"); !text.empty()) {
      const std::optional<bool> parsed = parse_bool(text);
      if (!parsed) {
        return c.fail(ErrorType::kBadData,
                      fmt::format("invalid parameter \"skip_head\": unable to parse boolean: "
                                  "strconv.ParseBool: parsing \"{}\": invalid syntax",
                                  text));
      }
      skip_head = *parsed;
    }
    const auto name = c.storage->snapshot(skip_head);
    if (!name.ok()) return fail_admin(c, name.error(), "create snapshot: ");
    std::string json = "{\"name\":";
    append_json_string(json, *name);
    json += '}';
    c.succeed(std::move(json));
  });
}

void compact(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    const Status status = c.storage->compact();
    if (!status.ok()) return fail_admin(c, status.error());
    done_admin(c);
  });
}

constexpr Route kRoutes[] = {
    {"POST,PUT", "/api/v1/admin/tsdb/delete_series", Kind::kShared, delete_series},
    {"POST,PUT", "/api/v1/admin/tsdb/clean_tombstones", Kind::kShared, clean_tombstones},
    {"POST,PUT", "/api/v1/admin/tsdb/snapshot", Kind::kShared, snapshot},
    {"POST,PUT", "/api/v1/admin/tsdb/compact", Kind::kShared, compact},
};

}  // namespace

void run_admin(const CallPtr& call, std::function<void(const Call&)> work) {
  if (!call->options.enable_admin) {
    return call->fail(ErrorType::kUnavailable, "admin APIs disabled");
  }
  base::ThreadPool* const pool =
      call->services.admin != nullptr ? call->services.admin : call->services.queries;
  if (!pool->try_post([call, work = std::move(work)] { work(*call); })) {
    call->fail(ErrorType::kUnavailable, "too many administrative requests are waiting");
  }
}

void fail_admin(const Call& call, const Error& error, std::string_view what) {
  const ErrorType type =
      error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kCanceled
          ? ErrorType::kUnavailable
          : ErrorType::kInternal;
  call.fail(type, fmt::format("{}{}", what, error.message()));
}

void done_admin(const Call& call) {
  http::Response response;
  response.status = 204;
  call.exchange->send(std::move(response));
}

std::span<const Route> admin_routes() { return kRoutes; }

}  // namespace varve::api
