// SPDX-License-Identifier: Apache-2.0
#include "http/client_error.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cctype>
#include <cerrno>

namespace varve::http {
namespace {

// Go's texts for the errors of connect(2).
std::string_view errno_words(int number) {
  switch (number) {
    case ECONNREFUSED:
      return "connection refused";
    case ECONNRESET:
      return "connection reset by peer";
    case EHOSTUNREACH:
      return "no route to host";
    case ENETUNREACH:
      return "network is unreachable";
    case ETIMEDOUT:
      return "connection timed out";
    case EADDRNOTAVAIL:
      return "cannot assign requested address";
    case EACCES:
      return "permission denied";
    default:
      return "";
  }
}

}  // namespace

std::string request_words(std::string_view method, std::string_view url) {
  std::string verb(method);
  for (std::size_t i = 1; i < verb.size(); ++i) {
    verb[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(verb[i])));
  }
  std::string shown(url);
  const auto scheme = shown.find("://");
  if (scheme != std::string::npos) {
    const auto authority = scheme + 3;
    const auto at = shown.find_last_of('@', shown.find_first_of("/?#", authority));
    const auto colon = shown.find(':', authority);
    if (at != std::string::npos && at >= authority && colon < at) {
      shown.replace(colon + 1, at - colon - 1, "xxxxx");
    }
  }
  return fmt::format("{} \"{}\"", verb, shown);
}

Error client_error(const FailedTransfer& failed) {
  const std::string words = request_words(failed.method, failed.url);
  const auto unavailable = [&](std::string_view what) {
    return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", words, what));
  };
  switch (failed.curl_code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Error(ErrorCode::kTimeout, fmt::format("{}: context deadline exceeded", words));
    case CURLE_COULDNT_RESOLVE_HOST:
      return unavailable(fmt::format("dial tcp: lookup {}: no such host", failed.host));
    case CURLE_COULDNT_RESOLVE_PROXY:
      return unavailable(
          fmt::format("proxyconnect tcp: dial tcp: lookup {}: no such host", failed.host));
    case CURLE_COULDNT_CONNECT: {
      const std::string_view reason = errno_words(failed.os_errno);
      return unavailable(fmt::format("dial tcp {}: connect: {}", failed.address,
                                     reason.empty() ? failed.detail : reason));
    }
    case CURLE_GOT_NOTHING:
      return unavailable("EOF");
    case CURLE_PARTIAL_FILE:
      return unavailable("unexpected EOF");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return unavailable(fmt::format(
          "{} tcp {}: {}", failed.curl_code == CURLE_RECV_ERROR ? "read" : "write", failed.address,
          errno_words(failed.os_errno).empty() ? failed.detail : errno_words(failed.os_errno)));
    case CURLE_TOO_MANY_REDIRECTS:
      return unavailable("stopped after 10 redirects");
    case CURLE_UNSUPPORTED_PROTOCOL:
      // libcurl's word also for an answer that does not begin as HTTP does.
      if (failed.detail.find("HTTP/0.9") == std::string_view::npos) {
        return unavailable("unsupported protocol scheme");
      }
      [[fallthrough]];
    case CURLE_WEIRD_SERVER_REPLY:
      return unavailable("net/http: HTTP/1.x transport connection broken: malformed HTTP response");
    case CURLE_URL_MALFORMAT:
      return unavailable("malformed URL");
    case CURLE_PEER_FAILED_VERIFICATION:
      return unavailable(fmt::format("tls: failed to verify certificate: x509: {}", failed.detail));
    case CURLE_SSL_CONNECT_ERROR:
      return unavailable(fmt::format("tls: {}", failed.detail));
    case CURLE_SSL_CACERT_BADFILE:
      return unavailable(fmt::format("unable to load specified CA cert: {}", failed.detail));
    case CURLE_SSL_CERTPROBLEM:
      return unavailable(
          fmt::format("unable to use specified client cert or key: {}", failed.detail));
    default:
      return unavailable(failed.detail);
  }
}

}  // namespace varve::http
