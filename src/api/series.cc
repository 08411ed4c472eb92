// SPDX-License-Identifier: Apache-2.0
// What there is: series, label names, label values.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>

#include "api/bucket_presence.h"
#include "api/call.h"
#include "api/distinct.h"
#include "api/json.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/engine.h"
#include "promql/query_memory.h"
#include "storage/db.h"

namespace varve::api {
namespace {

struct MetadataRequest {
  TimeRange range;
  std::size_t limit = 0;
  std::vector<model::Matchers> match;
  std::unique_ptr<storage::Querier> querier;
  std::unique_ptr<model::MatchWatch> watch;  // of this thread
  std::chrono::nanoseconds deadline{0};      // on the clock's monotonic axis
};

// Series looked at between two looks at the clock and the client.
constexpr std::size_t kBatch = 4096;

// Whether the search is to be broken off: the client has gone, or it takes too long.
bool broken_off(const Call& call, const MetadataRequest& request) {
  const bool gone = call.exchange->client_gone();
  if (!gone && !request.watch->stopped() &&
      call.services.clock->monotonic() < request.deadline) {
    return false;
  }
  call.fail(gone ? ErrorType::kCanceled : ErrorType::kTimeout,
            gone ? "the client has hung up"
                 : "the search for series took longer than a query may (--query.timeout)");
  return true;
}

// The series found, each once, and what they take of the memory of all queries: as labels and then
// as JSON.
class FoundSeries {
 public:
  explicit FoundSeries(const Call& call)
      : memory_(call.services.query_memory, call.services.engine->options().memory_max_bytes) {}

  Status add(Labels labels) {
    const std::int64_t bytes = bytes_of(labels);
    VARVE_TRY(memory_.grow(bytes));
    held_bytes_ += bytes;
    if (!distinct_.add(std::move(labels))) return {};
    std::int64_t left = 0;
    for (const Labels& one : distinct_.things()) left += bytes_of(one);
    memory_.shrink(held_bytes_ - left);
    held_bytes_ = left;
    return {};
  }
  std::vector<Labels> take() { return distinct_.take(); }

 private:
  static std::int64_t bytes_of(const Labels& labels) {
    return static_cast<std::int64_t>(2 * (sizeof(Labels) + labels.bytes().size()));
  }

  promql::QueryMemory memory_;
  Distinct<Labels> distinct_;
  std::int64_t held_bytes_ = 0;
};

Result<MetadataRequest> metadata_request(const Call& call) {
  MetadataRequest request;
  VARVE_TRY_ASSIGN(request.limit, call.limit_parameter());
  VARVE_TRY_ASSIGN(request.range, call.range_parameters());
  VARVE_TRY_ASSIGN(request.match, call.match_parameters());
  VARVE_TRY_ASSIGN(request.querier, call.storage->querier(request.range));
  request.watch = call.watch_matching();
  request.deadline =
      call.services.clock->monotonic() + call.services.engine->options().timeout;
  return request;
}

void series(const CallPtr& call) {
  auto request = metadata_request(*call);
  if (!request.ok()) return call->fail(request.error());
  if (request->match.empty()) {
    return call->fail(ErrorType::kBadData, "no match[] parameter provided");
  }
  FoundSeries found_series(*call);
  for (const model::Matchers& matchers : request->match) {
    storage::SelectHints hints;
    hints.max_source_resolution_ms = storage::kSourceAuto;
    const auto selection = request->querier->select(matchers, request->range, hints);
    if (broken_off(*call, *request)) return;
    if (!selection.ok()) return call->fail(selection.error());
    // A selection has the series that may have samples in the range.
    std::vector<std::uint32_t> ordinals;
    std::vector<storage::LastSample> last;
    for (std::size_t begin = 0; begin < (*selection)->size(); begin += kBatch) {
      if (begin > 0 && broken_off(*call, *request)) return;
      ordinals.resize(std::min(kBatch, (*selection)->size() - begin));
      std::iota(ordinals.begin(), ordinals.end(), static_cast<std::uint32_t>(begin));
      last.assign(ordinals.size(), {});
      if (Status read = (*selection)->read_last(ordinals, request->range, last); !read.ok()) {
        return call->fail(read.error());
      }
      for (std::size_t i = 0; i < ordinals.size(); ++i) {
        if (last[i].kind != storage::LastSample::Kind::kNone ||
            has_bucket(**selection, ordinals[i], request->range)) {
          Status added = found_series.add((*selection)->labels(ordinals[i]));
          if (!added.ok()) return call->fail(added.error());
        }
      }
    }
  }
  std::vector<Labels> found = found_series.take();
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
  Distinct<std::string> distinct;
  bool truncated = false;
  for (const model::Matchers& matchers : request.match) {
    Result<storage::Querier::Names> found = read(matchers);
    if (broken_off(call, request)) return;
    if (!found.ok()) return call.fail(found.error());
    truncated |= found->truncated;
    if (request.match.size() == 1) {
      names = std::move(found->names);  // sorted, each once
      break;
    }
    for (std::string& name : found->names) distinct.add(std::move(name));
  }
  if (request.match.size() > 1) names = distinct.take();
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

// U__ escaping (prometheus/common model: "values" escaping): `_2e_` stands for U+002E, `__` for
// `_`. What is not of this form is taken as it is.
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
