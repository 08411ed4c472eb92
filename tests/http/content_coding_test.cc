// SPDX-License-Identifier: Apache-2.0
#include "http/content_coding.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <random>

namespace varve::http {
namespace {

std::string sample_text(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += "metric_" + std::to_string(random() % 1000) + " 1\n";
  text.resize(size);
  return text;
}

std::string compress(ContentCoding coding, std::string_view plain, std::size_t piece_bytes) {
  std::string out;
  if (piece_bytes == 0) {
    coding == ContentCoding::kGzip ? gzip_compress(plain, out) : zstd_compress(plain, out);
    return out;
  }
  const auto compressor = StreamCompressor::create(coding);
  do {
    const std::string_view piece = plain.substr(0, piece_bytes);
    plain.remove_prefix(piece.size());
    compressor->write(piece, plain.empty(), out);
  } while (!plain.empty());
  return out;
}

TEST_CASE("content coding: round trips, whole and in pieces, up to exactly the bound", "[http]") {
  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  const auto size = GENERATE(0u, 1u, 1000u, 65536u, 300'000u);
  const auto piece_bytes = GENERATE(0u, 1000u, 100'000u);
  CAPTURE(to_string(coding), size, piece_bytes);
  const std::string plain = sample_text(size);
  const std::string compressed = compress(coding, plain, piece_bytes);
  std::string out = "old";
  REQUIRE(decompress(coding, compressed, std::max<std::size_t>(size, 1), out).ok());
  CHECK(out == plain);
  if (size > 1) {
    const Status bounded = decompress(coding, compressed, size - 1, out);
    REQUIRE_FALSE(bounded.ok());
    CHECK(bounded.error().code() == ErrorCode::kLimitExceeded);
  }
}

TEST_CASE("content coding: a gzip stream longer than what it holds back flows and is one member",
          "[http]") {
  const std::string plain = sample_text(3 << 20);
  constexpr std::size_t kPiece = 64 << 10;
  const auto compressor = StreamCompressor::create(ContentCoding::kGzip);
  std::string compressed;
  bool flowed = false;
  for (std::size_t at = 0; at < plain.size(); at += kPiece) {
    compressor->write(plain.substr(at, kPiece), at + kPiece >= plain.size(), compressed);
    if (at == 2 << 20) flowed = !compressed.empty();
  }
  CHECK(flowed);
  z_stream reader{};
  REQUIRE(inflateInit2(&reader, 15 + 16) == Z_OK);
  std::string out(plain.size() + 1, '\0');
  reader.next_in = reinterpret_cast<Bytef*>(compressed.data());
  reader.avail_in = static_cast<uInt>(compressed.size());
  reader.next_out = reinterpret_cast<Bytef*>(out.data());
  reader.avail_out = static_cast<uInt>(out.size());
  CHECK(inflate(&reader, Z_FINISH) == Z_STREAM_END);
  CHECK(reader.avail_in == 0);
  out.resize(reader.total_out);
  inflateEnd(&reader);
  CHECK(out == plain);
}

TEST_CASE("content coding: several members in a row are one body", "[http]") {
  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  std::string out;
  const std::string twice = compress(coding, "first ", 0) + compress(coding, "second", 0);
  REQUIRE(decompress(coding, twice, 100, out).ok());
  CHECK(out == "first second");
}

TEST_CASE("content coding: bombs stop at the bound", "[http]") {
  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  const std::string bomb = compress(coding, std::string(64 << 20, '\0'), GENERATE(0u, 1u << 20));
  REQUIRE(bomb.size() < 1 << 20);  // less than what is allowed to come out
  std::string out;
  const Status status = decompress(coding, bomb, 1 << 20, out);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code() == ErrorCode::kLimitExceeded);
  CHECK(out.capacity() <= 4u << 20);
}

TEST_CASE("content coding: memory is asked for before it is held", "[http]") {
  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  const std::string packed = compress(coding, std::string(4 << 20, '\0'), GENERATE(0u, 1u << 20));
  std::string out;
  std::size_t most = 0;
  const MayHold count = [&](std::size_t bytes) {
    CHECK(out.capacity() < bytes);
    CHECK(out.capacity() <= std::max(most, std::string().capacity()));
    most = bytes;
    return true;
  };
  REQUIRE(decompress(coding, packed, 64 << 20, out, count).ok());
  CHECK(out.size() == 4 << 20);
  CHECK(out.capacity() <= most);

  std::string none;
  const Status refused = decompress(coding, packed, 64 << 20, none,
                                    [](std::size_t bytes) { return bytes < 1 << 20; });
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kUnavailable);
}

TEST_CASE("content coding: truncated and broken input is refused", "[http]") {
  const auto coding = GENERATE(ContentCoding::kGzip, ContentCoding::kZstd);
  const std::string whole = compress(coding, sample_text(5000), 0);
  std::string out;
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    CAPTURE(size);
    CHECK_FALSE(decompress(coding, whole.substr(0, size), 1 << 20, out).ok());
  }
  CHECK_FALSE(decompress(coding, std::string(100, 'x'), 1 << 20, out).ok());
}

TEST_CASE("content coding: Accept-Encoding", "[http]") {
  CHECK(choose_coding("") == ContentCoding::kIdentity);
  CHECK(choose_coding("gzip") == ContentCoding::kGzip);
  CHECK(choose_coding("gzip, deflate, br, zstd") == ContentCoding::kZstd);
  CHECK(choose_coding("zstd;q=0.5, gzip;q=0.9") == ContentCoding::kGzip);
  CHECK(choose_coding("gzip;q=0") == ContentCoding::kIdentity);
  CHECK(choose_coding("zstd;q=0, *") == ContentCoding::kGzip);
  CHECK(choose_coding("deflate, identity") == ContentCoding::kIdentity);
  CHECK(choose_coding("GZIP ; Q=1.0") == ContentCoding::kGzip);
}

TEST_CASE("content coding: what Accept-Encoding says of one coding", "[http]") {
  CHECK(coding_weight("gzip, deflate, br", "br") == 1.0);
  CHECK(coding_weight("gzip, BR;q=0.25", "br") == 0.25);
  CHECK(coding_weight("br;q=0", "br") == 0.0);
  CHECK(coding_weight("br;q=x", "br") == 0.0);
  CHECK_FALSE(coding_weight("gzip, brr, *", "br"));
  CHECK_FALSE(coding_weight("", "br"));
}

TEST_CASE("content coding: Content-Encoding", "[http]") {
  CHECK(*content_coding("") == ContentCoding::kIdentity);
  CHECK(*content_coding("identity") == ContentCoding::kIdentity);
  CHECK(*content_coding(" GZip") == ContentCoding::kGzip);
  CHECK(*content_coding("zstd") == ContentCoding::kZstd);
  CHECK_FALSE(content_coding("br").ok());
}

}  // namespace
}  // namespace varve::http
