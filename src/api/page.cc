// SPDX-License-Identifier: Apache-2.0
// The page at "/": what runs here and where to go from it, without scripts.
#include <fmt/format.h>

#include "api/call.h"
#include "api/routes.h"
#include "storage/db.h"

namespace varve::api {
namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

constexpr std::string_view kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;"
    "color:#1d2433;background:#fff}code,pre{background:#f0f2f6;border-radius:4px;padding:.1em .3em}"
    "pre{padding:.7em;overflow:auto}a{color:#0b5cad}dl{display:grid;grid-template-columns:max-content "
    "1fr;gap:.2rem 1.2rem}dd{margin:0}input{font:inherit;width:70%;padding:.3em}"
    "@media(prefers-color-scheme:dark){body{color:#dde3ee;background:#12161f}code,pre{"
    "background:#1e2431}a{color:#7db8ff}input{background:#1e2431;color:inherit;border:1px solid #445}}";

void page(const CallPtr& call) {
  const std::string prefix = escape_html(call->options.route_prefix);
  const std::string title = escape_html(call->options.page_title);
  std::string body = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{0}</title>"
      "<style>{1}</style></head><body><h1>{0}</h1>",
      title, kStyle);
  if (call->storage == nullptr) {
    body += "<p><strong>Starting:</strong> the write-ahead log is being replayed.</p>";
  } else {
    const storage::HeadStats stats = call->storage->stats(1);
    body += fmt::format(
        "<dl><dt>Version</dt><dd>{}</dd><dt>Series</dt><dd>{}</dd><dt>Label pairs</dt><dd>{}</dd>"
        "</dl>",
        escape_html(call->services.build.version), stats.series_count, stats.label_pair_count);
  }
  body += fmt::format(
      "<h2>Ask</h2><form action=\"{0}/api/v1/query\"><input name=\"query\" value=\"up\" "
      "aria-label=\"PromQL expression\"> <button>Query</button></form>"
      "<h2>Look</h2><ul><li><a href=\"{0}/api/v1/targets\">Targets</a></li>"
      "<li><a href=\"{0}/api/v1/status/tsdb\">Cardinality</a></li>"
      "<li><a href=\"{0}/api/v1/status/config\">Configuration</a></li>"
      "<li><a href=\"{0}/api/v1/status/flags\">Flags</a></li>"
      "<li><a href=\"{0}/metrics\">Metrics of Varve itself</a></li></ul>"
      "<h2>Connect</h2><p>Prometheus, vmagent: remote-write to <code>{0}/api/v1/write</code>. "
      "Grafana: a data source of type Prometheus with this address.</p></body></html>",
      prefix);
  http::Response response;
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");
  response.body = std::move(body);
  call->exchange->send(std::move(response));
}

constexpr Route kRoutes[] = {
    {"GET", "/", Kind::kWorker, page},
};

}  // namespace

std::span<const Route> page_routes() { return kRoutes; }

}  // namespace varve::api
