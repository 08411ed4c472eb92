// SPDX-License-Identifier: Apache-2.0
#include "http/server_tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/try.h"
#include "fs/file_system.h"

namespace varve::http {
namespace {

constexpr std::size_t kPemMaxBytes = std::size_t{1} << 20;

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<&BIO_free_all>>;
using CertPtr = std::unique_ptr<X509, Freer<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<&EVP_PKEY_free>>;

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

std::string openssl_reason() {
  const char* reason = ::ERR_reason_error_string(::ERR_peek_last_error());
  ::ERR_clear_error();
  return reason == nullptr ? "not usable" : reason;
}

BioPtr bio_of(const std::string& pem) {
  return BioPtr(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Result<std::string> content(const std::string& inline_pem, const std::string& file,
                            std::string_view what, fs::FileSystem& files) {
  if (file.empty()) return inline_pem;
  auto read = files.read_file(file, kPemMaxBytes);
  if (read.ok()) return read;
  return invalid(fmt::format("failed to read {} ({}): {}", what, file, read.error().message()));
}

// The certificate with those that lead to its authority.
Status use_certificate(SSL_CTX* context, const std::string& pem) {
  const BioPtr bio = bio_of(pem);
  const CertPtr own(::PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (!own || ::SSL_CTX_use_certificate(context, own.get()) != 1) {
    return invalid("failed to load X509KeyPair: certificate: " + openssl_reason());
  }
  while (X509* next = ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (::SSL_CTX_add0_chain_cert(context, next) != 1) {
      ::X509_free(next);
      return invalid("failed to load X509KeyPair: certificate chain: " + openssl_reason());
    }
  }
  ::ERR_clear_error();  // "no more certificates"
  return {};
}

Status use_key(SSL_CTX* context, const std::string& pem) {
  const BioPtr bio = bio_of(pem);
  // A key under a password is refused: nobody is there to type it.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const KeyPtr key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key || ::SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1) {
    return invalid("failed to load X509KeyPair: private key: " + openssl_reason());
  }
  return {};
}

Status trust_clients_of(SSL_CTX* context, const std::string& pem) {
  const BioPtr bio = bio_of(pem);
  bool found = false;
  while (X509* read = ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    const CertPtr authority(read);
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context), authority.get());
    ::SSL_CTX_add_client_CA(context, authority.get());
    found = true;
  }
  ::ERR_clear_error();
  return found ? Status() : invalid("client_ca: no certificate in it");
}

Result<int> version_of(const std::string& name) {
  constexpr std::pair<std::string_view, int> kVersions[] = {{"TLS10", TLS1_VERSION},
                                                            {"TLS11", TLS1_1_VERSION},
                                                            {"TLS12", TLS1_2_VERSION},
                                                            {"TLS13", TLS1_3_VERSION}};
  for (const auto& [known, version] : kVersions) {
    if (known == name) return version;
  }
  return invalid("unknown TLS version: " + name);
}

Status restrict_ciphers(SSL_CTX* context, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  ::SSL_CTX_set_cipher_list(context, "ALL");
  const STACK_OF(SSL_CIPHER)* all = ::SSL_CTX_get_ciphers(context);
  std::string chosen;
  for (const std::string& name : names) {
    const SSL_CIPHER* found = nullptr;
    for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
      const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(all, i);
      const char* standard = ::SSL_CIPHER_standard_name(cipher);
      if (standard != nullptr && name == standard) found = cipher;
    }
    if (found == nullptr) return invalid("unknown cipher: " + name);
    // As in Go, the suites of TLS 1.3 are not for choosing.
    if (std::string_view(::SSL_CIPHER_get_version(found)) == "TLSv1.3") continue;
    chosen += (chosen.empty() ? "" : ":") + std::string(::SSL_CIPHER_get_name(found));
  }
  if (!chosen.empty() && ::SSL_CTX_set_cipher_list(context, chosen.c_str()) != 1) {
    return invalid("cipher_suites: " + openssl_reason());
  }
  return {};
}

Status restrict_curves(SSL_CTX* context, const std::vector<std::string>& names) {
  constexpr std::pair<std::string_view, std::string_view> kCurves[] = {
      {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};
  std::string chosen;
  for (const std::string& name : names) {
    const auto at = std::find_if(std::begin(kCurves), std::end(kCurves),
                                 [&](const auto& curve) { return curve.first == name; });
    if (at == std::end(kCurves)) return invalid("unknown curve: " + name);
    chosen.append(chosen.empty() ? "" : ":").append(at->second);
  }
  if (!chosen.empty() && ::SSL_CTX_set1_groups_list(context, chosen.c_str()) != 1) {
    return invalid("curve_preferences: " + openssl_reason());
  }
  return {};
}

// How clients show who they are.
struct ClientAuth {
  int mode = SSL_VERIFY_NONE;
  bool any = false;  // whoever signed the certificate
};

Result<ClientAuth> client_auth_of(const std::string& type) {
  if (type.empty() || type == "NoClientCert") return ClientAuth{};
  if (type == "RequestClientCert") return ClientAuth{SSL_VERIFY_PEER, true};
  if (type == "RequireAnyClientCert" || type == "RequireClientCert") {
    return ClientAuth{SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, true};
  }
  if (type == "VerifyClientCertIfGiven") return ClientAuth{SSL_VERIFY_PEER, false};
  if (type == "RequireAndVerifyClientCert") {
    return ClientAuth{SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, false};
  }
  return invalid("invalid ClientAuth: " + type);
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(::ASN1_STRING_length(text))};
}

// A subject alternative name as text; "" for kinds that have none.
std::string text_of(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return text_of(name->d.dNSName);
    case GEN_EMAIL:
      return text_of(name->d.rfc822Name);
    case GEN_URI:
      return text_of(name->d.uniformResourceIdentifier);
    case GEN_IPADD: {
      const std::string bytes = text_of(name->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> buffer{};
      const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
      if (bytes.size() != 4 && bytes.size() != 16) return {};
      ::inet_ntop(family, bytes.data(), buffer.data(), buffer.size());
      return buffer.data();
    }
    default:
      return {};
  }
}

}  // namespace

