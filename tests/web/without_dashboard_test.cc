// SPDX-License-Identifier: Apache-2.0
// The room as it is compiled where npm, or what it should fetch, was not there.
#include <catch2/catch.hpp>

#include "web/assets.h"

TEST_CASE("web: without a bundle there is neither a page nor a file", "[web]") {
  CHECK(varve::web::index_html().empty());
  CHECK(varve::web::assets().empty());
}
