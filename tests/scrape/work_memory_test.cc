// SPDX-License-Identifier: Apache-2.0
#include "scrape/work_memory.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

using namespace varve;
using namespace varve::scrape;

TEST_CASE("work memory: the next scrape gets what the last one has given back, emptied",
          "[scrape]") {
  SpareWorkMemory spares;
  WorkMemory memory = spares.take();
  CHECK(memory.batch.series.capacity() == 0);
  memory.batch.series.resize(100);
  memory.batch.samples.resize(100);
  memory.batch.metadata.resize(2);
  memory.body.assign(5000, 'x');
  const char* const body = memory.body.data();
  spares.give(std::move(memory));

  memory = spares.take();
  CHECK(memory.batch.series.empty());
  CHECK(memory.batch.series.capacity() >= 100);
  CHECK(memory.batch.samples.empty());
  CHECK(memory.batch.samples.capacity() >= 100);
  CHECK(memory.batch.metadata.empty());
  CHECK(memory.body.data() == body);
  CHECK(spares.take().body.capacity() <= std::string().capacity());
}

TEST_CASE("work memory: what one large scrape needed is not kept, nor that of many", "[scrape]") {
  SpareWorkMemory spares;
  WorkMemory large;
  large.body.reserve(2 << 20);
  spares.give(std::move(large));
  CHECK(spares.take().body.capacity() <= std::string().capacity());

  for (int i = 0; i < 100; ++i) {
    WorkMemory memory;
    memory.body.reserve(1000);
    spares.give(std::move(memory));
  }
  int kept = 0;
  while (spares.take().body.capacity() >= 1000) ++kept;
  CHECK(kept > 0);
  CHECK(kept < 20);
}
