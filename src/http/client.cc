// SPDX-License-Identifier: Apache-2.0
// One thread, woken by epoll: plain requests go over connections of its own (client_plain.h), all
// others by libcurl's multi interface: with ten thousand requests under way, of
// which most wait, looking at all of them at every turn would be most of the work. There are many
// multi handles, because libcurl walks all connections of one for every request: ten thousand in
// one cost 65 % of a core at 1,000 requests a second, in 128 of them next to nothing.
#include "http/client.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "http/client_error.h"
#include "http/client_plain.h"
#include "http/client_transfer.h"
#include "http/oauth2.h"

namespace varve::http {
namespace {

using std::chrono::steady_clock;

// Multi handles; a host's requests all go through one of them, where its connections are.
constexpr std::size_t kShards = 128;
// Idle connections kept in each; beyond, the oldest is closed.
constexpr long kIdleConnectionsMax = 500;
// Easy handles kept for the next request.
constexpr std::size_t kIdleHandlesMax = 256;
constexpr std::size_t kTokenAnswerMaxBytes = 1 << 20;
constexpr std::chrono::seconds kTokenTimeout{10};
// Tokens of different settings; beyond, all are asked for anew.
constexpr std::size_t kTokensMax = 10'000;
// A token is renewed this long before its end, as Go does.
constexpr std::chrono::seconds kTokenMargin{10};

Error canceled(const ClientRequest& request) {
  return Error(ErrorCode::kCanceled,
               fmt::format("{}: context canceled", request_words(request.method, request.url)));
}

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

class CurlClient final : public Client {
 public:
  explicit CurlClient(fs::FileSystem& files)
      : files_(files),
        environment_(ProxyEnvironment::read([](const char* name) {
          const char* value = std::getenv(name);
          return std::string(value == nullptr ? "" : value);
        })),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        plain_(epoll_.get(), kPlainNumber << 32,
               {[](TransferPtr transfer, Result<ClientResponse> outcome) {
                  transfer->done(std::move(outcome));
                },
                [this](TransferPtr transfer) { begin_with_curl(std::move(transfer)); }}) {}

  Status start() {
    if (epoll_.get() < 0 || wake_.get() < 0) {
      return Error(ErrorCode::kUnavailable, "http client: no descriptors left");
    }
    for (Shard& shard : shards_) shard.client = this;
    watch(wake_.get(), EPOLL_CTL_ADD, EPOLLIN, nullptr);
    thread_ = std::thread([this] { run(); });
    return {};
  }

  ~CurlClient() override {
    if (thread_.joinable()) {
      {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
      }
      wake();
      thread_.join();
    }
    idle_.clear();
    for (const Shard& shard : shards_) ::curl_multi_cleanup(shard.multi);
  }

  void fetch(ClientRequest request, std::function<void(Result<ClientResponse>)> done) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    transfer->begin = steady_clock::now();
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      transfer->id = next_id_++;
      first = queue_.empty();
      queue_.push_back(std::move(transfer));
    }
    if (first) wake();
  }

 private:
  // A multi handle, which is made when it is first needed, as it takes 64 KiB. The address of this
  // is libcurl's context and epoll's.
  struct Shard {
    CurlClient* client = nullptr;
    CURLM* multi = nullptr;
    steady_clock::time_point due = steady_clock::time_point::max();  // when libcurl wants a turn
  };

  // The token of one set of settings, and who waits for it.
  struct TokenState {
    std::optional<Token> token;
    steady_clock::time_point ends;
    bool in_body = false;  // where this server wants the credentials
    bool fetching = false;
    std::vector<TransferPtr> waiting;
  };

