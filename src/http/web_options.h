// SPDX-License-Identifier: Apache-2.0
// How the HTTP server lets clients in: TLS, users, headers. What --web.config.file says.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace varve::http {

// Certificate and key stand here or in files; without any there is no TLS.
struct TlsServerOptions {
  std::string cert, cert_file;
  std::string key, key_file;
  std::string client_ca, client_ca_file;
  // "", NoClientCert, RequestClientCert, RequireAnyClientCert (or RequireClientCert),
  // VerifyClientCertIfGiven, RequireAndVerifyClientCert.
  std::string client_auth_type;
  std::vector<std::string> client_allowed_sans;  // not empty: the client's certificate has one
  std::string min_version = "TLS12", max_version = "TLS13";
  std::vector<std::string> cipher_suites;      // IANA's names; empty: the library's choice
  std::vector<std::string> curve_preferences;  // CurveP256, CurveP384, CurveP521, X25519

  bool configured() const {
    return !(cert.empty() && cert_file.empty() && key.empty() && key_file.empty() &&
             client_ca.empty() && client_ca_file.empty() && client_auth_type.empty());
  }
  friend bool operator==(const TlsServerOptions&, const TlsServerOptions&) = default;
};

struct WebOptions {
  TlsServerOptions tls;
  std::map<std::string, std::string> users;    // name to bcrypt hash; empty: everybody
  std::map<std::string, std::string> headers;  // added to every response
  // At most one request per interval on average, `burst` at once; 0: no limit.
  std::chrono::milliseconds rate_interval{};
  std::size_t rate_burst = 0;
};

}  // namespace varve::http
