// SPDX-License-Identifier: Apache-2.0
// The server behind TLS, users and headers, asked by the client of the same room.
#include "http/web_access.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include "fs/real_fs.h"
#include "http/client.h"
#include "http/password.h"
#include "http/server_tls.h"
#include "server_fixture.h"
#include "tls_identity.h"

namespace varve::http {
namespace {

using testing::Identity;
using testing::make_identity;

// bcrypt of "secret".
const std::string kSecretHash = "$2y$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u";

struct Guarded {
  explicit Guarded(WebOptions initial) : options(std::move(initial)) {
    auto created = WebAccess::create(
        [this]() -> Result<WebOptions> {
          const std::lock_guard lock(mutex);
          return options;
        },
        files, log);
    REQUIRE(created.ok());
    access = std::move(created).value();
    ServerOptions server_options;
    server_options.tls = [this] { return access->tls(); };
    fixture = std::make_unique<testing::ServerFixture>(access->guard(testing::echo),
                                                       std::move(server_options));
    auto made = Client::create(files);
    REQUIRE(made.ok());
    client = std::move(made).value();
  }
  ~Guarded() {
    fixture->server.reset();
    access.reset();
  }

  Result<ClientResponse> get(ClientOptions with, const std::string& scheme) {
    ClientRequest request;
    request.url = scheme + "://127.0.0.1:" + std::to_string(fixture->port) + "/x";
    request.options = std::make_shared<const ClientOptions>(std::move(with));
    std::promise<Result<ClientResponse>> answered;
    client->fetch(std::move(request), [&](Result<ClientResponse> response) {
      answered.set_value(std::move(response));
    });
    return answered.get_future().get();
  }
  int status(const std::string& user, const std::string& password) {
    ClientOptions with;
    with.basic_auth = BasicAuthOptions{user, "", {password, ""}};
    const auto response = get(std::move(with), "http");
    return response.ok() ? response->status : 0;
  }

  std::mutex mutex;  // guards options
  WebOptions options;
  fs::RealFs files;
  base::SystemClock clock;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [](std::string_view) {}};
  std::unique_ptr<WebAccess> access;
  std::unique_ptr<testing::ServerFixture> fixture;
  std::unique_ptr<Client> client;
};

TEST_CASE("web access: only users with their passwords come in", "[http][web_access]") {
  WebOptions options;
  options.users = {{"u", kSecretHash}};
  Guarded guarded(options);
  const auto anonymous = guarded.get({}, "http");
  REQUIRE(anonymous.ok());
  CHECK(anonymous->status == 401);
  CHECK(guarded.status("u", "secret") == 200);
  CHECK(guarded.status("u", "secret") == 200);  // remembered
  CHECK(guarded.status("u", "wrong") == 401);
  CHECK(guarded.status("nobody", "secret") == 401);
}

TEST_CASE("web access: too many requests are turned away", "[http][web_access]") {
  WebOptions options;
  options.rate_interval = std::chrono::hours(1);
  options.rate_burst = 2;
  Guarded guarded(options);
  CHECK(guarded.get({}, "http")->status == 200);
  CHECK(guarded.get({}, "http")->status == 200);
  CHECK(guarded.get({}, "http")->status == 429);
}

TEST_CASE("web access: over TLS, to clients that trust the certificate", "[http][web_access]") {
  const Identity server = make_identity("IP:127.0.0.1,DNS:localhost");
  WebOptions options;
  options.tls.cert = server.cert;
  options.tls.key = server.key;
  options.headers = {{"X-Frame-Options", "deny"}};
  Guarded guarded(options);
  ClientOptions trusting;
  trusting.tls.ca = server.cert;
  const auto response = guarded.get(trusting, "https");
  REQUIRE(response.ok());
  CHECK(response->status == 200);
  CHECK(response->body == "GET /x? ");
  CHECK(!guarded.get({}, "https").ok());
  CHECK(!guarded.get({}, "http").ok());
}

TEST_CASE("web access: clients must show a certificate with an allowed name",
          "[http][web_access]") {
  const Identity server = make_identity("IP:127.0.0.1");
  const Identity client = make_identity("DNS:client.example");
  WebOptions options;
  options.tls.cert = server.cert;
  options.tls.key = server.key;
  options.tls.client_ca = client.cert;
  options.tls.client_auth_type = "RequireAndVerifyClientCert";
  const bool allowed = GENERATE(true, false);
  options.tls.client_allowed_sans = {allowed ? "client.example" : "other.example"};
  Guarded guarded(options);
  ClientOptions with;
  with.tls.ca = server.cert;
  CHECK(!guarded.get(with, "https").ok());
  with.tls.cert = client.cert;
  with.tls.key = client.key;
  CHECK(guarded.get(with, "https").ok() == allowed);
}

TEST_CASE("web access: what is wrong with options is said as Prometheus says it",
          "[http][web_access]") {
  fs::RealFs files;
  const auto refusal = [&](const WebOptions& options) {
    const Status checked = check(options, files);
    return checked.ok() ? std::string() : checked.error().message();
  };
  WebOptions options;
  CHECK(refusal(options).empty());
  options.users = {{"u", "plain"}};
  CHECK(refusal(options) == "crypto/bcrypt: hashedSecret too short to be a bcrypted password");
  options = {};
  options.headers = {{"X-Other", "1"}};
  CHECK(refusal(options) == "HTTP header \"X-Other\" can not be configured");
  options.headers = {{"X-Frame-Options", "allow"}};
  CHECK(refusal(options) ==
        "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: "
        "\"allow\"");
  options = {};
  options.tls.key_file = "/nonexistent";
  CHECK(refusal(options) == "missing one of cert or cert_file");
  options.tls.cert_file = "/nonexistent";
  CHECK(refusal(options).starts_with("failed to read cert_file (/nonexistent): "));
  const Identity one = make_identity("DNS:a"), other = make_identity("DNS:b");
  options = {};
  options.tls.cert = one.cert;
  options.tls.key = other.key;
  CHECK(refusal(options).starts_with("failed to load X509KeyPair: private key: "));
  options.tls.key = one.key;
  CHECK(refusal(options).empty());
  options.tls.client_auth_type = "Maybe";
  CHECK(refusal(options) == "invalid ClientAuth: Maybe");
  options.tls.client_auth_type = "";
  options.tls.client_ca = other.cert;
  CHECK(refusal(options) == "client CA's have been configured without a Client Auth Policy");
  options.tls.client_ca = "";
  options.tls.min_version = "TLS9";
  CHECK(refusal(options) == "unknown TLS version: TLS9");
  options.tls.min_version = "TLS12";
  options.tls.cipher_suites = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  options.tls.curve_preferences = {"X25519"};
  CHECK(refusal(options).empty());
  options.tls.cipher_suites = {"NONE"};
  CHECK(refusal(options) == "unknown cipher: NONE");
}

TEST_CASE("passwords: bcrypt of all its letters, nothing else", "[http][web_access]") {
  CHECK(check_bcrypt(kSecretHash).ok());
  CHECK(password_fits("secret", kSecretHash));
  CHECK(!password_fits("Secret", kSecretHash));
  CHECK(!password_fits("secret", "nonsense"));
  std::string other = kSecretHash;
  other[2] = 'b';
  CHECK(password_fits("secret", other));
}

}  // namespace
}  // namespace varve::http
