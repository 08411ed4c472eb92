// SPDX-License-Identifier: Apache-2.0
// OAuth 2, client credentials grant (RFC 6749, 4.4): the request for a token and its answer. Pure;
// who sends it and keeps the token is the client.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "http/client_options.h"
#include "varve/result.h"

namespace varve::http {

struct Token {
  std::string type;  // "Bearer", as it stands before the token in a header
  std::string value;
  std::chrono::seconds lifetime{};  // 0: it does not say
};

// The form that asks for a token. `in_body`: the id and the secret stand in the form, for servers
// that do not take them in the Authorization header.
std::string token_form(const OAuth2Options& options, std::string_view secret, bool in_body);
// User and password of the Authorization header, escaped as the RFC asks.
std::string token_user(const OAuth2Options& options);
std::string token_password(std::string_view secret);

// The token of an answer. kUnavailable with what the server said if it is none.
Result<Token> parse_token(int status, std::string_view body);

}  // namespace varve::http
