// SPDX-License-Identifier: Apache-2.0
// Bodies are received as sent and decompressed here, whole, by content_coding (libdeflate, twice as
// fast as libcurl's zlib); both sizes count against the request's bound.
#include "http/client_transfer.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/ascii_case.h"
#include "base/try.h"
#include "fs/file_system.h"
#include "http/client_error.h"
#include "http/content_coding.h"

namespace varve::http {
namespace {

// Go follows this many, too.
constexpr long kRedirectsMax = 10;
// All headers of all answers to one request; below libcurl's own bound, whose words are worse.
constexpr std::size_t kHeadersMaxBytes = 256 << 10;
// The first room a body without Content-Length gets.
constexpr std::size_t kBodyStartBytes = 16 << 10;
constexpr std::uint64_t kSecretMaxBytes = 1 << 20;
constexpr std::string_view kHeadersTooLarge =
    "net/http: server response headers exceeded 262144 bytes; aborted";
constexpr std::string_view kOverBudget = "too many bytes of answers are in memory";

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.request.on_body) {
    long status = 0;
    ::curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
      transfer.taker_refused = !transfer.request.on_body({data, size});
      return transfer.taker_refused ? 0 : size;
    }
  }
  curl_off_t announced = -1;
  if (transfer.received.empty()) {
    ::curl_easy_getinfo(transfer.easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  }
  return take_body(transfer, {data, size}, announced) ? size : 0;
}

// The value of a header line if it has this name (in small letters, with its colon).
std::optional<std::string> header_value(std::string_view line, std::string_view name) {
  if (line.size() <= name.size()) return std::nullopt;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] | 0x20) : line[i];
    if (c != name[i]) return std::nullopt;
  }
  const std::string_view value = line.substr(name.size());
  const auto first = value.find_first_not_of(" \t\r\n");
  const auto last = value.find_last_not_of(" \t\r\n");
  if (first == std::string_view::npos) return std::string();
  return std::string(value.substr(first, last - first + 1));
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size);
  transfer.header_bytes += size;
  if (transfer.header_bytes > kHeadersMaxBytes) {
    transfer.headers_too_large = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {  // the headers of a redirect's target replace its own
    transfer.content_encoding.clear();
    transfer.received.clear();
    transfer.response.answer_header.clear();
    transfer.location.clear();
    return size;
  }
  if (auto coding = header_value(line, "content-encoding:")) {
    transfer.content_encoding = *std::move(coding);
  }
  if (auto location = header_value(line, "location:")) transfer.location = *std::move(location);
  const std::string& wanted = transfer.request.answer_header;
  if (wanted.empty()) return size;
  if (auto value = header_value(line, wanted + ':')) {
    transfer.response.answer_header = *std::move(value);
  }
  return size;
}

// Opens the socket as libcurl would, but remembers where to, for the error's text.
curl_socket_t on_open_socket(void* context, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(context);
  std::array<char, INET6_ADDRSTRLEN> text{};
  char* const out = text.data();
  if (address->family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address->addr);
    ::inet_ntop(AF_INET, &v4->sin_addr, out, text.size());
    transfer.address = fmt::format("{}:{}", out, ntohs(v4->sin_port));
  } else if (address->family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address->addr);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, out, text.size());
    transfer.address = fmt::format("[{}]:{}", out, ntohs(v6->sin6_port));
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

struct UrlDeleter {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, UrlDeleter>;

// "" if the URL has no such part.
std::string url_part(const Url& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  std::string out = text;
  ::curl_free(text);
  return out;
}

Url parse_url(const std::string& text) {
  Url url(::curl_url());
  ::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_GUESS_SCHEME);
  return url;
}

HeaderList header_list(const std::vector<std::string>& lines) {
  curl_slist* list = nullptr;
  for (const std::string& line : lines) list = ::curl_slist_append(list, line.c_str());
  return HeaderList(list);
}

// ";" is how libcurl is told of a header without a value.
std::string header_line(std::string_view name, std::string_view value) {
  return value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value);
}

void set_callbacks(Transfer& transfer) {
  CURL* const easy = transfer.easy.get();
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.detail.data());
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &on_open_socket);
  ::curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  ::curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
}