  static int on_socket(CURL*, curl_socket_t socket, int what, void* context, void* known) {
    auto& shard = *static_cast<Shard*>(context);
    if (what == CURL_POLL_REMOVE) {
      shard.client->watch(socket, EPOLL_CTL_DEL, 0, nullptr);
      ::curl_multi_assign(shard.multi, socket, nullptr);
      return 0;
    }
    std::uint32_t events = 0;
    if ((what & CURL_POLL_IN) != 0) events |= EPOLLIN;
    if ((what & CURL_POLL_OUT) != 0) events |= EPOLLOUT;
    shard.client->watch(socket, known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, events, &shard);
    ::curl_multi_assign(shard.multi, socket, context);  // anything but null: it is being watched
    return 0;
  }

  static int on_timer(CURLM*, long timeout_ms, void* context) {
    auto& shard = *static_cast<Shard*>(context);
    shard.due = timeout_ms < 0 ? steady_clock::time_point::max()
                               : steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    return 0;
  }

  // epoll's word for a descriptor holds both it and its shard, whose number is 0 for none, and one
  // beyond all shards for plain connections.
  static constexpr std::uint64_t kPlainNumber = kShards + 1;
  void watch(int fd, int operation, std::uint32_t events, const Shard* shard) {
    const std::uint64_t number =
        shard == nullptr ? 0 : static_cast<std::uint64_t>(shard - shards_.data()) + 1;
    epoll_event event{};
    event.events = events;
    event.data.u64 = number << 32 | static_cast<std::uint32_t>(fd);
    const int rc = ::epoll_ctl(epoll_.get(), operation, fd, &event);
    // libcurl may have closed a descriptor, and been given its number again, between two words.
    if (rc != 0 && operation == EPOLL_CTL_MOD) ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
    if (rc != 0 && operation == EPOLL_CTL_ADD) ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  }

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  }

  void run() {
    base::name_this_thread("http-client");
    // OpenSSL writes to sockets without MSG_NOSIGNAL; a peer that hangs up must not end the
    // process.
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    std::array<epoll_event, 256> events{};
    while (take_queue()) {
      take_turns();
      const int count =
          ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
      for (int i = 0; i < count; ++i) take_event(events[static_cast<std::size_t>(i)]);
      plain_.expire(steady_clock::now());
      end_waiting();
    }
    cancel_all();
  }

  // Gives libcurl the turns it has asked for.
  void take_turns() {
    const auto now = steady_clock::now();
    for (Shard& shard : shards_) {
      if (now < shard.due) continue;
      shard.due = steady_clock::time_point::max();
      int running = 0;
      ::curl_multi_socket_action(shard.multi, CURL_SOCKET_TIMEOUT, 0, &running);
      finish_all(shard);
    }
  }

  void take_event(const epoll_event& event) {
    const std::uint64_t number = event.data.u64 >> 32;
    if (number == 0) {
      std::uint64_t times = 0;
      [[maybe_unused]] const auto bytes = ::read(wake_.get(), &times, sizeof times);
      return;
    }
    if (number == kPlainNumber) {
      plain_.take_event(static_cast<int>(event.data.u64 & 0xffffffff));
      return;
    }
    Shard& shard = shards_[number - 1];
    const int what = ((event.events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
                     ((event.events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                     ((event.events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    int running = 0;
    ::curl_multi_socket_action(shard.multi, static_cast<curl_socket_t>(event.data.u64 & 0xffffffff),
                               what, &running);
    finish_all(shard);
  }

  int wait_ms() const {
    auto due = plain_.due();
    for (const Shard& shard : shards_) due = std::min(due, shard.due);
    if (waiting_count_ > 0)
      due = std::min(due, steady_clock::now() + std::chrono::milliseconds(100));
    if (due == steady_clock::time_point::max()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(due - steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  // What is to carry the request; null if libcurl can make none.
  CURLM* multi_of(const ClientRequest& request) {
    Shard& shard = shard_of(request);
    if (shard.multi != nullptr) return shard.multi;
    shard.multi = ::curl_multi_init();
    if (shard.multi == nullptr) return nullptr;
    ::curl_multi_setopt(shard.multi, CURLMOPT_MAXCONNECTS, kIdleConnectionsMax);
    ::curl_multi_setopt(shard.multi, CURLMOPT_SOCKETFUNCTION, &on_socket);
    ::curl_multi_setopt(shard.multi, CURLMOPT_SOCKETDATA, &shard);
    ::curl_multi_setopt(shard.multi, CURLMOPT_TIMERFUNCTION, &on_timer);
    ::curl_multi_setopt(shard.multi, CURLMOPT_TIMERDATA, &shard);
    return shard.multi;
  }

  // By scheme, host and port.
  Shard& shard_of(const ClientRequest& request) {
    const std::string_view url = request.url;
    const auto authority = url.find("://");
    const auto end =
        authority == std::string_view::npos ? authority : url.find_first_of("/?#", authority + 3);
    return shards_[std::hash<std::string_view>()(url.substr(0, end)) % kShards];
  }

  // False once the client is being destroyed.
  bool take_queue() {
    std::vector<TransferPtr> fresh;
    std::set<std::uint64_t> stopped;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      fresh.swap(queue_);
      stopped.swap(stopped_);
    }
    end_stopped(stopped);
    for (auto& transfer : fresh) {
      const auto& options = transfer->request.options;
      if (options != nullptr && options->oauth2) {
        begin_with_token(std::move(transfer));
      } else {
        begin(std::move(transfer));
      }
    }
    return true;
  }

  // Stopped by those who asked. What waits for a token ends in end_waiting().
  void end_stopped(const std::set<std::uint64_t>& ids) {
    if (ids.empty()) return;
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      if (!ids.contains(at->second->id)) {
        ++at;
        continue;
      }
      TransferPtr transfer = std::move(at->second);
      at = under_way_.erase(at);
      ::curl_multi_remove_handle(transfer->multi, transfer->easy.get());
      put_away(std::move(transfer->easy));
      transfer->done(canceled(transfer->request));
    }
  }

  void begin(TransferPtr transfer) {
    if (transfer->request.cancel.stop_requested()) {
      transfer->done(canceled(transfer->request));
      return;
    }
    static const ClientOptions plain;
    const ClientRequest& request = transfer->request;
    const ProxyOptions& proxy = request.options != nullptr ? request.options->proxy : plain.proxy;
    if (!plain_.fits(*transfer, proxy_for(request.url, proxy, environment_))) {
      begin_with_curl(std::move(transfer));
      return;
    }
    const auto lines = header_lines(*transfer, files_);
    if (!lines.ok()) {
      transfer->done(with_request_words(request, lines.error()));
      return;
    }
    plain_.begin(std::move(transfer), *lines);
  }

  void begin_with_curl(TransferPtr transfer) {
    if (idle_.empty()) {
      transfer->easy.reset(::curl_easy_init());
    } else {
      transfer->easy = std::move(idle_.back());
      idle_.pop_back();
    }
    VARVE_CHECK(transfer->easy != nullptr);
    CURL* const easy = transfer->easy.get();
    const Status set = set_up(*transfer, files_, environment_);
    if (!set.ok()) {
      put_away(std::move(transfer->easy));
      transfer->done(set.error());
      return;
    }
    transfer->multi = multi_of(transfer->request);
    if (transfer->multi == nullptr || ::curl_multi_add_handle(transfer->multi, easy) != CURLM_OK) {
      transfer->done(Error(ErrorCode::kInternal, "http client: a request could not be started"));
      return;
    }
    Transfer& begun = *under_way_.emplace(easy, std::move(transfer)).first->second;
    if (!begun.request.cancel.stop_possible()) return;
    begun.on_cancel.emplace(begun.request.cancel, [this, id = begun.id] {
      {
        const std::lock_guard lock(mutex_);
        stopped_.insert(id);
      }
      wake();
    });
  }

  void put_away(Easy easy) {
    if (idle_.size() >= kIdleHandlesMax) return;
    ::curl_easy_reset(easy.get());
    idle_.push_back(std::move(easy));
  }

  void finish_all(const Shard& shard) {
    int left = 0;
    while (const CURLMsg* const message = ::curl_multi_info_read(shard.multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = under_way_.find(message->easy_handle);
      TransferPtr transfer = std::move(found->second);
      under_way_.erase(found);
      ::curl_multi_remove_handle(transfer->multi, transfer->easy.get());
      transfer->on_cancel.reset();
      if (code == CURLE_OK) {
        Result<bool> redirected = redirect(*transfer);
        if (!redirected.ok() || *redirected) {
          put_away(std::move(transfer->easy));
          if (redirected.ok()) {
            begin(std::move(transfer));
          } else {
            transfer->done(std::move(redirected).error());
          }
          continue;
        }
      }
      Result<ClientResponse> outcome = result_of(*transfer, code);
      put_away(std::move(transfer->easy));
      transfer->response.lease.reset();  // of a failed one; the other has gone with its body
      transfer->done(std::move(outcome));
    }
  }

  // With OAuth 2 a request waits for its token, if there is none that still holds.
  void begin_with_token(TransferPtr transfer) {
    const auto options = transfer->request.options;  // outlives the token's request
    auto secret = read_secret(options->oauth2->client_secret, files_, "oauth2 client secret");
    if (!secret.ok()) {
      transfer->done(with_request_words(transfer->request, secret.error()));
      return;
    }
    const OAuth2Options& oauth = *options->oauth2;
    std::string key = fmt::format("{}\n{}\n{}\n{}\n{}\n", oauth.token_url, oauth.client_id, *secret,
                                  fmt::join(oauth.scopes, " "), oauth.tls.server_name);
    for (const auto& [name, value] : oauth.endpoint_params) key += name + '=' + value + '\n';
    if (tokens_.size() >= kTokensMax && !tokens_.contains(key)) forget_tokens();
    TokenState& state = tokens_[key];
    if (state.token && steady_clock::now() < state.ends) {
      transfer->authorization = state.token->type + " " + state.token->value;
      begin(std::move(transfer));
      return;
    }
    state.waiting.push_back(std::move(transfer));
    ++waiting_count_;
    // The token is for all who wait for it and those to come: its time is its own, not that of the
    // one who happened to be first and may have a tenth of a second.
    if (!state.fetching) fetch_token(key, options, *secret, steady_clock::now() + kTokenTimeout);
  }

  void forget_tokens() {
    std::erase_if(tokens_, [](const auto& entry) {
      return !entry.second.fetching && entry.second.waiting.empty();
    });
  }

  void fetch_token(const std::string& key, const std::shared_ptr<const ClientOptions>& options,
                   const std::string& secret, steady_clock::time_point deadline) {
    TokenState& state = tokens_[key];
    state.fetching = true;
    const OAuth2Options& oauth = *options->oauth2;
    auto transport = std::make_shared<ClientOptions>();
    transport->tls = oauth.tls;
    transport->proxy = oauth.proxy;
    transport->headers = options->headers;
    if (!state.in_body) {
      transport->basic_auth = BasicAuthOptions{token_user(oauth), {}, {token_password(secret), {}}};
    }
    auto transfer = std::make_unique<Transfer>();
    transfer->begin = steady_clock::now();
    ClientRequest& request = transfer->request;
    request.method = "POST";
    request.url = oauth.token_url;
    request.body = token_form(oauth, secret, state.in_body);
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Accept", "application/json"}};
    request.timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - transfer->begin);
    request.body_max_bytes = kTokenAnswerMaxBytes;
    request.options = std::move(transport);
    transfer->done = [this, key, options, secret, deadline](Result<ClientResponse> response) {
      take_token(key, options, secret, deadline, std::move(response));
    };
    begin(std::move(transfer));
  }

  void take_token(const std::string& key, const std::shared_ptr<const ClientOptions>& options,
                  const std::string& secret, steady_clock::time_point deadline,
                  Result<ClientResponse> response) {
    TokenState& state = tokens_[key];
    state.fetching = false;
    Result<Token> token = [&]() -> Result<Token> {
      if (!response.ok()) return response.error();
      return parse_token(response->status, response->body);
    }();
    const bool refused = response.ok() && response->status >= 400 && response->status < 500;
    if (refused && !state.in_body && steady_clock::now() < deadline) {
      state.in_body = true;  // some servers take the credentials only there
      fetch_token(key, options, secret, deadline);
      return;
    }
    if (!token.ok()) state.in_body = false;
    std::vector<TransferPtr> waiting = std::move(state.waiting);
    state.waiting.clear();
    waiting_count_ -= waiting.size();
    if (token.ok()) {
      state.ends = token->lifetime.count() > 0
                       ? steady_clock::now() + token->lifetime - kTokenMargin
                       : steady_clock::time_point::max();
      state.token = *std::move(token);
    }
    for (TransferPtr& transfer : waiting) {
      if (token.ok()) {
        transfer->authorization = state.token->type + " " + state.token->value;
        begin(std::move(transfer));
      } else {
        transfer->done(with_request_words(transfer->request, token.error()));
      }
    }
  }

  // Ends requests that have waited for a token beyond their own time.
  void end_waiting() {
    if (waiting_count_ == 0) return;
    const auto now = steady_clock::now();
    std::vector<TransferPtr> late;
    for (auto& [key, state] : tokens_) {
      const auto first_late =
          std::partition(state.waiting.begin(), state.waiting.end(),
                         [now](const TransferPtr& t) {
                           return now < t->deadline() && !t->request.cancel.stop_requested();
                         });
      std::move(first_late, state.waiting.end(), std::back_inserter(late));
      state.waiting.erase(first_late, state.waiting.end());
    }
    waiting_count_ -= late.size();
    for (const TransferPtr& transfer : late) {
      if (transfer->request.cancel.stop_requested()) {
        transfer->done(canceled(transfer->request));
        continue;
      }
      transfer->done(with_request_words(transfer->request,
                                        Error(ErrorCode::kTimeout, "context deadline exceeded")));
    }
  }

  void cancel_all() {
    for (const TransferPtr& transfer : plain_.take_all())
      transfer->done(canceled(transfer->request));
    // A token's request that is cancelled ends those that wait for it, which begins none: the
    // token it brings is an error.
    while (!under_way_.empty()) {
      const auto first = under_way_.begin();
      TransferPtr transfer = std::move(first->second);
      under_way_.erase(first);
      transfer->on_cancel.reset();
      ::curl_multi_remove_handle(transfer->multi, transfer->easy.get());
      transfer->done(canceled(transfer->request));
    }
    for (auto& [key, state] : tokens_) {
      for (const TransferPtr& transfer : state.waiting) transfer->done(canceled(transfer->request));
    }
    tokens_.clear();
    for (;;) {  // a callback may have asked for more
      std::vector<TransferPtr> never_begun;
      {
        const std::lock_guard lock(mutex_);
        never_begun.swap(queue_);
      }
      if (never_begun.empty()) return;
      for (auto& transfer : never_begun) transfer->done(canceled(transfer->request));
    }
  }

  fs::FileSystem& files_;
  const ProxyEnvironment environment_;
  const Descriptor epoll_;
  const Descriptor wake_;
  std::mutex mutex_;  // guards what follows, up to stopping_
  std::vector<TransferPtr> queue_;
  std::set<std::uint64_t> stopped_;  // ids of transfers to be cancelled
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
  // The client's thread alone:
  PlainConnections plain_;
  std::array<Shard, kShards> shards_;
  std::unordered_map<CURL*, TransferPtr> under_way_;
  std::vector<Easy> idle_;
  std::map<std::string, TokenState> tokens_;
  std::size_t waiting_count_ = 0;  // over all tokens
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(fs::FileSystem& files) {
  static const CURLcode global = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (global != CURLE_OK) {
    return Error(ErrorCode::kInternal, fmt::format("libcurl: {}", ::curl_easy_strerror(global)));
  }
  auto client = std::make_unique<CurlClient>(files);
  VARVE_TRY(client->start());
  return std::unique_ptr<Client>(std::move(client));
}

}  // namespace varve::http
