// SPDX-License-Identifier: Apache-2.0
// What of ClientOptions reaches the other side: secrets, files, headers, tokens, proxies.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <future>

#include "client_fixture.h"
#include "http/client.h"
#include "server_fixture.h"

namespace varve::http::testing {
namespace {

std::string url(const ServerFixture& fixture, const std::string& path) {
  return "http://127.0.0.1:" + std::to_string(fixture.port) + path;
}

// Answers "authorization|x-own".
void show(ExchangePtr exchange) {
  Response response;
  response.body = std::string(exchange->request().header("Authorization")) + '|' +
                  std::string(exchange->request().header("X-Own"));
  exchange->send(std::move(response));
}

// A file that goes with its folder.
struct ScratchFile {
  ScratchFile() {
    REQUIRE(::mkdtemp(folder) != nullptr);
    path = std::string(folder) + "/secret";
  }
  ~ScratchFile() {
    static_cast<void>(files.remove(path).ok());
    static_cast<void>(files.remove_directory(folder).ok());
  }
  void write(const std::string& content) {
    REQUIRE(files.write_file_atomically(path, content).ok());
  }
  char folder[32] = "/tmp/varve_client_XXXXXX";
  std::string path;
};

}  // namespace

TEST_CASE("http client: credentials and headers come from files, anew for every request",
          "[http]") {
  ServerFixture fixture(show);
  const auto client = make_client();
  ScratchFile file;
  ClientOptions options;
  options.authorization = AuthorizationOptions{"Token", {{}, file.path}};
  options.headers["X-Own"].files = {file.path};
  auto response = fetch(*client, url(fixture, "/m"), options);
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message().find("Get \"" + url(fixture, "/m") +
                                        "\": unable to read authorization credentials: unable to "
                                        "read file " +
                                        file.path) == 0);
  for (const char* secret : {"one", "two"}) {
    file.write(std::string(" ") + secret + "\n");
    response = fetch(*client, url(fixture, "/m"), options);
    REQUIRE(response.ok());
    CHECK(response->body == std::string("Token ") + secret + "|" + secret);
  }
  file.write("a\r\nX-Evil: 1");
  CHECK_FALSE(fetch(*client, url(fixture, "/m"), options).ok());
}

TEST_CASE("http client: a token is fetched once and renewed when it has ended", "[http]") {
  std::atomic<int> asked = 0;
  std::atomic<int> lifetime = 3600;
  std::atomic<bool> header_works = true;
  std::string last_form;
  std::mutex mutex;
  ServerFixture fixture([&](ExchangePtr exchange) {
    const Request& request = exchange->request();
    if (request.path != "/token") return show(std::move(exchange));
    const std::lock_guard lock(mutex);
    ++asked;
    last_form = request.body;
    Response response;
    if (!header_works && !request.header("Authorization").empty()) {
      response.status = 401;
    } else {
      response.body = "{\"access_token\":\"t" + std::to_string(asked) +
                      "\",\"expires_in\":" + std::to_string(lifetime) + "}";
    }
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  ClientOptions options;
  options.oauth2.emplace().client_id = "id";
  options.oauth2->client_secret.value = "secret";
  options.oauth2->token_url = url(fixture, "/token");
  options.oauth2->scopes = {"metrics"};
  SECTION("while it holds it is kept") {
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t1|");
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t1|");
    CHECK(asked == 1);
    CHECK(last_form == "grant_type=client_credentials&scope=metrics");
  }
  SECTION("one that is about to end is not used again") {
    lifetime = 5;
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t1|");
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t2|");
  }
  SECTION("a server that wants the credentials in the form gets them there") {
    header_works = false;
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t2|");
    CHECK(last_form ==
          "client_id=id&client_secret=secret&grant_type=client_credentials&scope=metrics");
  }
  SECTION("a changed secret asks for another token") {
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t1|");
    options.oauth2->client_secret.value = "other";
    CHECK(fetch(*client, url(fixture, "/m"), options)->body == "Bearer t2|");
  }
  SECTION("no token, no request") {
    options.oauth2->token_url = url(fixture, "/m");
    const auto response = fetch(*client, url(fixture, "/m"), options);
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().message() ==
          "Get \"" + url(fixture, "/m") + "\": oauth2: cannot parse json");
  }
}

TEST_CASE("http client: a token's endpoint that hangs takes no more than the request's time",
          "[http]") {
  std::mutex mutex;
  std::vector<ExchangePtr> held;
  ServerFixture fixture([&](ExchangePtr exchange) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(exchange));
  });
  auto client = make_client();
  ClientOptions options;
  options.oauth2.emplace().client_id = "id";
  options.oauth2->token_url = url(fixture, "/token");
  const auto response = fetch(*client, url(fixture, "/m"), options, std::chrono::milliseconds(100));
  REQUIRE_FALSE(response.ok());
  CHECK(response.error().message().find("context deadline exceeded") != std::string::npos);
  client.reset();
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("http client: the first to want a token may be in more of a hurry than the next",
          "[http]") {
  std::mutex mutex;
  ExchangePtr held;
  std::promise<void> asked;
  ServerFixture fixture([&](ExchangePtr exchange) {
    if (exchange->request().path != "/token") return show(std::move(exchange));
    const std::lock_guard lock(mutex);
    held = std::move(exchange);
    asked.set_value();
  });
  auto client = make_client();
  ClientOptions options;
  options.oauth2.emplace().client_id = "id";
  options.oauth2->token_url = url(fixture, "/token");
  CHECK_FALSE(fetch(*client, url(fixture, "/m"), options, std::chrono::milliseconds(100)).ok());
  asked.get_future().wait();
  auto second = std::async(std::launch::async, [&] {
    return fetch(*client, url(fixture, "/m"), options);
  });
  {
    Response response;
    response.headers = {{"Content-Type", "application/json"}};
    response.body = R"({"access_token": "t", "token_type": "Bearer", "expires_in": 3600})";
    const std::lock_guard lock(mutex);
    held->send(std::move(response));
  }
  const auto response = second.get();
  REQUIRE(response.ok());
  CHECK(response->body == "Bearer t|");
}