void set_method_and_body(Transfer& transfer) {
  CURL* const easy = transfer.easy.get();
  const ClientRequest& request = transfer.request;
  if (request.method == "HEAD") {
    ::curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method == "GET" && request.body.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    ::curl_easy_setopt(easy, CURLOPT_POST, 1L);
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    if (request.method != "POST") {
      ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }
}

// server_name: TLS greets and verifies that name, while the URL's host is connected to and sent as
// Host. libcurl knows it as a URL with the name and a detour to the host; the detour would be lost
// on a redirect, which redirect() follows therefore.
void set_server_name(Transfer& transfer, const std::string& name,
                     std::vector<std::string>& header_lines) {
  const Url url = parse_url(transfer.request.url);
  const std::string host = url_part(url, CURLUPART_HOST);
  const std::string port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  ::curl_url_set(url.get(), CURLUPART_HOST, name.c_str(), 0);
  ::curl_easy_setopt(transfer.easy.get(), CURLOPT_URL, url_part(url, CURLUPART_URL).c_str());
  transfer.connect_to.reset(
      ::curl_slist_append(nullptr, fmt::format("{}:{}:{}:{}", name, port, host, port).c_str()));
  ::curl_easy_setopt(transfer.easy.get(), CURLOPT_CONNECT_TO, transfer.connect_to.get());
  // As libcurl sends it by itself: without the port that https has anyway.
  header_lines.push_back(port == "443" ? fmt::format("Host: {}", host)
                                       : fmt::format("Host: {}:{}", host, port));
}

Result<std::string> read_trimmed(const std::string& file, fs::FileSystem& files,
                                 std::string_view what) {
  auto content = files.read_file(file, kSecretMaxBytes);
  if (!content.ok()) {
    return std::move(content).error().with(
        fmt::format("unable to read {}: unable to read file {}", what, file));
  }
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  content->erase(content->find_last_not_of(kBlank) + 1);
  content->erase(0, content->find_first_not_of(kBlank));
  return content;
}

// A part of the TLS settings, in place or from its file. As bytes, not as a path: libcurl keeps
// stores and connections by path, and would go on with what the file said before.
Status set_pem(CURL* easy, std::initializer_list<CURLoption> to, const std::string& value,
               const std::string& file, std::string_view what, fs::FileSystem& files) {
  std::string content = value;
  if (!file.empty()) {
    auto read = files.read_file(file, kSecretMaxBytes * 4);
    if (!read.ok()) {
      return std::move(read).error().with(
          fmt::format("unable to load specified {} {}", what, file));
    }
    content = *std::move(read);
  }
  if (content.empty()) return {};
  curl_blob blob{content.data(), content.size(), CURL_BLOB_COPY};
  for (const CURLoption option : to) ::curl_easy_setopt(easy, option, &blob);
  return {};
}

// libcurl's number for "TLS10" … "TLS13", 0 for "".
long tls_version(std::string_view name) {
  if (name == "TLS10") return CURL_SSLVERSION_TLSv1_0;
  if (name == "TLS11") return CURL_SSLVERSION_TLSv1_1;
  if (name == "TLS12") return CURL_SSLVERSION_TLSv1_2;
  if (name == "TLS13") return CURL_SSLVERSION_TLSv1_3;
  return 0;
}

// For the target and, as in Go, for a proxy that is reached by TLS.
Status set_tls(CURL* easy, const TlsOptions& tls, fs::FileSystem& files) {
  VARVE_TRY(set_pem(easy, {CURLOPT_CAINFO_BLOB, CURLOPT_PROXY_CAINFO_BLOB}, tls.ca, tls.ca_file,
                    "CA cert", files));
  if (!tls.ca.empty() || !tls.ca_file.empty()) {
    // Only the given authorities then, not the system's as well.
    ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    ::curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, nullptr);
  }
  VARVE_TRY(set_pem(easy, {CURLOPT_SSLCERT_BLOB, CURLOPT_PROXY_SSLCERT_BLOB}, tls.cert,
                    tls.cert_file, "client cert", files));
  VARVE_TRY(set_pem(easy, {CURLOPT_SSLKEY_BLOB, CURLOPT_PROXY_SSLKEY_BLOB}, tls.key, tls.key_file,
                    "client key", files));
  // Go's least is 1.2. The maximum is the same number, sixteen bits up.
  const long least = tls.min_version.empty() ? tls_version("TLS12") : tls_version(tls.min_version);
  const long versions = least | tls_version(tls.max_version) << 16;
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, versions);
  ::curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, versions);
  if (tls.insecure_skip_verify) {
    for (const CURLoption check : {CURLOPT_SSL_VERIFYPEER, CURLOPT_SSL_VERIFYHOST,
                                   CURLOPT_PROXY_SSL_VERIFYPEER, CURLOPT_PROXY_SSL_VERIFYHOST}) {
      ::curl_easy_setopt(easy, check, 0L);
    }
  }
  return {};
}

}  // namespace

