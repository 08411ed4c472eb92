// SPDX-License-Identifier: Apache-2.0
// libcurl's multi interface on one thread. Bodies are received as sent and decompressed here, whole,
// by content_coding (libdeflate, twice as fast as libcurl's zlib); both sizes count against the
// request's bound.
#include "http/client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/thread_pool.h"
#include "base/try.h"
#include "http/client_error.h"
#include "http/content_coding.h"

namespace varve::http {
namespace {

using Done = std::function<void(Result<ClientResponse>)>;

// Go follows this many, too.
constexpr long kRedirectsMax = 10;
// Idle connections kept over all hosts; beyond, the oldest is closed.
constexpr long kIdleConnectionsMax = 10'000;
// Easy handles kept for the next request.
constexpr std::size_t kIdleHandlesMax = 256;
// The first room a body without Content-Length gets.
constexpr std::size_t kBodyStartBytes = 16 << 10;
constexpr int kPollMs = 1000;

struct EasyDeleter {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
struct ListDeleter {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// One request under way. Used on the client's thread only, once it has been queued.
struct Transfer {
  ClientRequest request;
  Done done;
  ClientResponse response;
  std::string received;  // the body as sent
  std::string content_encoding;
  std::string address;  // the last one that a connection was tried to
  std::chrono::steady_clock::time_point begin;
  bool too_large = false;
  std::array<char, CURL_ERROR_SIZE> detail{};
  HeaderList headers;
  HeaderList connect_to;
  Easy easy;
};

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::size_t max_bytes = transfer.request.body_max_bytes;
  if (max_bytes > 0 && transfer.received.size() + size > max_bytes) {
    transfer.too_large = true;
    return 0;
  }
  if (transfer.received.empty()) {
    curl_off_t announced = -1;
    ::curl_easy_getinfo(transfer.easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    // A length that a server only claims gets no more than a first guess of memory.
    constexpr curl_off_t kBelievedMax = 4 << 20;
    transfer.received.reserve(announced > 0 && announced <= kBelievedMax
                                  ? static_cast<std::size_t>(announced)
                                  : kBodyStartBytes);
  }
  transfer.received.append(data, size);
  return size;
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view line(data, size);
  static constexpr std::string_view kName = "content-encoding:";
  if (line.starts_with("HTTP/")) {  // the headers of a redirect's target replace its own
    transfer.content_encoding.clear();
    transfer.received.clear();
  } else if (line.size() > kName.size()) {
    bool matches = true;
    for (std::size_t i = 0; i < kName.size() && matches; ++i) {
      const char c = line[i] >= 'A' && line[i] <= 'Z' ? static_cast<char>(line[i] | 0x20) : line[i];
      matches = c == kName[i];
    }
    if (matches) {
      std::string_view value = line.substr(kName.size());
      const auto first = value.find_first_not_of(" \t\r\n");
      const auto last = value.find_last_not_of(" \t\r\n");
      transfer.content_encoding =
          first == std::string_view::npos ? "" : value.substr(first, last - first + 1);
    }
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

Error canceled(const ClientRequest& request) {
  return Error(ErrorCode::kCanceled,
               fmt::format("{}: context canceled", request_words(request.method, request.url)));
}

void set_text(CURL* easy, CURLoption option, const std::string& value) {
  if (!value.empty()) ::curl_easy_setopt(easy, option, value.c_str());
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
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    if (request.method != "POST") ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// server_name: TLS greets and verifies that name, while the URL's host is connected to and sent as
// Host. libcurl knows it as a URL with the name and a detour to the host.
void set_server_name(Transfer& transfer, std::vector<std::string>& header_lines) {
  const Url url = parse_url(transfer.request.url);
  const std::string host = url_part(url, CURLUPART_HOST);
  const std::string port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  const std::string& name = transfer.request.server_name;
  ::curl_url_set(url.get(), CURLUPART_HOST, name.c_str(), 0);
  ::curl_easy_setopt(transfer.easy.get(), CURLOPT_URL, url_part(url, CURLUPART_URL).c_str());
  transfer.connect_to.reset(
      ::curl_slist_append(nullptr, fmt::format("{}:{}:{}:{}", name, port, host, port).c_str()));
  ::curl_easy_setopt(transfer.easy.get(), CURLOPT_CONNECT_TO, transfer.connect_to.get());
  header_lines.push_back(fmt::format("Host: {}:{}", host, port));
}

void set_options(Transfer& transfer) {
  CURL* const easy = transfer.easy.get();
  const ClientRequest& request = transfer.request;
  ::curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
  set_callbacks(transfer);
  // What is left of the time after the queue; libcurl takes 0 for no limit.
  const auto queued = std::chrono::steady_clock::now() - transfer.begin;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout - queued);
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, std::max<long>(1, left.count()));
  ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, std::max<long>(1, left.count()));
  ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  ::curl_easy_setopt(easy, CURLOPT_MAXREDIRS, kRedirectsMax);
  set_method_and_body(transfer);

  std::vector<std::string> lines;
  for (const auto& [name, value] : request.headers) {
    // ";" is how libcurl is told of a header without a value.
    lines.push_back(value.empty() ? name + ';' : name + ": " + value);
  }
  if (request.accept_gzip) lines.push_back("Accept-Encoding: gzip");
  lines.push_back("Expect:");  // no round trip before a body
  if (!request.server_name.empty()) set_server_name(transfer, lines);
  curl_slist* list = nullptr;
  for (const std::string& line : lines) list = ::curl_slist_append(list, line.c_str());
  transfer.headers.reset(list);
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);

