// SPDX-License-Identifier: Apache-2.0
// What libcurl reports, in the words of Go's HTTP client: operators and their alerts know those.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::http {

struct FailedTransfer {
  int curl_code = 0;        // CURLcode
  int os_errno = 0;         // of the connect, 0 if unknown
  std::string_view method;  // of the request
  std::string_view url;
  std::string_view address;  // "127.0.0.1:9100", the last one tried; may be empty
  std::string_view host;     // of the URL or of the proxy, for look-ups
  std::string_view detail;   // libcurl's own sentence
};

// `Get "http://…": dial tcp 127.0.0.1:1: connect: connection refused`
Error client_error(const FailedTransfer& failed);

// `Get "http://user:xxxxx@host/"`: as Go begins such texts, without the password.
std::string request_words(std::string_view method, std::string_view url);

}  // namespace varve::http