std::string proxy_for(const std::string& url_text, const ProxyOptions& options,
                      const ProxyEnvironment& environment) {
  if (!options.from_environment && options.no_proxy.empty()) return options.url;
  const Url url = parse_url(url_text);
  const std::string& no_proxy = options.from_environment ? environment.no_proxy : options.no_proxy;
  if (matches_no_proxy(url_part(url, CURLUPART_HOST),
                       url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT), no_proxy)) {
    return {};
  }
  if (!options.from_environment) return options.url;
  return url_part(url, CURLUPART_SCHEME) == "https" ? environment.https : environment.http;
}

namespace {

void set_proxy(Transfer& transfer, const ProxyOptions& options,
               const ProxyEnvironment& environment) {
  CURL* const easy = transfer.easy.get();
  transfer.proxy = proxy_for(transfer.request.url, options, environment);
  // Set even if empty: what the environment says is not libcurl's to decide.
  ::curl_easy_setopt(easy, CURLOPT_PROXY, transfer.proxy.c_str());
  ::curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
  ::curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  if (transfer.proxy.empty() || options.connect_headers.empty()) return;
  std::vector<std::string> lines;
  for (const auto& [name, values] : options.connect_headers) {
    for (const std::string& value : values) lines.push_back(header_line(name, value));
  }
  transfer.proxy_headers = header_list(lines);
  ::curl_easy_setopt(easy, CURLOPT_PROXYHEADER, transfer.proxy_headers.get());
}

Status set_basic_auth(CURL* easy, const BasicAuthOptions& options, fs::FileSystem& files) {
  const SecretSource name{options.username, options.username_file};
  VARVE_TRY_ASSIGN(const std::string user, read_secret(name, files, "basic auth username"));
  VARVE_TRY_ASSIGN(const std::string password,
                   read_secret(options.password, files, "basic auth password"));
  ::curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
  ::curl_easy_setopt(easy, CURLOPT_USERNAME, user.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PASSWORD, password.c_str());
  return {};
}

Status add_headers(const std::map<std::string, HeaderOptions>& headers, fs::FileSystem& files,
                   std::vector<std::string>& lines) {
  for (const auto& [name, header] : headers) {
    for (const std::string& value : header.values) lines.push_back(header_line(name, value));
    for (const std::string& value : header.secrets) lines.push_back(header_line(name, value));
    for (const std::string& file : header.files) {
      VARVE_TRY_ASSIGN(const std::string value, read_trimmed(file, files, "headers file"));
      if (value.find_first_of("\r\n") != std::string::npos) {
        return Error(ErrorCode::kUnavailable,
                     fmt::format("unable to read headers file {}: more than one line", file));
      }
      lines.push_back(header_line(name, value));
    }
  }
  return {};
}

// Credentials, unless a redirect has led away from the host they are for.
Status set_credentials(Transfer& transfer, const ClientOptions& options, fs::FileSystem& files,
                       std::vector<std::string>& lines) {
  if (transfer.anonymous) return {};
  if (transfer.authorization) {
    lines.push_back(header_line("Authorization", *transfer.authorization));
  } else if (options.basic_auth) {
    return set_basic_auth(transfer.easy.get(), *options.basic_auth, files);
  } else if (options.authorization) {
    VARVE_TRY_ASSIGN(
        const std::string credentials,
        read_secret(options.authorization->credentials, files, "authorization credentials"));
    lines.push_back(header_line("Authorization", options.authorization->type + " " + credentials));
  }
  return {};
}

std::vector<std::string> request_lines(const ClientRequest& request) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : request.headers) lines.push_back(header_line(name, value));
  if (request.accept_gzip) lines.emplace_back("Accept-Encoding: gzip");
  return lines;
}

// Whether redirects are followed by redirect(), not by libcurl.
bool follows_itself(const ClientOptions& options) {
  return options.follow_redirects && !options.tls.server_name.empty();
}

