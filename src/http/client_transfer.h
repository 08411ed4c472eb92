// SPDX-License-Identifier: Apache-2.0
// Inside http/: one exchange as libcurl carries it. Includes libcurl's header; only client*.cc do.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "http/client.h"
#include "http/no_proxy.h"

namespace varve::http {

struct EasyDeleter {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
struct ListDeleter {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// One request under way. Used on the client's thread only, once it has been queued; libcurl keeps
// pointers into it, so it does not move.
struct Transfer {
  ClientRequest request;
  std::function<void(Result<ClientResponse>)> done;
  std::chrono::steady_clock::time_point begin;

  ClientResponse response;
  std::string received;  // the body as sent
  std::string content_encoding;
  std::string address;  // the last one that a connection was tried to
  std::size_t header_bytes = 0;
  bool body_too_large = false;
  bool headers_too_large = false;

  std::array<char, CURL_ERROR_SIZE> detail{};
  HeaderList headers, proxy_headers, connect_to;
  std::string proxy;  // "" for none
  Easy easy;
  CURLM* multi = nullptr;  // what carries it

  std::chrono::steady_clock::time_point deadline() const { return begin + request.timeout; }
};

// Prepares `easy` for the request. `authorization` goes into the header of that name, in place of
// what the options say. Reads secrets, certificates and keys from files; an error's text is
// complete.
Status set_up(Transfer& transfer, const std::optional<std::string>& authorization,
              fs::FileSystem& files, const ProxyEnvironment& environment);

// What an exchange that libcurl has ended with `code` means.
Result<ClientResponse> result_of(Transfer& transfer, CURLcode code);

// The secret, from its file if it stands in one. `what` names it in the error.
Result<std::string> read_secret(const SecretSource& source, fs::FileSystem& files,
                                std::string_view what);

// `Get "http://…": <error>`, with the error's code.
Error with_request_words(const ClientRequest& request, const Error& error);

}  // namespace varve::http
