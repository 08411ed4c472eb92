// SPDX-License-Identifier: Apache-2.0
#include "scrape/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/try.h"
#include "fs/file_system.h"

namespace varve::scrape {
namespace {

constexpr std::uint64_t kSecretMaxBytes = 1 << 20;

std::string_view media_type(Protocol protocol) {
  switch (protocol) {
    case Protocol::kPrometheusProto: return "";
    case Protocol::kOpenMetricsText0_0_1: return "application/openmetrics-text;version=0.0.1";
    case Protocol::kOpenMetricsText1_0_0: return "application/openmetrics-text;version=1.0.0";
    case Protocol::kPrometheusText0_0_4: return "text/plain;version=0.0.4";
    case Protocol::kPrometheusText1_0_0: return "text/plain;version=1.0.0";
  }
  return "";
}

std::string trimmed(std::string text) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  text.erase(text.find_last_not_of(kBlank) + 1);
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string::npos ? std::string() : text.substr(begin);
}

Result<std::string> secret(fs::FileSystem& files, const std::string& value,
                           const std::string& file) {
  if (file.empty()) return value;
  auto content = files.read_file(file, kSecretMaxBytes);
  if (!content.ok()) return std::move(content).error().with("unable to read file " + file);
  return trimmed(*std::move(content));
}

Error unimplemented(std::string_view what) {
  return Error(ErrorCode::kUnimplemented,
               fmt::format("{} in a scrape config is not supported yet", what));
}

Status authenticate(const http::ClientOptions& client, fs::FileSystem& files,
                    http::ClientRequest& request) {
  if (client.oauth2) return unimplemented("oauth2");
  if (client.basic_auth) {
    VARVE_TRY_ASSIGN(request.basic_auth_user, secret(files, client.basic_auth->username,
                                                     client.basic_auth->username_file));
    VARVE_TRY_ASSIGN(request.basic_auth_password, secret(files, client.basic_auth->password.value,
                                                         client.basic_auth->password.file));
  }
  if (client.authorization) {
    const http::SecretSource& source = client.authorization->credentials;
    VARVE_TRY_ASSIGN(const std::string credentials, secret(files, source.value, source.file));
    request.headers.emplace_back("Authorization", client.authorization->type + " " + credentials);
  }
  for (const auto& [name, header] : client.headers) {
    for (const std::string& value : header.values) request.headers.emplace_back(name, value);
    for (const std::string& value : header.secrets) request.headers.emplace_back(name, value);
    for (const std::string& file : header.files) {
      VARVE_TRY_ASSIGN(std::string value, secret(files, {}, file));
      request.headers.emplace_back(name, std::move(value));
    }
  }
  return {};
}

}  // namespace

std::string accept_header(const PoolOptions& pool) {
  std::string out;
  // prometheus scrape.go: the first weight is one more than there are protocols, as a tenth.
  std::size_t weight = kProtoFirstProtocols.size() + 1;
  for (const Protocol protocol : pool.protocols) {
    const std::string_view type = media_type(protocol);
    if (!type.empty()) {
      const bool escapes = protocol != Protocol::kPrometheusText0_0_4 &&
                           protocol != Protocol::kOpenMetricsText0_0_1;
      out += type;
      if (escapes) out += fmt::format(";escaping={}", to_string(pool.name_escaping));
      out += fmt::format(";q=0.{},", weight);
    }
    --weight;
  }
  return out + fmt::format("*/*;q=0.{}", weight);
}

Result<http::ClientRequest> scrape_request(const Target& target, const PoolOptions& pool,
                                           std::size_t body_max_bytes, fs::FileSystem& files) {
  const http::ClientOptions& client = pool.client;
  if (!client.tls.ca.empty() || !client.tls.cert.empty() || !client.tls.key.empty()) {
    return unimplemented("tls_config with certificates in place (ca, cert, key)");
  }
  http::ClientRequest request;
  request.url = target.url;
  request.timeout = target.timeout;
  request.body_max_bytes = body_max_bytes;
  request.follow_redirects = client.follow_redirects;
  request.accept_gzip = pool.enable_compression;
  request.ca_file = client.tls.ca_file;
  request.cert_file = client.tls.cert_file;
  request.key_file = client.tls.key_file;
  request.server_name = client.tls.server_name;
  request.insecure_skip_verify = client.tls.insecure_skip_verify;
  request.proxy_url = client.proxy.url;
  request.headers.emplace_back("Accept", accept_header(pool));
  request.headers.emplace_back("User-Agent", "Varve");
  if (!pool.enable_compression) request.headers.emplace_back("Accept-Encoding", "identity");
  request.headers.emplace_back(
      "X-Prometheus-Scrape-Timeout-Seconds",
      fmt::format("{}", static_cast<double>(target.timeout.count()) / 1000));
  VARVE_TRY(authenticate(client, files, request));
  return request;
}

std::string status_text(int status) {
  struct Name {
    int status;
    std::string_view name;
  };
  constexpr std::array<Name, 27> kNames{{{201, "Created"},
                                         {202, "Accepted"},
                                         {204, "No Content"},
                                         {206, "Partial Content"},
                                         {301, "Moved Permanently"},
                                         {302, "Found"},
                                         {303, "See Other"},
                                         {304, "Not Modified"},
                                         {307, "Temporary Redirect"},
                                         {308, "Permanent Redirect"},
                                         {400, "Bad Request"},
                                         {401, "Unauthorized"},
                                         {403, "Forbidden"},
                                         {404, "Not Found"},
                                         {405, "Method Not Allowed"},
                                         {406, "Not Acceptable"},
                                         {408, "Request Timeout"},
                                         {410, "Gone"},
                                         {413, "Request Entity Too Large"},
                                         {418, "I'm a teapot"},
                                         {421, "Misdirected Request"},
                                         {429, "Too Many Requests"},
                                         {500, "Internal Server Error"},
                                         {501, "Not Implemented"},
                                         {502, "Bad Gateway"},
                                         {503, "Service Unavailable"},
                                         {504, "Gateway Timeout"}}};
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [status](const Name& name) { return name.status == status; });
  return found == kNames.end() ? std::to_string(status)
                               : fmt::format("{} {}", status, found->name);
}

}  // namespace varve::scrape
