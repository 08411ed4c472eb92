// SPDX-License-Identifier: Apache-2.0
// http_sd_configs: a GET each interval that answers all target groups there are.
#include <fmt/format.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/try.h"
#include "discovery/read_groups.h"
#include "discovery/source.h"
#include "http/client.h"

namespace varve::discovery {
namespace {

constexpr std::size_t kBodyMaxBytes = std::size_t{64} << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return out;
}

// application/json, with no other charset than UTF-8.
bool is_json(std::string_view content_type) {
  std::string type = lower(content_type);
  std::erase_if(type, [](char c) { return c == ' ' || c == '\t' || c == '"'; });
  return type == "application/json" || type == "application/json;charset=utf-8";
}

Error unavailable(std::string message) {
  return Error(ErrorCode::kUnavailable, std::move(message));
}

class HttpSource final : public Source {
 public:
  HttpSource(const HttpOptions& options, Context& context)
      : options_(options),
        context_(context),
        failures_(context.metrics().counter("prometheus_sd_http_failures_total",
                                            "Number of HTTP service discovery refresh failures.")),
        client_(std::make_shared<const http::ClientOptions>(options.client)) {}

  void start() override {
    http::ClientRequest request;
    request.url = options_.url;
    const double seconds = std::chrono::duration<double>(options_.refresh_interval).count();
    request.headers = {{"User-Agent", "Prometheus/3.14.0 (Varve)"},
                       {"Accept", "application/json"},
                       {"X-Prometheus-Refresh-Interval-Seconds", fmt::format("{}", seconds)}};
    request.timeout = options_.refresh_interval;
    request.body_max_bytes = kBodyMaxBytes;
    request.options = client_;
    const auto began = context_.clock().monotonic();
    context_.fetch(std::move(request), [this, began](Result<http::ClientResponse> response) {
      const Status taken = take(std::move(response));
      if (!taken.ok()) failures_.add();
      context_.refreshed(began, taken);
      // Paced by the beginnings, as a ticker; an answer that took longer is followed at once.
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
          context_.clock().monotonic() - began);
      context_.after(std::max(options_.refresh_interval - took, std::chrono::milliseconds(100)),
                     [this] { start(); });
    });
  }

 private:
  Status take(Result<http::ClientResponse> response) {
    VARVE_TRY_ASSIGN(const http::ClientResponse answer, std::move(response));
    if (answer.status != 200) {
      return unavailable(fmt::format("server returned HTTP status {}", answer.status));
    }
    if (!is_json(answer.content_type)) {
      return unavailable(fmt::format("unsupported content type \"{}\"", answer.content_type));
    }
    VARVE_TRY_ASSIGN(std::vector<model::TargetGroup> groups, read_json_groups(answer.body));
    const std::size_t count = groups.size();
    mark_groups(groups, options_.url, "__meta_url");
    add_ended(groups, options_.url, count, groups_);
    groups_ = count;
    context_.publish(std::move(groups));
    return {};
  }

  const HttpOptions& options_;
  Context& context_;
  base::Counter& failures_;
  const std::shared_ptr<const http::ClientOptions> client_;
  std::size_t groups_ = 0;  // published
};

}  // namespace

std::unique_ptr<Source> create_http_source(const HttpOptions& options, Context& context) {
  return std::make_unique<HttpSource>(options, context);
}

}  // namespace varve::discovery