Result<std::shared_ptr<const ServerTls>> ServerTls::create(const TlsServerOptions& options,
                                                           fs::FileSystem& files) {
  if (options.cert.empty() && options.cert_file.empty()) {
    return invalid("missing one of cert or cert_file");
  }
  if (options.key.empty() && options.key_file.empty()) {
    return invalid("missing one of key or key_file");
  }
  const std::shared_ptr<ServerTls> tls(new ServerTls());
  tls->context_ = ::SSL_CTX_new(::TLS_server_method());
  if (tls->context_ == nullptr) return Error(ErrorCode::kInternal, "TLS: " + openssl_reason());
  VARVE_TRY_ASSIGN(const std::string cert,
                   content(options.cert, options.cert_file, "cert_file", files));
  VARVE_TRY_ASSIGN(const std::string key,
                   content(options.key, options.key_file, "key_file", files));
  VARVE_TRY(use_certificate(tls->context_, cert));
  VARVE_TRY(use_key(tls->context_, key));
  VARVE_TRY_ASSIGN(const int lowest, version_of(options.min_version));
  VARVE_TRY_ASSIGN(const int highest, version_of(options.max_version));
  ::SSL_CTX_set_min_proto_version(tls->context_, lowest);
  ::SSL_CTX_set_max_proto_version(tls->context_, highest);
  ::SSL_CTX_set_options(tls->context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  VARVE_TRY(restrict_ciphers(tls->context_, options.cipher_suites));
  VARVE_TRY(restrict_curves(tls->context_, options.curve_preferences));
  VARVE_TRY_ASSIGN(const ClientAuth clients, client_auth_of(options.client_auth_type));
  const bool has_authority = !options.client_ca.empty() || !options.client_ca_file.empty();
  if (has_authority && clients.mode == SSL_VERIFY_NONE) {
    return invalid("client CA's have been configured without a Client Auth Policy");
  }
  if (has_authority) {
    VARVE_TRY_ASSIGN(const std::string authority,
                     content(options.client_ca, options.client_ca_file, "client_ca_file", files));
    VARVE_TRY(trust_clients_of(tls->context_, authority));
  }
  const auto accept_all = [](int, X509_STORE_CTX*) { return 1; };
  ::SSL_CTX_set_verify(tls->context_, clients.mode,
                       clients.any ? static_cast<SSL_verify_cb>(accept_all) : nullptr);
  // Sessions that are resumed need a name to belong to when clients are verified.
  static constexpr std::string_view kSessions = "varve";
  ::SSL_CTX_set_session_id_context(tls->context_,
                                   reinterpret_cast<const unsigned char*>(kSessions.data()),
                                   static_cast<unsigned>(kSessions.size()));
  tls->allowed_sans_ = options.client_allowed_sans;
  return std::shared_ptr<const ServerTls>(tls);
}

ServerTls::~ServerTls() { ::SSL_CTX_free(context_); }

bool ServerTls::allows(ssl_st* connection) const {
  if (allowed_sans_.empty()) return true;
  const CertPtr peer(::SSL_get1_peer_certificate(connection));
  if (!peer) return false;
  auto* names = static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(peer.get(), NID_subject_alt_name, nullptr, nullptr));
  bool allowed = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const std::string name = text_of(sk_GENERAL_NAME_value(names, i));
    if (name.empty()) continue;
    allowed = allowed ||
              std::find(allowed_sans_.begin(), allowed_sans_.end(), name) != allowed_sans_.end();
  }
  ::GENERAL_NAMES_free(names);
  return allowed;
}

}  // namespace varve::http