Status set_options(Transfer& transfer, fs::FileSystem& files,
                   const ProxyEnvironment& environment) {
  CURL* const easy = transfer.easy.get();
  const ClientRequest& request = transfer.request;
  static const ClientOptions plain;
  const ClientOptions& options = request.options != nullptr ? *request.options : plain;
  ::curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
  ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     options.enable_http2 ? static_cast<long>(CURL_HTTP_VERSION_2TLS)
                                          : static_cast<long>(CURL_HTTP_VERSION_1_1));
  set_callbacks(transfer);
  // What is left of the time after the queue; libcurl takes 0 for no limit.
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      transfer.deadline() - std::chrono::steady_clock::now());
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, std::max<long>(1, left.count()));
  ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max<long>(1, left.count()));
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION,
                     options.follow_redirects && !follows_itself(options) ? 1L : 0L);
  ::curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kRedirectsMax);
  set_method_and_body(transfer);
  set_proxy(transfer, options.proxy, environment);

  std::vector<std::string> lines = request_lines(request);
  lines.emplace_back("Expect:");  // no round trip before a body
  VARVE_TRY(set_credentials(transfer, options, files, lines));
  VARVE_TRY(add_headers(options.headers, files, lines));
  const bool secure = request.url.starts_with("https:");
  // Where a redirect leads, and the proxy, may ask for TLS when the URL does not.
  if (secure || transfer.proxy.starts_with("https:") || options.follow_redirects) {
    VARVE_TRY(set_tls(easy, options.tls, files));
  }
  if (secure && !options.tls.server_name.empty()) {
    set_server_name(transfer, options.tls.server_name, lines);
  }
  transfer.headers = header_list(lines);
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  return {};
}

// kLimitExceeded, whatever libcurl calls what was stopped here.
Error too_large(std::string_view what) {
  return Error(ErrorCode::kLimitExceeded, std::string(what));
}

}  // namespace

bool take_body(Transfer& transfer, std::string_view piece, std::int64_t announced) {
  const std::size_t max_bytes = transfer.request.body_max_bytes;
  if (max_bytes > 0 && transfer.received.size() + piece.size() > max_bytes) {
    transfer.body_too_large = true;
    return false;
  }
  if (transfer.received.empty()) {
    // A length that a server only claims gets no more than a first guess of memory.
    constexpr std::int64_t kBelievedMax = 4 << 20;
    transfer.received.reserve(announced > 0 && announced <= kBelievedMax
                                  ? static_cast<std::size_t>(announced)
                                  : kBodyStartBytes);
  }
  transfer.received.append(piece);
  if (transfer.request.budget == nullptr) return true;
  auto& lease = transfer.response.lease;
  if (lease == nullptr) lease = lease_of(transfer.request.budget);
  transfer.over_budget = !lease->grow_to(transfer.received.capacity());
  return !transfer.over_budget;
}

Result<std::vector<std::string>> header_lines(Transfer& transfer, fs::FileSystem& files) {
  const ClientRequest& request = transfer.request;
  std::vector<std::string> lines = request_lines(request);
  if (request.options != nullptr) {
    VARVE_TRY(set_credentials(transfer, *request.options, files, lines));
    VARVE_TRY(add_headers(request.options->headers, files, lines));
  }
  bool accepts = false;
  for (std::string& line : lines) {
    if (line.ends_with(';') && line.find(':') == std::string::npos) line.back() = ':';
    accepts |= base::equals_in_any_case(std::string_view(line).substr(0, 7), "accept:");
  }
  if (!accepts) lines.emplace_back("Accept: */*");  // as libcurl does
  return lines;
}

Error refusal_of(const Transfer& transfer) {
  if (transfer.body_too_large) return too_large("body size limit exceeded");
  return with_request_words(transfer.request,
                            Error(ErrorCode::kUnavailable, std::string(kOverBudget)));
}

Result<std::string> read_secret(const SecretSource& source, fs::FileSystem& files,
                                std::string_view what) {
  if (source.file.empty()) return source.value;
  return read_trimmed(source.file, files, what);
}

Error with_request_words(const ClientRequest& request, const Error& error) {
  return Error(error.code() == ErrorCode::kTimeout ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
               fmt::format("{}: {}", request_words(request.method, request.url), error.message()));
}

