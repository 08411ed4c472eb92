// SPDX-License-Identifier: Apache-2.0
// The server's side of http::Exchange: takes an answer from any thread to the connection it is for.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "http/request_reader.h"
#include "http/response_writer.h"
#include "http/server.h"

namespace varve::http::server {

class Connection;

class ConnectionExchange final : public Exchange,
                                 public std::enable_shared_from_this<ConnectionExchange> {
 public:
  ConnectionExchange(std::shared_ptr<Connection> connection, ReadRequest read);
  ~ConnectionExchange() override;

  const Request& request() const override { return read_.request; }
  bool client_gone() const override;
  void drop_body() override;
  void send(Response response) override;
  bool run_after_handler(std::function<void()>& work) override;

 private:
  void answer(Response response, ExchangePtr keep);

  std::shared_ptr<Connection> connection_;
  ReadRequest read_;
  ResponseForm form_;
  std::atomic<bool> sent_{false};
};

// For a request whose handler broke down or never answered.
Response internal_error();

}  // namespace varve::http::server
