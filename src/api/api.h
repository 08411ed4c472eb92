// SPDX-License-Identifier: Apache-2.0
// The HTTP API: Prometheus's endpoints, shapes and status codes over storage, PromQL and scraping.
#pragma once

#include <memory>

#include "api/services.h"

namespace varve::storage {
class Db;
}
namespace varve::scrape {
class Manager;
}
namespace varve::rules {
class Manager;
class Notifier;
}  // namespace varve::rules

namespace varve::api {

// Thread-safe. handle() runs on I/O threads: writes are applied there, queries go to the pool.
class Api {
 public:
  Api(Options options, Services services);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  void handle(http::ExchangePtr exchange);

  // Storage is open and recovered: /-/ready turns 200. Until then everything that needs it answers
  // 503. All must live until no request is under way any more.
  void ready(storage::Db& storage, scrape::Manager& scrape, rules::Manager* rules = nullptr,
             rules::Notifier* notifier = nullptr);
  // The server is going down: /-/ready turns 503, writes are refused.
  void stopping();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace varve::api
