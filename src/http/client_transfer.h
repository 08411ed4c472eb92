// SPDX-License-Identifier: Apache-2.0
// Inside http/: one exchange as libcurl carries it. Includes libcurl's header; only client*.cc do.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

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
  bool over_budget = false;   // of the request's
  bool taker_refused = false;  // on_body said false
  std::optional<std::string> authorization;  // the header, in place of what the options say
  std::string location;                      // of a redirect
  int hops = 0;                              // redirects followed here, not by libcurl
  bool anonymous = false;                    // a redirect has led to another host: no credentials

  std::array<char, CURL_ERROR_SIZE> detail{};
  HeaderList headers, proxy_headers, connect_to;
  std::string proxy;  // "" for none
  Easy easy;
  CURLM* multi = nullptr;  // what carries it
  std::uint64_t id = 0;
  // Last, so that it goes first: it names this transfer to the client when its request is stopped.
  std::optional<std::stop_callback<std::function<void()>>> on_cancel;

  std::chrono::steady_clock::time_point deadline() const { return begin + request.timeout; }
};

// Prepares `easy` for the request. Reads secrets, certificates and keys from files; an error's text
// is complete.
Status set_up(Transfer& transfer, fs::FileSystem& files, const ProxyEnvironment& environment);

// Turns a transfer that has ended with a redirect, which libcurl was not to follow, into the one
// for where it leads; false if there is nothing to follow. kUnavailable at the eleventh.
Result<bool> redirect(Transfer& transfer);

// What an exchange that libcurl has ended with `code` means.
Result<ClientResponse> result_of(Transfer& transfer, CURLcode code);

// For exchanges without libcurl. The lines of the request's header but for its first and Host; no
// credentials that libcurl makes a header of.
Result<std::vector<std::string>> header_lines(Transfer& transfer, fs::FileSystem& files);
// The proxy for a URL, "" for none.
std::string proxy_for(const std::string& url, const ProxyOptions& options,
                      const ProxyEnvironment& environment);
// A piece of the body; `announced` is its length as far as the server says it, or -1. False, and it
// is noted why, if that is too much.
bool take_body(Transfer& transfer, std::string_view piece, std::int64_t announced);
// The response of an exchange that went well; status and content type stand in it already.
Result<ClientResponse> response_of(Transfer& transfer);
// Precondition: take_body() was false.
Error refusal_of(const Transfer& transfer);

// The secret, from its file if it stands in one. `what` names it in the error.
Result<std::string> read_secret(const SecretSource& source, fs::FileSystem& files,
                                std::string_view what);

// `Get "http://…": <error>`, with the error's code.
Error with_request_words(const ClientRequest& request, const Error& error);

}  // namespace varve::http
