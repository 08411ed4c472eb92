// SPDX-License-Identifier: Apache-2.0
#include "http/response_writer.h"
#include "base/ascii_case.h"
#include "base/release_memory.h"
#include "http/points_gzip.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>

namespace varve::http {
namespace {

// Below one Ethernet frame compression saves nothing.
constexpr std::size_t kCompressMinBytes = 1400;

bool has_header(const Response& response, std::string_view lower) {
  return std::any_of(response.headers.begin(), response.headers.end(), [&](const auto& field) {
    return base::equals_in_any_case(field.first, lower);
  });
}

// IMF-fixdate (RFC 9110, 5.6.7), made once a second.
std::string_view date_now() {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  static thread_local std::time_t made_for = 0;
  static thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    text = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                       kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                       kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                       parts.tm_hour, parts.tm_min, parts.tm_sec);
    made_for = now;
  }
  return text;
}

// A value from outside must not begin a header line of its own.
void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const std::size_t start = out.size();
  out += value;
  std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                  [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  out += "\r\n";
}

}  // namespace

ResponseWriter::ResponseWriter(Response response, const ResponseForm& form)
    : response_(std::move(response)), keep_alive_(form.keep_alive) {
  const int status = response_.status;
  const bool bodiless = (status >= 100 && status < 200) || status == 204 || status == 304;
  const bool stream = response_.next_piece != nullptr && !bodiless;
  const bool may_compress = response_.compressible && !response_.wait && !bodiless &&
                            !has_header(response_, "content-encoding") &&
                            (stream || response_.body.size() >= kCompressMinBytes);
  const ContentCoding coding = may_compress ? form.coding : ContentCoding::kIdentity;
  if (stream) {
    chunked_ = !form.http_1_0;
    if (!chunked_) keep_alive_ = false;
    if (!form.head) {
      streamed_ = true;
      compressor_ = response_.points && coding == ContentCoding::kGzip
                        ? make_points_gzip()
                        : StreamCompressor::create(coding);
    }
  } else if (!bodiless) {
    switch (coding) {
      case ContentCoding::kIdentity: body_ = std::move(response_.body); break;
      case ContentCoding::kGzip:
        if (response_.points) {
          points_gzip(response_.body, body_);
        } else {
          gzip_compress(response_.body, body_);
        }
        break;
      case ContentCoding::kZstd: zstd_compress(response_.body, body_); break;
    }
    base::release_memory(response_.body);
  }

  head_.reserve(512);
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : response_.headers) append_header(head_, name, value);
  if (!has_header(response_, "date")) append_header(head_, "Date", date_now());
  if (coding != ContentCoding::kIdentity)
    append_header(head_, "Content-Encoding", to_string(coding));
  if (may_compress) append_header(head_, "Vary", "Accept-Encoding");
  if (chunked_) {
    append_header(head_, "Transfer-Encoding", "chunked");
  } else if (!stream && !bodiless) {
    fmt::format_to(std::back_inserter(head_), "Content-Length: {}\r\n", body_.size());
  }
  if (!keep_alive_) {
    append_header(head_, "Connection", "close");
  } else if (form.http_1_0) {
    append_header(head_, "Connection", "keep-alive");
  }
  head_ += "\r\n";
  if (form.head) base::release_memory(body_);
}

bool ResponseWriter::next(std::string& out) {
  out.clear();
  piece_.clear();
  const bool more = response_.next_piece(piece_);
  std::string_view bytes = piece_;
  if (compressor_) {
    compressed_.clear();
    if (!piece_.empty() || !more) compressor_->write(piece_, !more, compressed_);
    bytes = compressed_;
  }
  if (!chunked_) {
    out = bytes;
    return more;
  }
  // An empty chunk would end the body.
  if (!bytes.empty()) {
    fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
    out += bytes;
    out += "\r\n";
  }
  if (!more) out += "0\r\n\r\n";
  return more;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

}  // namespace varve::http
