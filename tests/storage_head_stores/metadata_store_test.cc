// SPDX-License-Identifier: Apache-2.0
#include "storage/head/metadata_store.h"

#include <catch2/catch.hpp>

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::head;

TEST_CASE("metadata store: the latest word wins, repetition changes nothing", "[storage][head]") {
  MetadataStore store;
  CHECK(*store.set({"up", "gauge", "a", ""}));
  CHECK_FALSE(*store.set({"up", "gauge", "a", ""}));
  CHECK(*store.set({"up", "gauge", "is it up?", "bool"}));
  CHECK(*store.set({"a_total", "counter", "", ""}));
  CHECK(store.set({"", "gauge", "", ""}).error().code() == ErrorCode::kInvalidArgument);
  const auto all = store.list();
  REQUIRE(all.size() == 2);
  CHECK(all[0].metric_family == "a_total");
  CHECK(all[1].help == "is it up?");
  CHECK(store.list("up").size() == 1);
  CHECK(store.list("down").empty());
  CHECK(store.text_bytes() == 2 + 5 + 9 + 4 + 7 + 7);
}

TEST_CASE("metadata store: bounds hold and known families still change", "[storage][head]") {
  MetadataStore store(2, 100);
  CHECK(store.set({"a", "gauge", "", ""}).ok());
  CHECK(store.set({"b", "gauge", "", ""}).ok());
  const auto third = store.set({"c", "gauge", "", ""});
  CHECK(third.error().code() == ErrorCode::kLimitExceeded);
  CHECK(third.error().message().find("\"c\"") != std::string::npos);
  CHECK(*store.set({"a", "counter", "", ""}));
  CHECK(store.set({"a", "counter", std::string(200, 'h'), ""}).error().code() ==
        ErrorCode::kLimitExceeded);
  CHECK(store.list("a")[0].type == "counter");
  CHECK(store.set({"a", "counter", std::string(1 << 20, 'h'), ""}).error().code() ==
        ErrorCode::kLimitExceeded);
}
