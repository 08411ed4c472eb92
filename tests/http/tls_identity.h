// SPDX-License-Identifier: Apache-2.0
// Certificates for tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

namespace varve::http::testing {

inline std::string pem_of(void (*write)(BIO*, void*), void* object) {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  write(bio, object);
  char* data = nullptr;
  const auto size = static_cast<std::size_t>(::BIO_get_mem_data(bio, &data));
  std::string pem(data, size);
  ::BIO_free(bio);
  return pem;
}

struct Identity {
  std::string cert, key;
};

// A certificate that signs itself.
inline Identity make_identity(const std::string& alternative_names) {
  EVP_PKEY* key = ::EVP_EC_gen("P-256");
  X509* cert = ::X509_new();
  ::X509_set_version(cert, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(cert), 1);
  ::X509_gmtime_adj(::X509_getm_notBefore(cert), -3600);
  ::X509_gmtime_adj(::X509_getm_notAfter(cert), 24 * 3600);
  ::X509_set_pubkey(cert, key);
  X509_NAME* name = ::X509_get_subject_name(cert);
  ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  ::X509_set_issuer_name(cert, name);
  X509_EXTENSION* names =
      ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_names.c_str());
  ::X509_add_ext(cert, names, -1);
  ::X509_EXTENSION_free(names);
  ::X509_sign(cert, key, ::EVP_sha256());
  Identity identity;
  identity.cert =
      pem_of([](BIO* bio, void* x) { ::PEM_write_bio_X509(bio, static_cast<X509*>(x)); }, cert);
  identity.key = pem_of(
      [](BIO* bio, void* k) {
        ::PEM_write_bio_PrivateKey(bio, static_cast<EVP_PKEY*>(k), nullptr, nullptr, 0, nullptr,
                                   nullptr);
      },
      key);
  ::X509_free(cert);
  ::EVP_PKEY_free(key);
  return identity;
}

}  // namespace varve::http::testing
