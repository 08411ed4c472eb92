// SPDX-License-Identifier: Apache-2.0
#include "cli/tar.h"

#include <catch2/catch.hpp>

namespace varve::cli {
namespace {

TEST_CASE("tar: whole blocks, a header that adds up, two empty blocks at the end", "[cli]") {
  const std::string archive = tar_archive({{"a.txt", "hello"}, {"b", std::string(512, 'x')}}, 5000);
  REQUIRE(archive.size() == 512 * 6);
  CHECK(archive.substr(0, 5) == "a.txt");
  CHECK(archive.substr(124, 11) == "00000000005");
  CHECK(archive.substr(136, 11) == "00000000005");
  CHECK(archive.substr(257, 5) == "ustar");
  CHECK(archive.substr(512, 5) == "hello");
  CHECK(archive[1024] == 'b');
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(archive[i]);
  }
  CHECK(std::stoul(archive.substr(148, 6), nullptr, 8) == sum);
  CHECK(archive.substr(2048) == std::string(1024, '\0'));
}

TEST_CASE("gzip: what comes out begins like a gzip file", "[cli]") {
  const auto packed = gzip(std::string(10'000, 'a'));
  REQUIRE(packed.ok());
  CHECK(packed->size() < 200);
  CHECK(packed->substr(0, 2) == "\x1f\x8b");
}

}  // namespace
}  // namespace varve::cli
