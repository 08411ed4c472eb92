// SPDX-License-Identifier: Apache-2.0
// The server on Asio: threads, deadlines, start and stop. What a connection does is in server/,
// what a request or a response looks like in bytes the business of request_reader and
// response_writer.
//
// Connections are dealt to lanes (server/lane.h); a strand per connection keeps its handlers apart,
// as two threads run each lane. One coarse timer looks for connections past their deadline, so that
// a request re-arms no timer of its own; it and accepting have a thread of their own, the front.
#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "http/server/connection.h"
#include "http/server/core.h"
#include "http/server/listener.h"

namespace varve::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using server::Clock;
using server::Connection;
using server::Core;
using server::Lane;
using server::Listener;

// How long a stop waits before it says what for.
constexpr std::chrono::milliseconds kQuietGrace{200};
// Of so many connections it says what they do.
constexpr std::size_t kToldMax = 10;

class AsioServer final : public Server {
 public:
  explicit AsioServer(std::shared_ptr<Core> core) : core_(std::move(core)), sweep_(core_->front) {}
  ~AsioServer() override { stop(std::chrono::milliseconds(0)); }

  Status open() {
    for (const std::string& address : core_->options.listen_addresses) {
      auto listener = std::make_shared<Listener>(core_);
      VARVE_TRY(listener->open(address));
      listeners_.push_back(std::move(listener));
    }
    for (const auto& listener : listeners_) {
      ports_.push_back(listener->port());
      listener->accept();
    }
    schedule_sweep();
    work_.emplace_back(core_->front.get_executor());
    threads_.emplace_back([this] { run(core_->front, "http-front"); });
    for (std::size_t i = 0; i < core_->lanes.size() * Lane::kThreads; ++i) {
      asio::io_context& io = core_->lanes[i % core_->lanes.size()]->io;
      work_.emplace_back(io.get_executor());
      threads_.emplace_back([this, i, &io] { run(io, fmt::format("http-{}", i)); });
    }
    core_->watch.start(core_->lanes);
    return {};
  }

  std::vector<std::uint16_t> ports() const override { return ports_; }

  void stop(std::chrono::milliseconds grace) override {
    if (stopped_) return;
    stopped_ = true;
    core_->stopping.store(true);
    for (const auto& listener : listeners_) listener->close();
    for (const auto& connection : connections()) {
      asio::post(connection->strand(),
                 [connection] { connection->close_if_nothing_is_under_way(); });
    }
    if (!all_end_within(std::min<std::chrono::milliseconds>(grace, kQuietGrace)) &&
        grace > kQuietGrace) {
      tell_what_is_under_way(grace);
      if (!all_end_within(grace - kQuietGrace)) {
        core_->log.warn("Stopping: HTTP connections are closed without waiting any longer",
                        {{"count", connections().size()}});
      }
    }
    for (const auto& connection : connections()) {
      asio::post(connection->strand(), [connection] { connection->close(); });
    }
    asio::post(sweep_.get_executor(), [this] {
      sweep_over_ = true;
      sweep_.cancel();
    });
    work_.clear();
    for (std::thread& thread : threads_) thread.join();
    core_->watch.stop();
    {
      const std::lock_guard lock(core_->mutex);
      core_->closed = true;
    }
    // What was posted after the threads had gone holds connections, which hold the lanes: let it
    // go.
    for (const auto& lane : core_->lanes) {
      lane->io.restart();
      lane->io.poll();
    }
    core_->front.restart();
    core_->front.poll();
  }

 private:
  bool all_end_within(std::chrono::milliseconds time) {
    std::unique_lock lock(core_->mutex);
    return core_->connection_ended.wait_for(lock, time,
                                            [this] { return core_->connections.empty(); });
  }

  void tell_what_is_under_way(std::chrono::milliseconds grace) {
    const auto all = connections();
    core_->log.info("Stopping: waiting for HTTP requests under way",
                    {{"count", all.size()}, {"at_most", fmt::format("{}ms", grace.count())}});
    for (std::size_t i = 0; i < std::min(all.size(), kToldMax); ++i) {
      asio::post(all[i]->strand(), [connection = all[i]] { connection->tell_what_is_under_way(); });
    }
  }

  void run(asio::io_context& io, const std::string& name) {
    base::name_this_thread(name);
    for (;;) {
      try {
        io.run();
        return;
      } catch (const std::exception& thrown) {
        core_->log.error("An exception reached the top of an HTTP thread",
                         {{"err", thrown.what()}});
      }
    }
  }

  // A copy, because the last owner of a connection must not let it go under the mutex.
  std::vector<std::shared_ptr<Connection>> connections() {
    std::vector<std::shared_ptr<Connection>> all;
    const std::lock_guard lock(core_->mutex);
    all.reserve(core_->connections.size());
    for (const auto& [pointer, weak] : core_->connections) {
      if (auto connection = weak.lock()) all.push_back(std::move(connection));
    }
    return all;
  }

  // Deadlines are kept to an eighth of the shortest timeout, at best 10 ms, at worst half a second.
  void schedule_sweep() {
    const ServerOptions& options = core_->options;
    const auto shortest =
        std::min({options.read_timeout, options.header_timeout, options.write_timeout});
    sweep_.expires_after(
        std::clamp(shortest / 8, std::chrono::milliseconds(10), std::chrono::milliseconds(500)));
    sweep_.async_wait([this](error_code) {
      if (sweep_over_) return;
      const auto now = Clock::now();
      for (const auto& connection : connections()) {
        if (!connection->late(now)) continue;
        asio::post(connection->strand(), [connection] { connection->close_if_late(Clock::now()); });
      }
      schedule_sweep();
    });
  }

  std::shared_ptr<Core> core_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;  // one a loop
  asio::steady_timer sweep_;
  bool sweep_over_ = false;  // for the front
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::vector<std::uint16_t> ports_;
  std::vector<std::thread> threads_;
  bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler,
                                              base::Logger& log, base::MetricsRegistry& metrics) {
  auto core = std::make_shared<Core>(std::move(options), std::move(handler), log, metrics);
  auto server = std::make_unique<AsioServer>(std::move(core));
  VARVE_TRY(server->open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace varve::http
