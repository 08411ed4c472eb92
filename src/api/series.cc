// SPDX-License-Identifier: Apache-2.0
// What there is: series, label names, label values.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "api/bucket_presence.h"
#include "api/call.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/engine.h"
#include "storage/db.h"

namespace varve::api {
namespace {

struct MetadataRequest {
  TimeRange range;
  std::size_t limit = 0;
  std::vector<model::Matchers> match;
  std::unique_ptr<storage::Querier> querier;
  std::unique_ptr<model::MatchWatch> watch;  // of this thread
};

// Whether the search was broken off: the client has gone, or it took too long.
bool broken_off(const Call& call, const MetadataRequest& request) {
  if (!request.watch->stopped()) return false;
  call.fail(call.exchange->client_gone() ? ErrorType::kCanceled : ErrorType::kTimeout,
            "the search for series took longer than a query may (--query.timeout)");
  return true;
}

Result<MetadataRequest> metadata_request(const Call& call) {
  MetadataRequest request;
  VARVE_TRY_ASSIGN(request.limit, call.limit_parameter());
  VARVE_TRY_ASSIGN(request.range, call.range_parameters());
  VARVE_TRY_ASSIGN(request.match, call.match_parameters());
  VARVE_TRY_ASSIGN(request.querier, call.storage->querier(request.range));
  request.watch = call.watch_matching();
  return request;
}

void series(const CallPtr& call) {
  auto request = metadata_request(*call);
  if (!request.ok()) return call->fail(request.error());
  if (request->match.empty()) {
    return call->fail(ErrorType::kBadData, "no match[] parameter provided");
  }
  std::vector<Labels> found;
  for (const model::Matchers& matchers : request->match) {
    storage::SelectHints hints;
    hints.max_source_resolution_ms = storage::kSourceAuto;
    const auto selection = request->querier->select(matchers, request->range, hints);
    if (broken_off(*call, *request)) return;
    if (!selection.ok()) return call->fail(selection.error());
    // A selection has the series that may have samples in the range.
    std::vector<std::uint32_t> ordinals((*selection)->size());
    std::iota(ordinals.begin(), ordinals.end(), 0U);
    std::vector<storage::LastSample> last(ordinals.size());
    if (Status read = (*selection)->read_last(ordinals, request->range, last); !read.ok()) {
      return call->fail(read.error());
    }
    for (const std::uint32_t i : ordinals) {
      if (last[i].kind != storage::LastSample::Kind::kNone ||
          has_bucket(**selection, i, request->range)) {
        found.push_back((*selection)->labels(i));
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  Annotations annotations;
  annotations.warnings = request->querier->warnings();
  if (request->limit > 0 && found.size() > request->limit) {
    found.resize(request->limit);
    annotations.warnings.emplace_back(kTruncatedWarning);
  }
  std::string json = "[";
  for (const Labels& labels : found) {
    if (json.size() > 1) json += ',';
    append_json_labels(json, labels);
  }
  json += ']';
  call->succeed(std::move(json), annotations);
}

// Joins what `read` finds for each selector (once, without matchers, if there is none).
template <typename Read>
void answer_names(const Call& call, MetadataRequest& request, const Read& read) {
  if (request.match.empty()) request.match.emplace_back();
  std::vector<std::string> names;
  bool truncated = false;
  for (const model::Matchers& matchers : request.match) {
    Result<storage::Querier::Names> found = read(matchers);
    if (broken_off(call, request)) return;
    if (!found.ok()) return call.fail(found.error());
    truncated |= found->truncated;
    names.insert(names.end(), std::make_move_iterator(found->names.begin()),
                 std::make_move_iterator(found->names.end()));
  }
  if (request.match.size() > 1) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  if (request.limit > 0 && names.size() > request.limit) {
    names.resize(request.limit);
    truncated = true;
  }
  Annotations annotations;
  annotations.warnings = request.querier->warnings();
  if (truncated) annotations.warnings.emplace_back(kTruncatedWarning);
  std::string json;
  append_json_strings(json, names);
  call.succeed(std::move(json), annotations);
}

void labels(const CallPtr& call) {
  auto request = metadata_request(*call);
  if (!request.ok()) return call->fail(request.error());
  answer_names(*call, *request, [&](const model::Matchers& matchers) {
    return request->querier->label_names(matchers, request->range, request->limit);
  });
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 63));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 63));
    out += static_cast<char>(0x80 | ((code >> 6) & 63));
    out += static_cast<char>(0x80 | (code & 63));
  }
}

// U__ escaping (prometheus/common model: "values" escaping): `_2e_` stands for U+002E, `__` for `_`.
// What is not of this form is taken as it is.
std::string unescape_name(std::string_view name) {
  if (!name.starts_with("U__")) return std::string(name);
  std::string out;
  for (std::size_t i = 3; i < name.size(); ++i) {
    if (name[i] != '_') {
      out += name[i];
      continue;
    }
    if (i + 1 < name.size() && name[i + 1] == '_') {
      out += '_';
      ++i;
      continue;
    }
    std::uint32_t code = 0;
    std::size_t end = i + 1;
    for (; end < name.size() && hex_digit(name[end]) >= 0 && end - i <= 6; ++end) {
      code = code * 16 + static_cast<std::uint32_t>(hex_digit(name[end]));
    }
    if (end == i + 1 || end >= name.size() || name[end] != '_' || code > 0x10ffff) {
      return std::string(name);
    }
    append_utf8(out, code);
    i = end;
  }
  return out;
}

void label_values(const CallPtr& call) {
  const std::string name = unescape_name(call->path_values[0]);
  auto request = metadata_request(*call);
  if (!request.ok()) return call->fail(request.error());
  answer_names(*call, *request, [&](const model::Matchers& matchers) {
    return request->querier->label_values(name, matchers, request->range, request->limit);
  });
}

constexpr Route kRoutes[] = {
    {"GET,POST", "/api/v1/series", Kind::kQuery, series},
    {"GET,POST", "/api/v1/labels", Kind::kQuery, labels},
    {"GET", "/api/v1/label/:/values", Kind::kQuery, label_values},
};

}  // namespace

std::span<const Route> series_routes() { return kRoutes; }

}  // namespace varve::api
