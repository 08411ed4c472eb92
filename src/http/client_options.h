// SPDX-License-Identifier: Apache-2.0
// How a configured client authenticates and connects: the keys that Prometheus's scrape, alerting,
// remote and discovery sections share. Plain data; whoever sends requests turns it into them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace varve::http {

// A value given in place or in a file that is read anew for every request; at most one is set.
struct SecretSource {
  std::string value;
  std::string file;
  bool empty() const { return value.empty() && file.empty(); }
  friend bool operator==(const SecretSource&, const SecretSource&) = default;
};

struct BasicAuthOptions {
  std::string username;
  std::string username_file;
  SecretSource password;
  friend bool operator==(const BasicAuthOptions&, const BasicAuthOptions&) = default;
};

struct AuthorizationOptions {
  std::string type = "Bearer";
  SecretSource credentials;
  friend bool operator==(const AuthorizationOptions&, const AuthorizationOptions&) = default;
};

// Paths are absolute or relative to the configuration file, and already joined with its folder.
struct TlsOptions {
  std::string ca, ca_file;
  std::string cert, cert_file;
  std::string key, key_file;
  std::string server_name;
  std::string min_version, max_version;  // "TLS10" … "TLS13", "" for the library's default
  bool insecure_skip_verify = false;
  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

struct ProxyOptions {
  std::string url;
  std::string no_proxy;
  bool from_environment = false;
  std::map<std::string, std::vector<std::string>> connect_headers;  // values are secrets
  friend bool operator==(const ProxyOptions&, const ProxyOptions&) = default;
};

struct OAuth2Options {
  std::string client_id;
  SecretSource client_secret;
  std::vector<std::string> scopes;
  std::string token_url;
  std::map<std::string, std::string> endpoint_params;
  TlsOptions tls;
  ProxyOptions proxy;
  friend bool operator==(const OAuth2Options&, const OAuth2Options&) = default;
};

// One entry of http_headers: plain values, then secrets, then the contents of files.
struct HeaderOptions {
  std::vector<std::string> values;
  std::vector<std::string> secrets;
  std::vector<std::string> files;
  friend bool operator==(const HeaderOptions&, const HeaderOptions&) = default;
};

// At most one of basic_auth, authorization and oauth2 is set.
struct ClientOptions {
  std::optional<BasicAuthOptions> basic_auth;
  std::optional<AuthorizationOptions> authorization;
  std::optional<OAuth2Options> oauth2;
  TlsOptions tls;
  ProxyOptions proxy;
  bool follow_redirects = true;
  bool enable_http2 = true;
  std::map<std::string, HeaderOptions> headers;
  friend bool operator==(const ClientOptions&, const ClientOptions&) = default;
};

}  // namespace varve::http
