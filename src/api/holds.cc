// SPDX-License-Identifier: Apache-2.0
// /api/v1/admin/hold: what no retention may take until it is released.
#include <string>
#include <utility>

#include "api/admin_work.h"
#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/log.h"
#include "storage/db.h"

namespace varve::api {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, value);
}

// An end that is open is left out.
void append_time(std::string& out, std::string_view name, Timestamp time_ms) {
  if (time_ms == TimeRange::all().min_ms || time_ms == TimeRange::all().max_ms) return;
  out += ",\"";
  out += name;
  out += "\":\"";
  out += base::format_utc(time_ms);  // 0 is a time like any other
  out += '"';
}

void append_record(std::string& out, const storage::HoldRecord& record) {
  out += "{\"id\":";
  append_json_string(out, record.hold.id);
  append_time(out, "start", record.hold.range.min_ms);
  append_time(out, "end", record.hold.range.max_ms);
  out += ",\"match\":[";
  for (std::size_t i = 0; i < record.hold.selectors.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, storage::selector_text(record.hold.selectors[i]));
  }
  out += ']';
  append_member(out, "comment", record.comment);
  append_time(out, "created", record.created_ms);
  out += '}';
}

void add(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    const auto match = c.match_parameters();
    if (!match.ok()) return c.fail(match.error());
    if (match->empty()) return c.fail(ErrorType::kBadData, "no match[] parameter provided");
    auto range = c.range_parameters();
    if (!range.ok()) return c.fail(range.error());
    if (range->empty()) {
      return c.fail(ErrorType::kBadData,
                    "invalid parameter \"end\": end timestamp must not be before start time");
    }
    if (!c.has_parameter("start")) range->min_ms = TimeRange::all().min_ms;
    if (!c.has_parameter("end")) range->max_ms = TimeRange::all().max_ms;
    const auto added = c.storage->add_hold(*range, *match, std::string(c.parameter("comment")));
    if (!added.ok()) {
      if (added.error().code() == ErrorCode::kInvalidArgument ||
          added.error().code() == ErrorCode::kLimitExceeded) {
        return c.fail(ErrorType::kBadData, added.error().message());
      }
      return fail_admin(c, added.error(), "hold: ");
    }
    std::string json;
    append_record(json, *added);
    c.succeed(std::move(json));
  });
}

void list(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    std::string json = "[";
    for (const storage::HoldRecord& record : c.storage->holds()) {
      if (json.size() > 1) json += ',';
      append_record(json, record);
    }
    c.succeed(json + ']');
  });
}

void release_id(const Call& call, std::string_view id) {
  const Status released = call.storage->release_hold(id);
  if (released.ok()) return done_admin(call);
  if (released.error().code() == ErrorCode::kNotFound) {
    return call.fail(ErrorType::kNotFound, released.error().message());
  }
  fail_admin(call, released.error(), "release: ");
}

void release(const CallPtr& call) {
  run_admin(call, [](const Call& c) { release_id(c, c.path_values[0]); });
}

void release_named(const CallPtr& call) {
  run_admin(call, [](const Call& c) {
    if (!c.has_parameter("id")) return c.fail(ErrorType::kBadData, "no id parameter provided");
    release_id(c, c.parameter("id"));
  });
}

constexpr Route kRoutes[] = {
    {"POST,PUT", "/api/v1/admin/hold", Kind::kShared, add},
    {"GET", "/api/v1/admin/hold", Kind::kShared, list},
    {"DELETE", "/api/v1/admin/hold", Kind::kShared, release_named},
    {"DELETE", "/api/v1/admin/hold/:", Kind::kShared, release},
};

}  // namespace

std::span<const Route> hold_routes() { return kRoutes; }

}  // namespace varve::api
