// SPDX-License-Identifier: Apache-2.0
#include "http/server/exchange.h"

#include <boost/asio/defer.hpp>
#include <string>
#include <utility>

#include "http/content_coding.h"
#include "http/server/connection.h"

namespace varve::http::server {

Response internal_error() {
  Response response;
  response.status = 500;
  response.headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  response.body = "internal error\n";
  return response;
}

ConnectionExchange::ConnectionExchange(std::shared_ptr<Connection> connection, ReadRequest read)
    : connection_(std::move(connection)), read_(std::move(read)) {
  form_.head = read_.request.method == "HEAD";
  form_.http_1_0 = read_.http_1_0;
  form_.keep_alive = read_.keep_alive;
  form_.coding = choose_coding(read_.request.header("Accept-Encoding"));
}

ConnectionExchange::~ConnectionExchange() {
  if (!sent_.load()) answer(internal_error(), nullptr);
}

bool ConnectionExchange::client_gone() const { return connection_->client_gone(); }

void ConnectionExchange::drop_body() {
  std::string().swap(read_.request.body);
  BodyLease gives_back = std::move(read_.lease);
}

void ConnectionExchange::send(Response response) {
  if (sent_.exchange(true)) return;
  answer(std::move(response), shared_from_this());
}

bool ConnectionExchange::run_after_handler(std::function<void()>& work) {
  Lane& lane = connection_->lane();
  if (!lane.io.get_executor().running_in_this_thread() || !lane.take_leave()) return false;
  // Not on the strand: the connection must see its client hang up meanwhile. Deferred, it
  // waits its turn behind what is ready on the lane, and wakes nobody.
  asio::defer(lane.io, [own = shared_from_this(), &lane, work = std::move(work)] {
    const Lane::Leave leave(lane);
    const Lane::Busy busy(lane);
    work();
  });
  return true;
}

void ConnectionExchange::answer(Response response, ExchangePtr keep) {
  if (connection_->core().stopping.load(std::memory_order_relaxed)) form_.keep_alive = false;
  connection_->respond(std::make_unique<ResponseWriter>(std::move(response), form_),
                       std::move(keep));
}

}  // namespace varve::http::server
