// SPDX-License-Identifier: Apache-2.0
#include "varve/labels.h"

#include <catch2/catch.hpp>

using namespace varve;

TEST_CASE("labels: any order in, sorted and without empty values out", "[model]") {
  const Labels labels{{"b", "2"}, {"a", "1"}, {"c", ""}, {"__name__", "up"}};
  CHECK(labels == Labels{{"__name__", "up"}, {"a", "1"}, {"b", "2"}});
  CHECK(labels.size() == 3);
  CHECK(labels.get("b") == "2");
  CHECK(labels.get("c").empty());
  CHECK(labels.to_string() == R"(up{a="1", b="2"})");
  CHECK(labels.hash() == Labels{{"b", "2"}, {"__name__", "up"}, {"a", "1"}}.hash());
}

TEST_CASE("labels: long strings survive the encoding", "[model]") {
  const std::string value(70'000, 'x');
  const Labels labels{{"a", value}, {"b", "y"}};
  CHECK(labels.get("a") == value);
  CHECK(labels.get("b") == "y");
  CHECK(Labels::valid_bytes(labels.bytes()));
}

TEST_CASE("labels: bytes from outside are checked", "[model]") {
  const std::string good(Labels{{"a", "1"}, {"b", "2"}}.bytes());
  CHECK(Labels::valid_bytes(good));
  CHECK(Labels::valid_bytes(""));
  for (std::size_t cut = 1; cut < good.size(); ++cut) {
    CAPTURE(cut);
    CHECK(Labels::valid_bytes(good.substr(0, cut)) == (cut == good.size() / 2));
  }
  CHECK_FALSE(Labels::valid_bytes(std::string("\1b\1x\1a\1x")));      // not sorted
  CHECK_FALSE(Labels::valid_bytes(std::string("\1a\1x\1a\1y")));      // twice
  CHECK_FALSE(Labels::valid_bytes(std::string("\1a\0", 3)));          // empty value
  CHECK_FALSE(Labels::valid_bytes(std::string("\x81\0a\1x", 5)));     // longer length than needed
}

TEST_CASE("labels: the order is Prometheus's", "[model]") {
  const Labels a{{"a", "1"}};
  const Labels ab{{"a", "1"}, {"b", "1"}};
  const Labels a2{{"a", "2"}};
  CHECK((a < ab));
  CHECK((ab < a2));
  CHECK((Labels{} < a));
  CHECK((a <=> Labels{{"a", "1"}}) == std::strong_ordering::equal);
}

TEST_CASE("labels builder: set, replace, remove by empty value", "[model]") {
  LabelsBuilder builder(Labels{{"a", "1"}, {"b", "2"}});
  builder.set("c", "3").set("a", "9").set("b", "").remove("x");
  CHECK(builder.build() == Labels{{"a", "9"}, {"c", "3"}});
}

TEST_CASE("labels: names that need quotes get them", "[model]") {
  CHECK(Labels{{"__name__", "a.b"}, {"x y", "q\"\n"}}.to_string() == R"({"a.b", "x y"="q\"\n"})");
  CHECK(Labels{}.to_string() == "{}");
}
