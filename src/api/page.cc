// SPDX-License-Identifier: Apache-2.0
// What a browser gets: the dashboard's pages and files, and a plain page without scripts where the
// build has no dashboard or storage is not there yet.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "api/call.h"
#include "api/routes.h"
#include "http/content_coding.h"
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
    "pre{padding:.7em;overflow:auto}a{color:#0b5cad}dl{display:grid;grid-template-columns:max-"
    "content "
    "1fr;gap:.2rem 1.2rem}dd{margin:0}input{font:inherit;width:70%;padding:.3em}"
    "@media(prefers-color-scheme:dark){body{color:#dde3ee;background:#12161f}code,pre{"
    "background:#1e2431}a{color:#7db8ff}input{background:#1e2431;color:inherit;border:1px solid "
    "#445}}";

void plain_page(const CallPtr& call) {
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
      "<p>This build has no dashboard: install npm and build again.</p>"
      "<h2>Connect</h2><p>Prometheus, vmagent: remote-write to <code>{0}/api/v1/write</code>. "
      "Grafana: a data source of type Prometheus with this address.</p></body></html>",
      prefix);
  http::Response response;
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'");
  response.body = std::move(body);
  call->exchange->send(std::move(response));
}

// The path under which browsers reach the server: that of the external URL, with a slash at its
// end.
std::string base_path(const Options& options) {
  std::string_view url = options.external_url;
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return options.route_prefix + "/";
  url.remove_prefix(scheme + 3);
  const std::size_t slash = url.find('/');
  std::string path(slash == std::string_view::npos ? std::string_view() : url.substr(slash));
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path + "/";
}

std::string make_nonce() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

// Puts texts in the places of the template.
std::string fill(std::string_view html,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> places) {
  std::string out;
  while (!html.empty()) {
    const std::size_t open = html.find("{{");
    const std::size_t close = open == std::string_view::npos ? open : html.find("}}", open);
    if (close == std::string_view::npos) break;
    out += html.substr(0, open);
    const std::string_view name = html.substr(open + 2, close - open - 2);
    for (const auto& [place, text] : places) {
      if (place == name) out += text;
    }
    html.remove_prefix(close + 2);
  }
  return out += html;
}

// Every page of the dashboard is the same document; what it shows is in its address.
void page(const CallPtr& call) {
  const std::string_view html = call->services.dashboard.index_html;
  if (html.empty()) return plain_page(call);
  const std::string nonce = make_nonce();
  const nlohmann::json options = {{"title", call->options.page_title},
                                  {"version", call->services.build.version},
                                  {"adminApi", call->options.enable_admin},
                                  {"nonce", nonce}};
  http::Response response;
  response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
  response.headers.emplace_back("Cache-Control", "no-cache");
  // The editor makes its style sheets at run time; the nonce lets just these in.
  response.headers.emplace_back(
      "Content-Security-Policy",
      fmt::format(
          "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' "
          "data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors "
          "'self'",
          nonce));
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "same-origin");
  response.body =
      fill(html, {{"base", escape_html(base_path(call->options))},
                  {"title", escape_html(call->options.page_title)},
                  {"options", escape_html(options.dump(
                                  -1, ' ', false, nlohmann::json::error_handler_t::replace))}});
  call->exchange->send(std::move(response));
}

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

// Files are named by their content, so a browser asks for each once.
void asset(const CallPtr& call) {
  const std::string& name = call->path_values.front();
  const DashboardFile file =
      call->services.dashboard.file ? call->services.dashboard.file(name) : DashboardFile();
  if (file.gzip.empty()) return call->text(404, "404 page not found\n");
  http::Response response;
  response.headers.emplace_back("Content-Type", std::string(content_type(name)));
  response.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Vary", "Accept-Encoding");
  response.compressible = false;
  constexpr std::size_t kAssetBytesMax = std::size_t{16} << 20;
  const std::string_view accepted = call->request().header("Accept-Encoding");
  if (!file.brotli.empty() && http::coding_weight(accepted, "br").value_or(0) > 0) {
    response.headers.emplace_back("Content-Encoding", "br");
    response.body = file.brotli;
  } else if (http::coding_weight(accepted, "gzip").value_or(0) > 0) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = file.gzip;
  } else if (!http::gzip_decompress(file.gzip, kAssetBytesMax, response.body).ok()) {
    return call->text(500, "the file is damaged\n");
  }
  call->exchange->send(std::move(response));
}

// The first is home; the others are the dashboard's pages, and Prometheus's addresses of them.
constexpr Route kRoutes[] = {
    {"GET", "/", Kind::kWorker, page},
    {"GET", "/assets/:", Kind::kInline, asset},
    {"GET", "/explore", Kind::kInline, page},
    {"GET", "/graph", Kind::kInline, page},
    {"GET", "/query", Kind::kInline, page},
    {"GET", "/alerts", Kind::kInline, page},
    {"GET", "/rules", Kind::kInline, page},
    {"GET", "/targets", Kind::kInline, page},
    {"GET", "/service-discovery", Kind::kInline, page},
    {"GET", "/cardinality", Kind::kInline, page},
    {"GET", "/tsdb-status", Kind::kInline, page},
    {"GET", "/status", Kind::kInline, page},
    {"GET", "/flags", Kind::kInline, page},
    {"GET", "/config", Kind::kInline, page},
    {"GET", "/runtime-info", Kind::kInline, page},
    {"GET", "/dashboards", Kind::kInline, page},
    {"GET", "/dashboards/:", Kind::kInline, page},
};

}  // namespace

std::span<const Route> page_routes() { return kRoutes; }

}  // namespace varve::api
