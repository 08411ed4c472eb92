// SPDX-License-Identifier: Apache-2.0
// The API over a real storage in memory, asked without sockets.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/api.h"
#include "api/fake_exchange.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "fs/fault_fs.h"
#include "http/client.h"
#include "promql/engine.h"
#include "promql/range_cache.h"
#include "scrape/manager.h"
#include "storage/db.h"
#include "wire/compression.h"

namespace varve::test {

inline constexpr Timestamp kNow = 1'700'000'000'000;

struct Harness {
  explicit Harness(api::Options api_options = {}, api::Dashboard dashboard = {},
                   const promql::EngineOptions& engine_options = {})
      : engine(engine_options, clock, &pool, &memory), options(std::move(api_options)) {
    storage::Options storage_options;
    storage_options.path = "data";
    storage_options.retention = std::chrono::milliseconds(0);
    storage_options.out_of_order_window = std::chrono::milliseconds(0);
    auto opened = storage::Db::open(storage_options, files, clock, log, metrics);
    REQUIRE(opened.ok());
    db = std::move(*opened);
    auto created = http::Client::create(files);
    REQUIRE(created.ok());
    client = std::move(*created);
    manager = scrape::Manager::create({}, {*client, *db, pool, files, clock, log, metrics});
    api::Services services;
    services.engine = &engine;
    services.query_memory = &memory;
    services.queries = &pool;
    services.clock = &clock;
    services.log = &log;
    services.metrics = &metrics;
    services.dashboard = std::move(dashboard);
    services.flags = {{"web.enable-admin-api", "false"}};
    services.config_yaml = [] { return std::string("global: {}\n"); };
    services.reload = [this] { return reload_result; };
    services.quit = [this] { ++quits; };
    services.external_labels = [this] { return external_labels; };
    services.range_cache = &range_cache;
    services.last_reload_ok = [] { return true; };
    services.last_reload_time_ms = [] { return kNow; };
    api = std::make_unique<api::Api>(options, services);
  }

  http::Response ask(std::string method, std::string path, std::string query = {},
                     std::string body = {}, std::string content_type = {},
                     std::string encoding = {}) {
    const auto exchange = std::make_shared<FakeExchange>(
        std::move(method), std::move(path), std::move(query), std::move(body));
    auto& headers = exchange->mutable_request().headers;
    if (!content_type.empty()) headers.emplace_back("Content-Type", content_type);
    if (!encoding.empty()) headers.emplace_back("Content-Encoding", encoding);
    headers.emplace_back("Origin", "http://grafana");
    for (const auto& header : more_headers) headers.push_back(header);
    api->handle(exchange);
    return exchange->response();
  }
  http::Response write(const std::string& request) {
    std::string body;
    wire::snappy_compress(request, body);
    return ask("POST", "/api/v1/write", "", body, "application/x-protobuf", "snappy");
  }
  nlohmann::json get(const std::string& path, const std::string& query, int status = 200) {
    const http::Response response = ask("GET", path, query);
    CAPTURE(path, query, response.body);
    CHECK(response.status == status);
    return nlohmann::json::parse(response.body);
  }
  // A worker gives back what a query held once it has answered, which is when its client goes on.
  bool memory_given_back() const {
    for (int look = 0; look < 60'000 && memory.bytes() != 0; ++look) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return memory.bytes() == 0;
  }

  base::FakeClock clock{kNow};
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [](std::string_view) {}};
  base::MetricsRegistry metrics;
  base::MemoryAccount memory{"query"};
  fs::FaultFs files;
  base::ThreadPool pool{"query", 2, 100};
  promql::Engine engine;
  promql::RangeCache range_cache{1 << 20, metrics};
  api::Options options;
  Labels external_labels;
  std::vector<std::pair<std::string, std::string>> more_headers;  // sent with every request
  Status reload_result;
  int quits = 0;
  std::unique_ptr<storage::Db> db;
  std::unique_ptr<http::Client> client;
  std::unique_ptr<scrape::Manager> manager;
  std::unique_ptr<api::Api> api;
};

}  // namespace varve::test