Status decode_body(ClientResponse& response, std::size_t max_bytes, std::string memory) {
  const auto coding = content_coding(response.content_encoding);
  if (!coding.ok() || *coding == ContentCoding::kIdentity || response.body.empty()) return {};
  std::string plain = std::move(memory);
  BodyLease* const lease = response.lease.get();
  const std::size_t packed = lease != nullptr ? lease->bytes() : 0;
  bool over_budget = false;
  MayHold may_hold;
  if (lease != nullptr) {
    may_hold = [&](std::size_t bytes) {
      over_budget = !lease->grow_to(packed + bytes);
      return !over_budget;
    };
  }
  const Status done = decompress(*coding, response.body,
                                 max_bytes > 0 ? max_bytes : plain.max_size() / 2, plain, may_hold);
  if (!done.ok()) {
    if (lease != nullptr) lease->shrink_to(packed);
    if (over_budget) return Error(ErrorCode::kUnavailable, std::string(kOverBudget));
    if (done.error().code() == ErrorCode::kLimitExceeded) {
      return too_large("body size limit exceeded");
    }
    return Error(ErrorCode::kUnavailable, done.error().message());
  }
  response.body = std::move(plain);
  response.content_encoding.clear();
  if (lease != nullptr) lease->shrink_to(response.body.capacity());
  return {};
}

Status set_up(Transfer& transfer, fs::FileSystem& files, const ProxyEnvironment& environment) {
  Status set = set_options(transfer, files, environment);
  if (!set.ok()) return with_request_words(transfer.request, set.error());
  return set;
}

Result<bool> redirect(Transfer& transfer) {
  ClientRequest& request = transfer.request;
  if (request.options == nullptr || !follows_itself(*request.options)) return false;
  long status = 0;
  ::curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool moved = status == 301 || status == 302 || status == 303;
  if ((!moved && status != 307 && status != 308) || transfer.location.empty()) return false;
  if (++transfer.hops > kRedirectsMax) {
    return with_request_words(request,
                              Error(ErrorCode::kUnavailable, "stopped after 10 redirects"));
  }
  const Url from = parse_url(request.url);
  const Url to = parse_url(request.url);
  if (::curl_url_set(to.get(), CURLUPART_URL, transfer.location.c_str(), 0) != CURLUE_OK) {
    return with_request_words(request, Error(ErrorCode::kUnavailable, "malformed Location"));
  }
  for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    if (url_part(from, part, CURLU_DEFAULT_PORT) != url_part(to, part, CURLU_DEFAULT_PORT)) {
      transfer.anonymous = true;
    }
  }
  request.url = url_part(to, CURLUPART_URL);
  const bool asks = request.method == "GET" || request.method == "HEAD";
  if (moved && !asks) {
    request.method = "GET";
    request.body.clear();
  }
  transfer.response = {};
  transfer.received.clear();
  transfer.location.clear();
  transfer.connect_to.reset();
  return true;
}

Result<ClientResponse> result_of(Transfer& transfer, CURLcode code) {
  const ClientRequest& request = transfer.request;
  CURL* const easy = transfer.easy.get();
  if (transfer.body_too_large || transfer.over_budget) return refusal_of(transfer);
  if (transfer.taker_refused) return too_large("the answer comes faster than it is read");
  // One header line beyond libcurl's own bound ends as want of memory.
  if (transfer.headers_too_large || code == CURLE_OUT_OF_MEMORY) {
    return with_request_words(request, too_large(kHeadersTooLarge));
  }
  if (code != CURLE_OK) {
    long os_errno = 0;
    ::curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    const std::string host =
        url_part(parse_url(code == CURLE_COULDNT_RESOLVE_PROXY ? transfer.proxy : request.url),
                 CURLUPART_HOST);
    const std::string_view detail =
        transfer.detail[0] != '\0' ? transfer.detail.data() : ::curl_easy_strerror(code);
    return client_error({.curl_code = code,
                         .os_errno = static_cast<int>(os_errno),
                         .method = request.method,
                         .url = request.url,
                         .address = transfer.address,
                         .host = host,
                         .detail = detail});
  }
  long status = 0;
  ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  const char* content_type = nullptr;
  ::curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
  if (content_type != nullptr) transfer.response.content_type = content_type;
  return response_of(transfer);
}

Result<ClientResponse> response_of(Transfer& transfer) {
  const ClientRequest& request = transfer.request;
  ClientResponse& response = transfer.response;
  response.wire_bytes = transfer.received.size();
  response.body = std::move(transfer.received);
  response.content_encoding = std::move(transfer.content_encoding);
  if (!request.encoded_body) {
    const Status plain = decode_body(response, request.body_max_bytes);
    if (!plain.ok() && plain.error().code() == ErrorCode::kLimitExceeded) return plain.error();
    if (!plain.ok()) return with_request_words(request, plain.error());
  }
  response.duration = std::chrono::steady_clock::now() - transfer.begin;
  return std::move(response);
}

}  // namespace varve::http
