// SPDX-License-Identifier: Apache-2.0
// /federate: the newest sample of all series that were asked for, for another server to scrape.
#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "api/call.h"
#include "api/distinct.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/try.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "storage/db.h"
#include "wire/exposition_write.h"

namespace varve::api {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
// Series read between two looks at the clock and the client.
constexpr std::size_t kBatch = 4096;

using Samples = std::vector<wire::WrittenSample>;

// By metric name, then by labels.
struct ByName {
  bool operator()(const wire::WrittenSample& a, const wire::WrittenSample& b) const {
    const int names = a.labels.get(kMetricName).compare(b.labels.get(kMetricName));
    return names != 0 ? names < 0 : a.labels < b.labels;
  }
};
using Found = Distinct<wire::WrittenSample, ByName>;

Status read_newest(const Call& call, const storage::Selection& selection, TimeRange range,
                   std::chrono::nanoseconds deadline, Found& out) {
  std::vector<std::uint32_t> ordinals;
  std::vector<storage::LastSample> last;
  for (std::size_t begin = 0; begin < selection.size(); begin += kBatch) {
    if (call.exchange->client_gone()) {
      return Error(ErrorCode::kCanceled, "the client has hung up");
    }
    if (call.services.clock->monotonic() >= deadline) {
      return Error(ErrorCode::kTimeout, "federation timed out (--query.timeout)");
    }
    const std::size_t count = std::min(kBatch, selection.size() - begin);
    ordinals.resize(count);
    std::iota(ordinals.begin(), ordinals.end(), static_cast<std::uint32_t>(begin));
    last.assign(count, {});
    VARVE_TRY(selection.read_last(ordinals, range, last));
    for (std::size_t i = 0; i < count; ++i) {
      using Kind = storage::LastSample::Kind;
      storage::LastSample& sample = last[i];
      if (sample.kind == Kind::kNone) continue;
      // The formats have no word for the end of a series.
      if (sample.kind == Kind::kFloat ? is_stale(sample.value) : sample.histogram->is_stale()) {
        continue;
      }
      out.add({selection.labels(begin + i), sample.timestamp_ms, sample.value,
               std::move(sample.histogram)});
    }
  }
  return {};
}

// Sorted by metric name, then by labels; each series once.
Result<Samples> newest_samples(const Call& call, const std::vector<model::Matchers>& selectors) {
  const Timestamp now = call.services.clock->now_ms();
  const promql::EngineOptions& options = call.services.engine->options();
  const TimeRange range{now - options.lookback_delta.count(), now};
  const auto deadline = call.services.clock->monotonic() + options.timeout;
  VARVE_TRY_ASSIGN(const auto querier, call.storage->querier(range));
  Found found;
  const auto watch = call.watch_matching();
  for (const model::Matchers& matchers : selectors) {
    VARVE_TRY_ASSIGN(const auto selection, querier->select(matchers, range));
    if (watch->stopped() || call.services.clock->monotonic() >= deadline) {
      return Error(ErrorCode::kTimeout, "federation timed out (--query.timeout)");
    }
    VARVE_TRY(read_newest(call, *selection, range, deadline, found));
  }
  return found.take();
}

void federate(const CallPtr& call) {
  std::vector<model::Matchers> selectors;
  for (const std::string_view text : call->parameters("match[]")) {
    auto matchers = promql::parse_selector(text);
    if (!matchers.ok()) return call->text(400, matchers.error().message() + "\n");
    // What has no name cannot be written; with this {__name__=~".*"} may be asked for, too.
    auto named = model::Matcher::create(model::MatchType::kNotEqual, std::string(kMetricName), "");
    if (named.ok()) matchers->push_back(std::move(*named));
    selectors.push_back(std::move(*matchers));
  }
  auto samples = newest_samples(*call, selectors);
  if (!samples.ok()) {
    const ApiError error = to_api_error(samples.error());
    return call->text(http_status(error.type), error.message + "\n");
  }
  const auto form = wire::WrittenForm::negotiate(call->request().header("Accept"));
  const Labels external =
      call->services.external_labels ? call->services.external_labels() : Labels();
  // Without an instance of its own a scraped series would be given the one of this server.
  auto writer = std::make_shared<wire::FamilyWriter>(form, external,
                                                     external.get("instance").empty());
  http::Response response;
  response.headers.emplace_back("Content-Type", form.content_type());
  if (samples->empty()) return call->exchange->send(std::move(response));
  response.next_piece = [writer, rest = std::make_shared<const Samples>(std::move(*samples)),
                         at = std::size_t{0}](std::string& piece) mutable {
    const std::size_t goal = piece.size() + kPieceBytes;
    while (at < rest->size() && piece.size() < goal) writer->add((*rest)[at++], piece);
    if (at < rest->size()) return true;
    writer->finish(piece);
    return false;
  };
  call->exchange->send(std::move(response));
}

constexpr Route kRoutes[] = {{"GET", "/federate", Kind::kQuery, federate}};

}  // namespace

std::span<const Route> federate_routes() { return kRoutes; }

}  // namespace varve::api
