// SPDX-License-Identifier: Apache-2.0
#include "http/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

#include "base/ascii_case.h"
#include "base/check.h"
#include "http/percent.h"

namespace varve::http {
namespace {

namespace beast = boost::beast;

constexpr std::size_t kBufferStart = 4 << 10;
// What stands between chunks is at least `0\r\n\r\n`; Beast wants so much once it has seen a part.
constexpr std::size_t kBetweenChunksBytes = 5;

// Lines that end with a line feed alone are as good as others, as RFC 9112 allows and Go's server
// has it. Beast wants both.
std::string with_carriage_returns(std::string_view lines) {
  std::string out;
  out.reserve(lines.size() + 32);
  for (const char c : lines) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

// "HTTP/" digits "." digits
bool is_version(std::string_view text) {
  constexpr std::string_view kProtocol = "HTTP/";
  if (!text.starts_with(kProtocol)) return false;
  text.remove_prefix(kProtocol.size());
  const auto dot = text.find('.');
  const auto number = [](std::string_view digits) {
    return !digits.empty() &&
           std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return dot != std::string_view::npos && number(text.substr(0, dot)) &&
         number(text.substr(dot + 1));
}

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (base::ascii_lower(c) >= 'a' && base::ascii_lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Whether it is a method, a target and a version, whichever these are.
bool is_request_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto method = line.find(' ');
  if (method == std::string_view::npos || method == 0) return false;
  const auto target = line.find(' ', method + 1);
  if (target == std::string_view::npos || target == method + 1) return false;
  return std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(method),
                     is_token_char) &&
         is_version(line.substr(target + 1));
}

// What follows the second space of the request line.
std::string_view version_in(std::string_view header) {
  std::string_view line = header.substr(0, header.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (int word = 0; word < 2; ++word) {
    const auto space = line.find(' ');
    if (space == std::string_view::npos) return {};
    line.remove_prefix(space + 1);
  }
  return line;
}

}  // namespace

// A claimed length is believed piece by piece: memory is at most twice what has come, or this.
constexpr std::size_t kBodyFirstBytes = 256 << 10;

// Beast checks the syntax (and everything that request smuggling is made of); the values go
// straight into the request.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  Parser(ReadRequest& out, std::size_t header_max_bytes, std::size_t body_max_bytes)
      : out_(out), body_max_bytes_(body_max_bytes) {
    // The reader has counted them; line ends that are mended come on top.
    header_limit(
        static_cast<std::uint32_t>(std::min<std::size_t>(2 * header_max_bytes, UINT32_MAX)));
    body_limit(boost::none);
  }

  bool over_budget() const { return over_budget_; }
  std::string target;

 private:
  using error_code = boost::system::error_code;
  using view = beast::string_view;

  void on_request_impl(beast::http::verb, view method, view request_target, int version,
                       error_code&) override {
    out_.request.method.assign(method.data(), method.size());
    target.assign(request_target.data(), request_target.size());
    out_.http_1_0 = version == 10;
  }
  void on_response_impl(int, view, int, error_code&) override {}
  void on_field_impl(beast::http::field, view name, view value, error_code&) override {
    out_.request.headers.emplace_back(std::string(name.data(), name.size()),
                                      std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(view body, error_code& error) override { return append(body, error); }
  void on_chunk_header_impl(std::uint64_t size, view, error_code& error) override {
    // Refused by its claim: nobody should have to send 16 EiB to hear that it is too much.
    if (size > body_max_bytes_ - out_.request.body.size()) error = beast::http::error::body_limit;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, view body, error_code& error) override {
    return append(body, error);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t append(view body, error_code& error) {
    if (body.size() > body_max_bytes_ - out_.request.body.size()) {
      error = beast::http::error::body_limit;
      return 0;
    }
    if (!out_.lease.grow(body.size())) {
      over_budget_ = true;
      error = beast::http::error::body_limit;
      return 0;
    }
    out_.request.body.append(body.data(), body.size());
    return body.size();
  }

  ReadRequest& out_;
  const std::size_t body_max_bytes_;
  bool over_budget_ = false;
};

RequestReader::RequestReader(RequestLimits limits, BodyBudget& budget)
    : limits_(limits), budget_(budget) {}

RequestReader::~RequestReader() = default;

std::span<char> RequestReader::space() {
  Request& request = current_.request;
  if (state_ == State::kBody && !parser_->chunked() && body_filled_ < request.body.size()) {
    reading_body_ = true;
    return std::span<char>(request.body).subspan(body_filled_);
  }
  reading_body_ = false;
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0 && end_ == buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    // One byte more than the limit, so that the parser sees the header that passes it.
    const std::size_t grown = std::max(kBufferStart, buffer_.size() * 2);
    buffer_.resize(std::min(grown, std::max(kBufferStart, limits_.header_max_bytes + 1)));
  }
  return std::span<char>(buffer_).subspan(end_);
}

void RequestReader::committed(std::size_t n) {
  if (reading_body_) {
    body_filled_ += n;
    reading_body_ = false;
  } else {
    end_ += n;
  }
}

RequestReader::State RequestReader::refuse(int status, std::string message) {
  refusal_ = {status, std::move(message)};
  return state_ = State::kRefused;
}

RequestReader::State RequestReader::advance() {
  switch (state_) {
    case State::kEmpty:
      // Old clients end a body with an empty line too many.
      while (begin_ < end_ && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) ++begin_;
      if (begin_ == end_) return state_;
      header_seen_ = line_begin_ = 0;
      bare_line_feeds_ = false;
      current_ = ReadRequest();
      current_.lease = BodyLease(budget_);
      between_chunks_ = false;
      parser_ =
          std::make_unique<Parser>(current_, limits_.header_max_bytes, limits_.body_max_bytes);
      state_ = State::kHeader;
      [[fallthrough]];
    case State::kHeader: return parse_header();
    case State::kBody: return parser_->chunked() ? parse_chunks() : fill_body();
    case State::kComplete:
    case State::kRefused: return state_;
  }
  return state_;
}

// How long the header is, with the empty line that ends it; 0: that has not come yet.
std::size_t RequestReader::find_header_end() {
  const std::string_view come(buffer_.data() + begin_, end_ - begin_);
  for (;;) {
    const std::size_t at = come.find('\n', header_seen_);
    if (at == std::string_view::npos) break;
    std::size_t line_end = at;
    if (line_end > line_begin_ && come[line_end - 1] == '\r') {
      --line_end;
    } else {
      bare_line_feeds_ = true;
    }
    const bool empty_line = line_end == line_begin_;
    header_seen_ = line_begin_ = at + 1;
    if (empty_line) return at + 1;
  }
  header_seen_ = come.size();
  return 0;
}

// Whoever speaks something else shall hear so at once, not wait for an end of the header that does
// not come.
bool RequestReader::may_be_http() const {
  const std::string_view come(buffer_.data() + begin_, end_ - begin_);
  if (!is_token_char(come.front())) return false;
  if (line_begin_ == 0) return true;  // the end of its line has not come
  const auto line_end = come.find('\n');
  return line_end >= limits_.header_max_bytes || is_request_line(come.substr(0, line_end));
}

RequestReader::State RequestReader::parse_header() {
  const bool first_line = line_begin_ == 0;
  const std::size_t length = find_header_end();
  if (length == 0 && first_line && !may_be_http()) {
    return refuse(400, "malformed HTTP request: it does not begin with a request line");
  }
  if ((length == 0 ? end_ - begin_ : length) > limits_.header_max_bytes) {
    return refuse(431,
                  fmt::format("request header larger than {} bytes", limits_.header_max_bytes));
  }
  if (length == 0) return state_;
  const std::string_view header(buffer_.data() + begin_, length);
  begin_ += length;
  const std::string mended = bare_line_feeds_ ? with_carriage_returns(header) : std::string();
  const std::string_view parsed = bare_line_feeds_ ? mended : header;
  boost::system::error_code error;
  parser_->put(boost::asio::const_buffer(parsed.data(), parsed.size()), error);
  if (error == beast::http::error::bad_version) {
    const std::string_view version = version_in(header);
    if (is_version(version)) return refuse(505, "HTTP version not supported");
    return refuse(400, "malformed HTTP request: the request line does not end with a version");
  }
  if (!error && !parser_->is_header_done()) error = beast::http::error::need_more;
  if (error) return refuse(400, fmt::format("malformed HTTP request: {}", error.message()));
  return begin_body();
}

RequestReader::State RequestReader::begin_body() {
  Request& request = current_.request;
  current_.keep_alive = parser_->keep_alive();
  std::string_view target = parser_->target;
  if (!target.starts_with('/') && target != "*") {  // absolute form, as proxies send it
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos) return refuse(400, "malformed request target");
    const auto path = target.find_first_of("/?", scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  const auto question = target.find('?');
  auto path = percent_decode(target.substr(0, question), PlusIs::kPlus);
  if (!path.ok()) return refuse(400, path.error().message());
  request.path = std::move(path).value();
  if (question != std::string_view::npos) request.query = target.substr(question + 1);

  const auto hosts =
      std::count_if(request.headers.begin(), request.headers.end(), [](const auto& field) {
        return base::equals_in_any_case(field.first, "host");
      });
  if (hosts == 0 && !current_.http_1_0) return refuse(400, "missing required Host header");
  if (hosts > 1) return refuse(400, "too many Host headers");
  const std::string_view expect = request.header("Expect");
  if (!expect.empty() && !base::equals_in_any_case(expect, "100-continue")) {
    return refuse(417, "unknown expectation");
  }
  const std::string_view transfer = request.header("Transfer-Encoding");
  if (!transfer.empty() && !base::equals_in_any_case(transfer, "chunked")) {
    return refuse(501, "unsupported transfer encoding");
  }
  // RFC 9112, 6.1: who is between may have framed the rest otherwise.
  if (current_.http_1_0 && !transfer.empty()) current_.keep_alive = false;
  state_ = State::kBody;
  body_filled_ = 0;
  if (parser_->chunked()) {
    parser_->eager(true);
    continue_wanted_ = !expect.empty() && begin_ == end_;
    return parse_chunks();
  }
  const std::uint64_t length = parser_->content_length() ? *parser_->content_length() : 0;
  if (length > limits_.body_max_bytes) {
    return refuse(413, fmt::format("request body of {} bytes is too large, the limit is {}", length,
                                   limits_.body_max_bytes));
  }
  body_bytes_ = static_cast<std::size_t>(length);
  continue_wanted_ = !expect.empty() && begin_ == end_ && length > 0;
  return fill_body();
}

RequestReader::State RequestReader::fill_body() {
  std::string& body = current_.request.body;
  for (;;) {
    const std::size_t n = std::min(body.size() - body_filled_, end_ - begin_);
    std::copy_n(buffer_.data() + begin_, n, body.data() + body_filled_);
    begin_ += n;
    body_filled_ += n;
    if (body_filled_ < body.size()) return state_;
    if (body.size() == body_bytes_) return state_ = State::kComplete;
    const std::size_t wanted = std::min(body_bytes_, std::max(kBodyFirstBytes, 2 * body.size()));
    if (!current_.lease.grow(wanted - body.size())) {
      return refuse(503, "too many request bodies in memory, try again later");
    }
    body.resize(wanted);
  }
}

RequestReader::State RequestReader::parse_chunks() {
  while (!parser_->is_done()) {
    if (begin_ == end_) return state_;
    if (between_chunks_ && end_ - begin_ < kBetweenChunksBytes) return state_;
    boost::system::error_code error;
    const std::size_t used =
        parser_->put(boost::asio::const_buffer(buffer_.data() + begin_, end_ - begin_), error);
    begin_ += used;
    between_chunks_ = error == beast::http::error::need_more;
    if (between_chunks_) {
      // What stays unparsed is a chunk header or a trailer.
      if (end_ - begin_ > limits_.header_max_bytes)
        return refuse(400, "a chunk header is too long");
      return state_;
    }
    if (parser_->over_budget()) {
      return refuse(503, "too many request bodies in memory, try again later");
    }
    if (error == beast::http::error::body_limit) {
      return refuse(413, fmt::format("request body is too large, the limit is {} bytes",
                                     limits_.body_max_bytes));
    }
    if (error) return refuse(400, fmt::format("malformed request body: {}", error.message()));
    VARVE_CHECK(used > 0);  // else this loop would not end
  }
  return state_ = State::kComplete;
}

bool RequestReader::take_continue_wanted() { return std::exchange(continue_wanted_, false); }

ReadRequest RequestReader::take() {
  VARVE_CHECK(state_ == State::kComplete);
  state_ = State::kEmpty;
  continue_wanted_ = false;
  parser_.reset();
  return std::move(current_);
}

}  // namespace varve::http
