// SPDX-License-Identifier: Apache-2.0
#include "http/points_gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http/deflate_code.h"
#include "http/points_matcher.h"

namespace varve::http {
namespace {

std::string compress(std::string_view plain, std::size_t piece_bytes) {
  std::string out;
  const auto compressor = make_points_gzip();
  do {
    const std::string_view piece = plain.substr(0, piece_bytes);
    plain.remove_prefix(piece.size());
    compressor->write(piece, plain.empty(), out);
  } while (!plain.empty());
  return out;
}

// By zlib, which is what most clients have.
std::string inflated(const std::string& packed) {
  z_stream stream{};
  REQUIRE(::inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  int rc = Z_OK;
  while (rc == Z_OK) {
    const std::size_t used = out.size();
    out.resize(used + 65536);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = 65536;
    rc = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(used + 65536 - stream.avail_out);
  }
  CHECK(rc == Z_STREAM_END);
  CHECK(stream.avail_in == 0);
  ::inflateEnd(&stream);
  return out;
}

std::string compress_whole(std::string_view plain) {
  std::string out = "replaced";
  points_gzip(plain, out);
  return out;
}

// Both ways of undoing it. Not CHECK(a == b): nobody wants to see a megabyte.
bool arrives(const std::string& plain, std::size_t piece_bytes) {
  const std::string packed = compress(plain, piece_bytes);
  // What was compressed before leaves no trace.
  if (piece_bytes >= plain.size() && compress_whole(plain) != packed) return false;
  std::string by_libdeflate;
  return inflated(packed) == plain &&
         gzip_decompress(packed, plain.size() + 1, by_libdeflate).ok() && by_libdeflate == plain;
}

using Random = std::mt19937_64;

struct Shape {
  const char* name;
  std::function<std::string(Random&)> value;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{
      {"small integers", [](Random& random) { return fmt::format("{}", random() % 12); }},
      {"two decimals",
       [](Random& random) {
         return fmt::format("{}", static_cast<double>(random() % 100'000) / 100);
       }},
      {"rates",
       [](Random& random) {
         return fmt::format("{}", static_cast<double>(random() % 100'000) / 284.9973);
       }},
      {"sparse rates",
       [](Random& random) {
         return random() % 4 != 0 ? "0"
                                  : fmt::format("{}", static_cast<double>(random() % 9) / 284.9973);
       }},
      {"quantiles",
       [](Random& random) {
         return fmt::format("{}", 0.1 * static_cast<double>(random() % 1000) /
                                      static_cast<double>(1 + random() % 997));
       }},
      {"a constant", [](Random&) { return std::string("4503599627370496"); }},
      {"words and exponents",
       [](Random& random) {
         static constexpr std::array<const char*, 8> kWords{"NaN",   "+Inf",  "-Inf", "-0",
                                                            "1e-07", "1e+21", "0.5",  "-12.25"};
         return std::string(kWords[random() % kWords.size()]);
       }},
  };
  return all;
}

struct Layout {
  std::size_t series = 1;
  std::size_t points = 1;
  std::int64_t step_ms = 15'000;
  unsigned gaps_percent = 0;
  bool jitter = false;
};

std::string result_text(const Shape& shape, const Layout& layout) {
  Random random(11);
  std::string text = R"({"status":"success","data":{"resultType":"matrix","result":[)";
  for (std::size_t s = 0; s < layout.series; ++s) {
    text +=
        fmt::format(R"({}{{"metric":{{"__name__":"m{}","cpu":"{}","instance":"10.0.0.{}:9100"}})",
                    s > 0 ? "," : "", s % 3, s, random() % 250);
    text += R"(,"values":[)";
    bool first = true;
    for (std::size_t i = 0; i < layout.points; ++i) {
      if (random() % 100 < layout.gaps_percent) continue;
      std::int64_t at_ms = 1'763'740'800'000 + layout.step_ms * static_cast<std::int64_t>(i);
      if (layout.jitter) at_ms += static_cast<std::int64_t>(random() % 1500);
      text += first ? "[" : ",[";
      first = false;
      text += fmt::format("{}", at_ms / 1000);
      if (at_ms % 1000 != 0) text += fmt::format(".{:03}", at_ms % 1000);
      text += ",\"" + shape.value(random) + "\"]";
    }
    text += "]}";
  }
  return text + "]}}";
}

TEST_CASE("points gzip: any values at any steps arrive as they are", "[http]") {
  const std::size_t shape = GENERATE(range(std::size_t{0}, shapes().size()));
  CAPTURE(shapes()[shape].name);
  for (const Layout& layout :
       {Layout{0, 0}, Layout{1, 0}, Layout{1, 1}, Layout{3, 2}, Layout{1, 11'000}, Layout{20, 240},
        Layout{3, 3000}, Layout{20, 240, 15'000, 20}, Layout{9, 200, 60'000, 5, true},
        Layout{9, 200, 1'500}, Layout{2, 700, 1}}) {
    CAPTURE(layout.series, layout.points, layout.step_ms);
    const std::string plain = result_text(shapes()[shape], layout);
    for (const std::size_t piece_bytes : {plain.size(), std::size_t{65'536}, std::size_t{1'000}}) {
      CAPTURE(piece_bytes);
      CHECK(arrives(plain, piece_bytes));
    }
  }
}

TEST_CASE("points gzip: a piece may end anywhere", "[http]") {
  const std::string plain = result_text(shapes()[2], {4, 12});
  for (std::size_t piece_bytes = 1; piece_bytes < 300; ++piece_bytes) {
    CAPTURE(piece_bytes);
    CHECK(arrives(plain, piece_bytes));
  }
  for (std::size_t size = 0; size < plain.size(); ++size) {
    CAPTURE(size);
    CHECK(arrives(plain.substr(0, size), plain.size()));
  }
}

TEST_CASE("points gzip: what only looks like points arrives too", "[http]") {
  for (const char* text :
       {"", "x", "[[", "[[1,\"", "[[1,\"2\"", "[[1,\"2\"],[", "[[,\"\"],[,\"\"]]",
        R"([[1,"2"],[3,"4"],[5,"6"],[7,"8")", R"([[1,"!"],[2,"!"]])",
        R"([[1.5,"/+,-./"],[1.5,"/+,-./"],[2,"/"],[2,"/"]])"}) {
    CAPTURE(text);
    std::string much;
    for (int i = 0; i < 40; ++i) much += text;
    CHECK(arrives(text, 1 << 20));
    CHECK(arrives(much, 1 << 20));
    CHECK(arrives(much, 7));
  }
  // Pieces of such text in any order, and bytes of all kinds between them.
  static constexpr std::array<const char*, 10> kParts{
      "\"],[", "1763740800", "1763740815", ",\"", "0.25", "[[", "]]", "\"", "12345678.875", "\xff"};
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    std::string text;
    const std::size_t parts = random() % 600;
    for (std::size_t i = 0; i < parts; ++i) {
      text += kParts[random() % (round % 2 == 0 ? 10 : 5)];
      if (random() % 64 == 0) text += static_cast<char>(random());
      if (random() % 32 == 0) text += text.substr(random() % text.size(), random() % 200);
    }
    CHECK(arrives(text, 1 + random() % 3000));
  }
}

TEST_CASE("points gzip: runs longer than a match, and than the window", "[http]") {
  std::string zeros = "[[1763740800,\"0\"";
  for (int i = 0; i < 40'000; ++i) zeros += "],[1763740800,\"0\"";
  CHECK(arrives(zeros, zeros.size()));
  CHECK(compress(zeros, zeros.size()).size() < zeros.size() / 50);

  std::string noise(100'000, ' ');
  Random random(3);
  for (char& byte : noise) byte = static_cast<char>(random());
  CHECK(arrives(noise, 50'000));
}

TEST_CASE("points gzip: nothing matches what was 2^32 bytes ago", "[http]") {
  std::string text = R"({"metric":{"a":"b"},"values":[[1763740800,"0.125"],[1763740815,"0.25"]]})";
  const std::size_t size = text.size();
  text.append(PointsMatcher::kBehind, '\0');
  // As if there had been the rest of 2^32 bytes: once from the first text on, once so that the
  // second begins at position 0, as entries do that were never written.
  for (const std::uint64_t bytes :
       {(std::uint64_t{1} << 32) - 2 * kDistanceMax, (std::uint64_t{1} << 32) - 4 * kDistanceMax}) {
    PointsMatcher matcher;
    TokenList tokens;
    matcher.run(text.data(), 0, size, true, tokens);
    const std::size_t first = tokens.tokens().size();
    matcher.restart(bytes);
    tokens.clear();
    matcher.run(text.data(), 0, size, true, tokens);
    CHECK(tokens.tokens().size() == first);
    std::size_t at = 0;
    for (const auto& token : tokens.tokens()) {
      if (token.length > 0) {
        CHECK(token.distance > 0);
        CHECK(token.distance <= at);
      }
      at += token.length + token.literals;
    }
    CHECK(at <= size);
  }
}

TEST_CASE("points gzip: no larger than libdeflate makes it", "[http]") {
  for (const Shape& shape : shapes()) {
    CAPTURE(shape.name);
    for (const Layout& layout : {Layout{20, 240}, Layout{1, 1440, 60'000}, Layout{200, 60}}) {
      CAPTURE(layout.series);
      const std::string plain = result_text(shape, layout);
      std::string known;
      gzip_compress(plain, known);
      // No digits, and not what it is made for.
      const double allowed = shape.name == std::string("words and exponents") ? 2 : 1.03;
      CHECK(static_cast<double>(compress(plain, 65'536).size()) <=
            allowed * static_cast<double>(known.size()));
    }
  }
}

TEST_CASE("deflate code: sizes have a bound and use all of the space", "[http]") {
  SymbolCounts counts;
  // As deep a tree as there can be: each count is that of all before.
  std::uint32_t before = 1;
  std::uint32_t count = 1;
  for (std::size_t i = 0; i < 40; ++i) {
    counts.literals[i] = count;
    counts.distances[i % kDistanceSymbols] = count;
    count += std::exchange(before, count);
  }
  const DeflateCode code(counts);
  std::size_t space = 0;
  for (std::size_t i = 0; i < kLiteralSymbols; ++i) {
    const unsigned size = code.literal(i).size;
    CHECK(size <= kCodeBitsMax);
    CHECK((size > 0) == (counts.literals[i] > 0 || i == kEndOfBlock));
    if (size > 0) space += std::size_t{1} << (kCodeBitsMax - size);
  }
  CHECK(space == std::size_t{1} << kCodeBitsMax);
}

}  // namespace
}  // namespace varve::http
