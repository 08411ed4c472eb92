// SPDX-License-Identifier: Apache-2.0
#include "base/nearest.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace varve;

TEST_CASE("nearest: suggests what is close, nothing for what is not", "[base]") {
  const std::vector<std::string_view> names{"scrape_interval", "scrape_timeout", "job_name"};
  CHECK(base::nearest("scrape_intervall", names) == "scrape_interval");
  CHECK(base::nearest("scrap_timeout", names) == "scrape_timeout");
  CHECK(base::nearest("jobname", names) == "job_name");
  CHECK(base::nearest("remote", names).empty());
  CHECK(base::nearest("", names).empty());
  CHECK(base::nearest(std::string(100'000, 'x'), names).empty());
}
