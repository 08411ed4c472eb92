// SPDX-License-Identifier: Apache-2.0
#include "http/oauth2.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/percent_encode.h"

namespace varve::http {
namespace {

// What of an unusable answer is shown.
constexpr std::size_t kShownMax = 300;

Error unusable(std::string message) { return Error(ErrorCode::kUnavailable, std::move(message)); }

// Both numbers and numbers as strings are about.
std::chrono::seconds lifetime_of(const nlohmann::json& answer) {
  const auto found = answer.find("expires_in");
  if (found == answer.end()) return {};
  constexpr double kMax = 10.0 * 365 * 86400;
  double seconds = 0;
  if (found->is_number()) {
    seconds = found->get<double>();
  } else if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return std::chrono::seconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, kMax)));
}

}  // namespace

std::string token_form(const OAuth2Options& options, std::string_view secret, bool in_body) {
  std::map<std::string, std::string> fields = options.endpoint_params;
  fields["grant_type"] = "client_credentials";
  if (!options.scopes.empty()) fields["scope"] = fmt::format("{}", fmt::join(options.scopes, " "));
  if (in_body) {
    fields["client_id"] = options.client_id;
    if (!secret.empty()) fields["client_secret"] = secret;
  }
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += base::query_escape(name);
    out += '=';
    out += base::query_escape(value);
  }
  return out;
}

std::string token_user(const OAuth2Options& options) {
  return base::query_escape(options.client_id);
}
std::string token_password(std::string_view secret) { return base::query_escape(secret); }

Result<Token> parse_token(int status, std::string_view body) {
  if (status < 200 || status > 299) {
    return unusable(fmt::format("oauth2: cannot fetch token: {}\nResponse: {}", status,
                                body.substr(0, kShownMax)));
  }
  const nlohmann::json answer = nlohmann::json::parse(body, nullptr, false);
  if (!answer.is_object()) return unusable("oauth2: cannot parse json");
  const auto text = [&](const char* key) {
    const auto found = answer.find(key);
    return found != answer.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Token token;
  token.value = text("access_token");
  if (token.value.empty()) return unusable("oauth2: server response missing access_token");
  if (token.value.find_first_of("\r\n") != std::string::npos) {
    return unusable("oauth2: the access_token has line breaks");
  }
  token.type = text("token_type");
  std::string kind = token.type;
  for (char& c : kind) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  if (kind.empty() || kind == "bearer") token.type = "Bearer";
  if (kind == "mac") token.type = "MAC";
  if (kind == "basic") token.type = "Basic";
  if (token.type.find_first_of("\r\n") != std::string::npos) token.type = "Bearer";
  token.lifetime = lifetime_of(answer);
  return token;
}

}  // namespace varve::http
