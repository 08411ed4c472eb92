// SPDX-License-Identifier: Apache-2.0
#include "http/web_access.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "http/password.h"
#include "http/server_tls.h"

namespace varve::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kRefreshEvery{1};
// Passwords that wait to be compared; whoever comes after is told to come again.
constexpr std::size_t kComparisonsMax = 100;
// Remembered comparisons of each kind, good and bad: bcrypt takes a tenth of a second, a page many
// requests.
constexpr std::size_t kVerdictsMax = 1000;
// What an unknown user's password is compared with, so that the time does not tell users apart.
constexpr const char* kNobody = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

constexpr std::pair<std::string_view, std::array<std::string_view, 2>> kHeaders[] = {
    {"Strict-Transport-Security", {}},
    {"X-Content-Type-Options", {"nosniff", ""}},
    {"X-Frame-Options", {"deny", "sameorigin"}},
    {"X-XSS-Protection", {}},
    {"Content-Security-Policy", {}}};

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Status check_headers(const std::map<std::string, std::string>& headers) {
  for (const auto& [name, value] : headers) {
    const auto known = std::find_if(std::begin(kHeaders), std::end(kHeaders),
                                    [&](const auto& header) { return header.first == name; });
    if (known == std::end(kHeaders)) {
      return invalid(fmt::format("HTTP header \"{}\" can not be configured", name));
    }
    if (value.find_first_of("\r\n") != std::string::npos) {
      return invalid(fmt::format("HTTP header \"{}\" has a line break", name));
    }
    const auto& allowed = known->second;
    if (allowed[0].empty() || value == allowed[0] || value == allowed[1]) continue;
    return invalid(fmt::format(
        "invalid value for {}. Expected one of: [\"{}\"{}], but got: \"{}\"", name, allowed[0],
        allowed[1].empty() ? "" : fmt::format(" \"{}\"", allowed[1]), value));
  }
  return {};
}

struct Credentials {
  std::string user, password;
};

std::optional<Credentials> credentials_of(const Request& request) {
  std::string_view header = request.header("Authorization");
  constexpr std::string_view kScheme = "basic ";
  if (header.size() < kScheme.size() ||
      !std::equal(kScheme.begin(), kScheme.end(), header.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
      })) {
    return std::nullopt;
  }
  header.remove_prefix(kScheme.size());
  if (header.empty() || header.size() % 4 != 0 || header.size() > 4096) return std::nullopt;
  std::string decoded(header.size() / 4 * 3, '\0');
  const int size = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                                     reinterpret_cast<const unsigned char*>(header.data()),
                                     static_cast<int>(header.size()));
  if (size < 0) return std::nullopt;
  const auto padding = static_cast<std::size_t>(std::count(header.end() - 2, header.end(), '='));
  decoded.resize(static_cast<std::size_t>(size) - padding);
  const std::size_t colon = decoded.find(':');
  // bcrypt would end at a zero byte.
  if (colon == std::string::npos || decoded.find('\0') != std::string::npos) return std::nullopt;
  return Credentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

// Adds headers to whatever answer comes.
class DressedExchange final : public Exchange {
 public:
  DressedExchange(ExchangePtr inner, std::shared_ptr<const WebOptions> options)
      : inner_(std::move(inner)), options_(std::move(options)) {}
  const Request& request() const override { return inner_->request(); }
  bool client_gone() const override { return inner_->client_gone(); }
  void drop_body() override { inner_->drop_body(); }
  bool run_after_handler(std::function<void()>& work) override {
    return inner_->run_after_handler(work);
  }
  void send(Response response) override {
    for (const auto& header : options_->headers) response.headers.push_back(header);
    inner_->send(std::move(response));
  }

 private:
  ExchangePtr inner_;
  std::shared_ptr<const WebOptions> options_;
};

Response plain(int status, std::string text) {
  Response response;
  response.status = status;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                      {"X-Content-Type-Options", "nosniff"}};
  response.body = std::move(text) + "\n";
  return response;
}

Response unauthorized() {
  Response response = plain(401, "Unauthorized");
  response.headers.emplace_back("WWW-Authenticate", "Basic");
  return response;
}

// What a comparison found, by a digest of user, hash and password that nobody can compute without
// this process's salt.
class Verdicts {
 public:
  Verdicts() { ::RAND_bytes(salt_.data(), static_cast<int>(salt_.size())); }

  std::string key(const Credentials& given, const std::string& hash) const {
    std::string text(salt_.begin(), salt_.end());
    text.append(given.user).append(1, '\0').append(hash).append(1, '\0').append(given.password);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    ::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr);
    return {digest.begin(), digest.begin() + size};
  }
  std::optional<bool> find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    if (right_.contains(key)) return true;
    return wrong_.contains(key) ? std::optional(false) : std::nullopt;
  }
  void keep(const std::string& key, bool verdict) {
    const std::lock_guard lock(mutex_);
    auto& verdicts = verdict ? right_ : wrong_;
    if (verdicts.size() >= kVerdictsMax) verdicts.clear();
    verdicts.insert(key);
  }

 private:
  std::array<unsigned char, 32> salt_{};
  mutable std::mutex mutex_;  // guards what follows
  // Apart, so that whoever guesses does not push out those who know.
  std::unordered_set<std::string> right_, wrong_;
};

class Door final : public WebAccess {
 public:
  Door(Load load, fs::FileSystem& files, base::Logger& log)
      : load_(std::move(load)),
        files_(files),
        log_(log),
        comparing_("web-auth", 1, kComparisonsMax) {}

