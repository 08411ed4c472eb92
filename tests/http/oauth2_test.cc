// SPDX-License-Identifier: Apache-2.0
#include "http/oauth2.h"

#include <catch2/catch.hpp>

using namespace varve;
using namespace varve::http;

TEST_CASE("oauth2: the form of a token's request", "[http]") {
  OAuth2Options options;
  options.client_id = "id &1";
  options.scopes = {"a", "b"};
  options.endpoint_params = {{"audience", "x/y"}};
  CHECK(token_form(options, "s=", false) ==
        "audience=x%2Fy&grant_type=client_credentials&scope=a+b");
  CHECK(token_form(options, "s=", true) ==
        "audience=x%2Fy&client_id=id+%261&client_secret=s%3D&grant_type=client_credentials&scope=a+"
        "b");
  CHECK(token_user(options) == "id+%261");
}

TEST_CASE("oauth2: what answers mean", "[http]") {
  const auto token =
      parse_token(200, R"({"access_token":"t","token_type":"bearer","expires_in":60})");
  REQUIRE(token.ok());
  CHECK(token->type == "Bearer");
  CHECK(token->value == "t");
  CHECK(token->lifetime == std::chrono::seconds(60));
  CHECK(parse_token(200, R"({"access_token":"t","expires_in":"30"})")->lifetime ==
        std::chrono::seconds(30));
  CHECK(parse_token(200, R"({"access_token":"t","expires_in":-1e300})")->lifetime ==
        std::chrono::seconds(0));
  CHECK(parse_token(401, "no such client").error().message() ==
        "oauth2: cannot fetch token: 401\nResponse: no such client");
  CHECK(parse_token(200, "<html>").error().message() == "oauth2: cannot parse json");
  CHECK(parse_token(200, "{}").error().message() == "oauth2: server response missing access_token");
  CHECK_FALSE(parse_token(200, R"({"access_token":"a\r\nX-Evil: 1"})").ok());
}
