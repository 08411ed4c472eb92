// SPDX-License-Identifier: Apache-2.0
// A client for tests, and requests that are waited for.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "fs/real_fs.h"
#include "http/client.h"
#include "patience.h"

namespace varve::http::testing {

inline fs::RealFs files;  // its clients read secrets from

inline std::unique_ptr<Client> make_client() {
  auto client = Client::create(files);
  REQUIRE(client.ok());
  return std::move(client).value();
}

inline std::future<Result<ClientResponse>> begin_fetch(Client& client, ClientRequest request) {
  auto promise = std::make_shared<std::promise<Result<ClientResponse>>>();
  auto future = promise->get_future();
  client.fetch(std::move(request),
               [promise](Result<ClientResponse> result) { promise->set_value(std::move(result)); });
  return future;
}

inline Result<ClientResponse> fetch(Client& client, ClientRequest request) {
  return begin_fetch(client, std::move(request)).get();
}

inline Result<ClientResponse> fetch(Client& client, const std::string& url,
                                    const ClientOptions& options,
                                    std::chrono::milliseconds timeout = kPatience) {
  ClientRequest request;
  request.url = url;
  request.timeout = timeout;
  request.options = std::make_shared<const ClientOptions>(options);
  return fetch(client, std::move(request));
}

}  // namespace varve::http::testing
