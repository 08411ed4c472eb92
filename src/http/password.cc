// SPDX-License-Identifier: Apache-2.0
#include "http/password.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>

namespace varve::http {

Status check_bcrypt(std::string_view hash) {
  // $2y$10$ and 53 characters; the version's letter may be missing.
  const auto error = [](std::string_view what) {
    return Error(ErrorCode::kInvalidArgument, "crypto/bcrypt: " + std::string(what));
  };
  if (hash.size() < 59) return error("hashedSecret too short to be a bcrypted password");
  if (hash[0] != '$') return error("bcrypt hashes must start with '$'");
  if (hash[1] != '2') return error("bcrypt algorithm version is newer than '2'");
  const std::string_view after = hash.substr(hash[2] == '$' ? 3 : 4);
  const bool digits = after[0] >= '0' && after[0] <= '9' && after[1] >= '0' && after[1] <= '9';
  const int cost = digits ? (after[0] - '0') * 10 + (after[1] - '0') : 0;
  if (!digits || cost < 4 || cost > 31 || after[2] != '$') {
    return error("the cost of a hash is a number from 4 to 31");
  }
  return {};
}

bool password_fits(const std::string& password, const std::string& hash) {
  const auto data = std::make_unique<crypt_data>();
  const char* computed = ::crypt_r(password.c_str(), hash.c_str(), data.get());
  if (computed == nullptr || computed[0] == '*') return false;
  const std::string_view got = computed;
  return got.size() == hash.size() && ::CRYPTO_memcmp(got.data(), hash.data(), got.size()) == 0;
}

}  // namespace varve::http
