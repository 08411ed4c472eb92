// SPDX-License-Identifier: Apache-2.0
#include "base/percent_encode.h"

#include <catch2/catch.hpp>

using namespace varve::base;

TEST_CASE("percent encoding: unreserved characters stay, all other bytes are %XX", "[base]") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string encoded = percent_encode(all);
  CHECK(encoded.size() == 66 + 3 * (256 - 66));
  CHECK(encoded.find_first_not_of(
            "%-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~") ==
        std::string::npos);
  CHECK(percent_encode("a-_.~Z9") == "a-_.~Z9");
  CHECK(percent_encode("\x01/ü{}") == "%01%2F%C3%BC%7B%7D");
}

TEST_CASE("percent encoding: a blank is %20 in paths and + in forms", "[base]") {
  CHECK(percent_encode("a b+c") == "a%20b%2Bc");
  CHECK(query_escape("a b+c") == "a+b%2Bc");
}