  if (!request.basic_auth_user.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set_text(easy, CURLOPT_USERNAME, request.basic_auth_user);
    ::curl_easy_setopt(easy, CURLOPT_PASSWORD, request.basic_auth_password.c_str());
  }
  set_text(easy, CURLOPT_CAINFO, request.ca_file);
  set_text(easy, CURLOPT_SSLCERT, request.cert_file);
  set_text(easy, CURLOPT_SSLKEY, request.key_file);
  if (request.insecure_skip_verify) {
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  // Set even if empty: the environment's proxies are not ours to follow.
  ::curl_easy_setopt(easy, CURLOPT_PROXY, request.proxy_url.c_str());
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(CURLM* multi) : multi_(multi) {
    ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
    thread_ = std::thread([this] { run(); });
  }

  ~CurlClient() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    ::curl_multi_wakeup(multi_);
    thread_.join();
    idle_.clear();
    ::curl_multi_cleanup(multi_);
  }

  void fetch(ClientRequest request, Done done) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    transfer->begin = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(transfer));
    }
    ::curl_multi_wakeup(multi_);
  }

 private:
  void run() {
    base::name_this_thread("http-client");
    // OpenSSL writes to sockets without MSG_NOSIGNAL; a peer that hangs up must not end the process.
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (take_queue()) {
      int running = 0;
      ::curl_multi_perform(multi_, &running);
      finish_all();
      ::curl_multi_poll(multi_, nullptr, 0, kPollMs, nullptr);
    }
    cancel_all();
  }

  // False once the client is being destroyed.
  bool take_queue() {
    std::vector<std::unique_ptr<Transfer>> fresh;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      fresh.swap(queue_);
    }
    for (auto& transfer : fresh) begin(std::move(transfer));
    return true;
  }

  void begin(std::unique_ptr<Transfer> transfer) {
    if (idle_.empty()) {
      transfer->easy.reset(::curl_easy_init());
    } else {
      transfer->easy = std::move(idle_.back());
      idle_.pop_back();
    }
    set_options(*transfer);
    CURL* const easy = transfer->easy.get();
    if (::curl_multi_add_handle(multi_, easy) != CURLM_OK) {
      transfer->done(Error(ErrorCode::kInternal, "http client: a request could not be started"));
      return;
    }
    under_way_.emplace(easy, std::move(transfer));
  }

  void finish_all() {
    int left = 0;
    while (const CURLMsg* const message = ::curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = under_way_.find(message->easy_handle);
      std::unique_ptr<Transfer> transfer = std::move(found->second);
      under_way_.erase(found);
      ::curl_multi_remove_handle(multi_, transfer->easy.get());
      Result<ClientResponse> outcome = result_of(*transfer, code);
      if (idle_.size() < kIdleHandlesMax) {
        ::curl_easy_reset(transfer->easy.get());
        idle_.push_back(std::move(transfer->easy));
      }
      transfer->done(std::move(outcome));
    }
  }

  static Result<ClientResponse> result_of(Transfer& transfer, CURLcode code) {
    const ClientRequest& request = transfer.request;
    CURL* const easy = transfer.easy.get();
    if (transfer.too_large) return Error(ErrorCode::kLimitExceeded, "body size limit exceeded");
    if (code != CURLE_OK) {
      long os_errno = 0;
      ::curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
      const std::string host = url_part(
          parse_url(code == CURLE_COULDNT_RESOLVE_PROXY ? request.proxy_url : request.url), CURLUPART_HOST);
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
    ClientResponse& response = transfer.response;
    long status = 0;
    ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    response.status = static_cast<int>(status);
    const char* content_type = nullptr;
    ::curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
    if (content_type != nullptr) response.content_type = content_type;
    response.wire_bytes = transfer.received.size();
    const auto coding = content_coding(transfer.content_encoding);
    if (!coding.ok() || *coding == ContentCoding::kIdentity || transfer.received.empty()) {
      response.body = std::move(transfer.received);  // an unknown coding is the caller's to see
    } else {
      const std::size_t max_bytes =
          request.body_max_bytes > 0 ? request.body_max_bytes : response.body.max_size() / 2;
      const Status plain = decompress(*coding, transfer.received, max_bytes, response.body);
      if (!plain.ok()) {
        if (plain.error().code() == ErrorCode::kLimitExceeded) {
          return Error(ErrorCode::kLimitExceeded, "body size limit exceeded");
        }
        return Error(ErrorCode::kUnavailable,
                     fmt::format("{}: {}", request_words(request.method, request.url),
                                 plain.error().message()));
      }
    }
    response.duration = std::chrono::steady_clock::now() - transfer.begin;
    return std::move(response);
  }

  void cancel_all() {
    for (auto& [easy, transfer] : under_way_) {
      ::curl_multi_remove_handle(multi_, easy);
      transfer->done(canceled(transfer->request));
    }
    under_way_.clear();
    for (;;) {  // a callback may have asked for more
      std::vector<std::unique_ptr<Transfer>> never_begun;
      {
        const std::lock_guard lock(mutex_);
        never_begun.swap(queue_);
      }
      if (never_begun.empty()) return;
      for (auto& transfer : never_begun) transfer->done(canceled(transfer->request));
    }
  }

  CURLM* const multi_;
  std::mutex mutex_;  // guards queue_ and stopping_
  std::vector<std::unique_ptr<Transfer>> queue_;
  bool stopping_ = false;
  // The client's thread alone:
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> under_way_;
  std::vector<Easy> idle_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create() {
  static const CURLcode global = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) {
    return Error(ErrorCode::kInternal, fmt::format("libcurl: {}", ::curl_easy_strerror(global)));
  }
  CURLM* const multi = ::curl_multi_init();
  if (multi == nullptr) return Error(ErrorCode::kInternal, "libcurl: no multi handle");
  return std::unique_ptr<Client>(std::make_unique<CurlClient>(multi));
}

}  // namespace varve::http
