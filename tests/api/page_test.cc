// SPDX-License-Identifier: Apache-2.0
// What a browser gets, with the dashboard and without.
#include <catch2/catch.hpp>

#include "api/api_harness.h"
#include "http/content_coding.h"

using namespace varve;
using Catch::Matchers::Contains;

namespace {

std::string header(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return {};
}

const std::string kScript = "console.log(1)";

api::Dashboard small_dashboard() {
  static const std::string gzip = [] {
    std::string out;
    http::gzip_compress(kScript, out);
    return out;
  }();
  return {R"(<base href="{{base}}"><title>{{title}}</title><meta content="{{options}}">)",
          [](std::string_view name) -> api::DashboardFile {
            if (name == "app-1.js") return {gzip, "brotli bytes"};
            if (name == "old-1.js") return {gzip, {}};
            return {};
          }};
}

TEST_CASE("page: a build without the dashboard works and says how to get it", "[api][page]") {
  test::Harness harness;
  const http::Response response = harness.ask("GET", "/");
  CHECK(response.status == 200);
  CHECK_THAT(response.body, Contains("install npm and build again"));
  CHECK_THAT(response.body, Contains("/api/v1/query"));
  CHECK(harness.ask("GET", "/assets/app-1.js").status == 404);
}

TEST_CASE("page: the document carries base, title and options, escaped", "[api][page]") {
  api::Options options;
  options.external_url = "https://host/deep/\"varve";
  options.page_title = "<Lab> & {{base}}";
  test::Harness harness(options, small_dashboard());
  const http::Response response = harness.ask("GET", "/explore");
  CHECK_THAT(response.body, Contains(R"(<base href="/deep/&quot;varve/">)"));
  CHECK_THAT(response.body, Contains("<title>&lt;Lab&gt; &amp; {{base}}</title>"));
  CHECK(header(response, "Cache-Control") == "no-cache");
  CHECK_THAT(header(response, "Content-Security-Policy"), Contains("default-src 'none'"));
}

TEST_CASE("page: a file comes in the best coding that the client accepts", "[api][page]") {
  test::Harness harness({}, small_dashboard());
  const auto ask = [&](const std::string& accepted, const std::string& name) {
    harness.more_headers = {{"Accept-Encoding", accepted}};
    return harness.ask("GET", "/assets/" + name);
  };
  CHECK(ask("gzip, br", "app-1.js").body == "brotli bytes");
  CHECK(header(ask("gzip, br", "app-1.js"), "Content-Encoding") == "br");
  CHECK(header(ask("gzip, br;q=0", "app-1.js"), "Content-Encoding") == "gzip");
  CHECK(header(ask("gzip, br", "old-1.js"), "Content-Encoding") == "gzip");
  for (const char* none : {"", "identity", "gzip;q=0, br;q=0"}) {
    CAPTURE(none);
    CHECK(ask(none, "app-1.js").body == kScript);
    CHECK(header(ask(none, "app-1.js"), "Content-Encoding").empty());
  }
  CHECK_THAT(header(ask("", "app-1.js"), "Cache-Control"), Contains("immutable"));
}

}  // namespace