TEST_CASE("http client: headers have a bound that names them", "[http]") {
  ServerFixture fixture([](ExchangePtr exchange) {
    Response response;
    if (exchange->request().path == "/one") {
      response.headers = {{"X-Long", std::string(5 << 20, 'x')}};
    } else {
      for (int i = 0; i < 2000; ++i) response.headers.push_back({"X-Many", std::string(1000, 'x')});
    }
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  for (const char* path : {"/one", "/many"}) {
    const auto response = fetch(*client, url(fixture, path), {});
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().message() == "Get \"" + url(fixture, path) +
                                            "\": net/http: server response headers exceeded "
                                            "262144 bytes; aborted");
  }
}

TEST_CASE("http client: a body can be left as it was sent", "[http]") {
  const std::string plain(100'000, 'x');
  ServerFixture fixture([&](ExchangePtr exchange) {
    Response response;
    response.body = plain;
    exchange->send(std::move(response));
  });
  const auto client = make_client();
  ClientRequest request;
  request.url = url(fixture, "/");
  request.encoded_body = true;
  auto response = fetch(*client, request);
  REQUIRE(response.ok());
  CHECK(response->content_encoding == "gzip");
  CHECK(response->body.size() < plain.size());
  ClientResponse copy = *response;
  CHECK(decode_body(copy, plain.size() - 1).error().message() == "body size limit exceeded");
  REQUIRE(decode_body(*response, plain.size()).ok());
  CHECK(response->body == plain);
  CHECK(decode_body(*response, plain.size()).ok());
}

TEST_CASE("http client: a proxy is asked for what no_proxy does not exempt", "[http]") {
  std::atomic<int> asked = 0;
  ServerFixture proxy([&](ExchangePtr exchange) {
    ++asked;
    show(std::move(exchange));
  });
  const auto client = make_client();
  ClientOptions options;
  options.proxy.url = url(proxy, "");
  static_cast<void>(fetch(*client, "http://nowhere.invalid/m", options).ok());
  static_cast<void>(fetch(*client, "http://127.0.0.1:1/m", options).ok());
  const int through_proxy = static_cast<int>(
      proxy.metrics
          .counter("net_conntrack_listener_conn_accepted_total", "", {{"listener_name", "http"}})
          .value());
  CHECK(through_proxy >= 1);
  options.proxy.no_proxy = "nowhere.invalid";
  for (const char* target : {"http://nowhere.invalid/m", "http://127.0.0.1:1/m"}) {
    const auto response = fetch(*client, target, options);
    REQUIRE_FALSE(response.ok());
    CHECK(response.error().message().find("dial tcp") != std::string::npos);
  }
}

}  // namespace varve::http::testing
