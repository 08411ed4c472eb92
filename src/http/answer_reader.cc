// SPDX-License-Identifier: Apache-2.0
#include "http/answer_reader.h"

#include <boost/beast/http/basic_parser.hpp>
#include <utility>

namespace varve::http {
namespace {

namespace beast = boost::beast;

// What stands between chunks is at least `0\r\n\r\n`; Beast wants so much once it has seen a part.
constexpr std::size_t kBetweenChunksBytes = 5;

// Whether a client may hand over an answer of this status as it is.
bool plain_status(int status) {
  return (status >= 200 && status < 300 && status != 204 && status != 205) ||
         (status >= 400 && status < 600 && status != 401 && status != 407 && status != 421);
}

}  // namespace

// Beast checks the syntax; the body goes to its taker as it lies in the bytes read.
class AnswerReader::Parser final : public beast::http::basic_parser<false> {
 public:
  Parser() {
    header_limit(static_cast<std::uint32_t>(kHeadMaxBytes));
    body_limit(boost::none);
    eager(true);
  }

  AnswerHead head;
  const TakeBody* take = nullptr;  // while bytes are put
  bool stopped = false;

 private:
  using error_code = boost::system::error_code;
  using view = beast::string_view;

  void on_request_impl(beast::http::verb, view, view, int, error_code&) override {}
  void on_response_impl(int status, view, int, error_code& error) override {
    head.status = status;
    if (!plain_status(status)) error = beast::http::error::bad_status;
  }
  void on_field_impl(beast::http::field field, view, view value, error_code& error) override {
    if (field == beast::http::field::content_type) {
      head.content_type.assign(value.data(), value.size());
    } else if (field == beast::http::field::content_encoding) {
      if (!head.content_encoding.empty()) error = beast::http::error::bad_value;
      head.content_encoding.assign(value.data(), value.size());
    } else if (field == beast::http::field::transfer_encoding &&
               !beast::iequals(value, "chunked")) {
      error = beast::http::error::bad_transfer_encoding;
    }
  }
  void on_header_impl(error_code& error) override {
    head.keep_alive = keep_alive();
    if (upgrade()) error = beast::http::error::bad_value;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) head.length = *length;
  }
  std::size_t on_body_impl(view body, error_code& error) override { return give(body, error); }
  void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, view body, error_code& error) override {
    return give(body, error);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t give(view body, error_code& error) {
    if ((*take)({body.data(), body.size()})) return body.size();
    stopped = true;
    error = beast::http::error::body_limit;
    return 0;
  }
};

AnswerReader::AnswerReader() : parser_(std::make_unique<Parser>()) {}
AnswerReader::~AnswerReader() = default;
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;

const AnswerHead& AnswerReader::head() const { return parser_->head; }

AnswerReader::State AnswerReader::read(std::string_view bytes, const TakeBody& take) {
  std::string joined;
  if (!pending_.empty()) {
    joined = std::exchange(pending_, {}).append(bytes);
    if (parser_->is_header_done() && joined.size() < kBetweenChunksBytes) {
      pending_ = std::move(joined);
      return State::kBody;
    }
    bytes = joined;
  }
  parser_->take = &take;
  while (!bytes.empty() && !parser_->is_done()) {
    boost::system::error_code error;
    bytes.remove_prefix(parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error));
    if (error == beast::http::error::need_more) break;
    if (parser_->stopped) return State::kStopped;
    if (error) return State::kForeign;
  }
  if (parser_->is_done()) return bytes.empty() ? State::kDone : State::kForeign;
  if (bytes.size() > kHeadMaxBytes) return State::kForeign;
  pending_ = bytes;
  return parser_->is_header_done() ? State::kBody : State::kHead;
}

AnswerReader::State AnswerReader::end() {
  boost::system::error_code error;
  if (!parser_->is_header_done()) return State::kForeign;
  parser_->put_eof(error);
  return error ? State::kForeign : State::kDone;
}

}  // namespace varve::http