  Status open() {
    VARVE_TRY_ASSIGN(WebOptions options, load_());
    VARVE_TRY(check(options, files_));
    with_tls_ = options.tls.configured();
    if (with_tls_) {
      VARVE_TRY_ASSIGN(tls_, ServerTls::create(options.tls, files_));
    }
    tokens_ = static_cast<double>(options.rate_burst);
    options_ = std::make_shared<const WebOptions>(std::move(options));
    return {};
  }

  Handler guard(Handler inner) override {
    return [this, inner = std::move(inner)](ExchangePtr exchange) {
      const auto options = current();
      if (!options->headers.empty()) {
        exchange = std::make_shared<DressedExchange>(std::move(exchange), options);
      }
      if (!take_token(*options)) {
        exchange->send(plain(429, "Too Many Requests"));
      } else if (options->users.empty()) {
        inner(std::move(exchange));
      } else {
        authenticate(*options, std::move(exchange), inner);
      }
    };
  }

  std::shared_ptr<const ServerTls> tls() override {
    if (!with_tls_) return nullptr;
    current();
    const std::lock_guard lock(mutex_);
    return tls_;
  }

 private:
  // The options in force, read again if a second has passed.
  std::shared_ptr<const WebOptions> current() {
    std::unique_lock lock(mutex_);
    if (Clock::now() < refresh_at_ || refreshing_) return options_;
    refreshing_ = true;
    lock.unlock();
    auto loaded = load_();
    Status good = loaded.ok() ? check(*loaded, files_) : Status(loaded.error());
    std::shared_ptr<const ServerTls> tls;
    if (good.ok() && with_tls_ && loaded->tls.configured()) {
      auto created = ServerTls::create(loaded->tls, files_);
      if (created.ok()) tls = *created;
    }
    const std::string problem = good.ok() ? std::string() : good.error().message();
    lock.lock();
    refreshing_ = false;
    refresh_at_ = Clock::now() + kRefreshEvery;
    if (good.ok()) options_ = std::make_shared<const WebOptions>(std::move(*loaded));
    if (tls) tls_ = std::move(tls);
    if (problem != last_problem_ && !problem.empty()) {
      log_.error("Unable to use the web configuration, the last good one stays",
                 {{"component", "web"}, {"err", problem}});
    }
    last_problem_ = problem;
    return options_;
  }

  bool take_token(const WebOptions& options) {
    if (options.rate_interval.count() == 0) return true;
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const std::chrono::duration<double> passed = now - filled_at_;
    const std::chrono::duration<double> interval = options.rate_interval;
    tokens_ = std::min(tokens_ + passed / interval, static_cast<double>(options.rate_burst));
    filled_at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  void authenticate(const WebOptions& options, ExchangePtr exchange, const Handler& inner) {
    const auto given = credentials_of(exchange->request());
    if (!given) {
      exchange->send(unauthorized());
      return;
    }
    const auto user = options.users.find(given->user);
    const bool known = user != options.users.end();
    const std::string hash = known ? user->second : kNobody;
    const std::string key = verdicts_.key(*given, hash);
    if (const auto verdict = verdicts_.find(key)) {
      if (*verdict) {
        inner(std::move(exchange));
      } else {
        exchange->send(unauthorized());
      }
      return;
    }
    // Not on an I/O thread: comparing takes long.
    const bool posted =
        comparing_.try_post([this, key, known, hash, exchange, inner, password = given->password] {
          const auto before = verdicts_.find(key);
          const bool fits = before ? *before : password_fits(password, hash) && known;
          verdicts_.keep(key, fits);
          if (!fits) {
            exchange->send(unauthorized());
            return;
          }
          try {
            inner(exchange);
          } catch (const std::exception& thrown) {
            log_.error("An HTTP handler threw an exception", {{"err", thrown.what()}});
            exchange->send(plain(500, "internal error"));
          }
        });
    if (!posted) {
      Response response = plain(503, "too many passwords to compare");
      response.headers.emplace_back("Retry-After", "5");
      exchange->send(std::move(response));
    }
  }

  const Load load_;
  fs::FileSystem& files_;
  base::Logger& log_;
  bool with_tls_ = false;
  Verdicts verdicts_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const WebOptions> options_;
  std::shared_ptr<const ServerTls> tls_;
  Clock::time_point refresh_at_ = Clock::now() + kRefreshEvery;
  bool refreshing_ = false;
  std::string last_problem_;
  double tokens_ = 0;
  Clock::time_point filled_at_ = Clock::now();
  base::ThreadPool comparing_;  // last: its tasks use the rest
};

}  // namespace

Status check(const WebOptions& options, fs::FileSystem& files) {
  VARVE_TRY(check_headers(options.headers));
  for (const auto& [user, hash] : options.users) VARVE_TRY(check_bcrypt(hash));
  if (!options.tls.configured()) return {};
  VARVE_TRY_ASSIGN(const auto tls, ServerTls::create(options.tls, files));
  return {};
}

Result<std::unique_ptr<WebAccess>> WebAccess::create(Load load, fs::FileSystem& files,
                                                     base::Logger& log) {
  auto door = std::make_unique<Door>(std::move(load), files, log);
  VARVE_TRY(door->open());
  return std::unique_ptr<WebAccess>(std::move(door));
}

}  // namespace varve::http
