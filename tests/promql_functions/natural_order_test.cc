// SPDX-License-Identifier: Apache-2.0
#include "promql/functions/natural_order.h"

#include <catch2/catch.hpp>

using varve::promql::function_impls::natural_order;

TEST_CASE("natural order: digits are numbers", "[promql]") {
  CHECK((natural_order("node2", "node10") < 0));
  CHECK((natural_order("node2a", "node2b") < 0));
  CHECK((natural_order("1", "01") == 0));
  CHECK((natural_order("", "a") < 0));
  CHECK((natural_order("a", "a1") < 0));
  CHECK((natural_order("99999999999999999999998", "99999999999999999999999") < 0));
  CHECK((natural_order("b1", "a2") > 0));
}
