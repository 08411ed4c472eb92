// SPDX-License-Identifier: Apache-2.0
// Pins the bytes of version 1: what it wrote must be read for ever.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "block_rig.h"
#include "fs/real_fs.h"

using namespace varve;
using namespace varve::storage::block;

TEST_CASE("block golden: version 1 is read, and written byte for byte", "[storage][block]") {
  const auto series = some_series(1, 30);
  const auto rig = make_rig(series);
  Tombstones tombstones;
  tombstones.add(4, {1'700'000'000'000, 1'700'000'100'000});
  tombstones.add(9, TimeRange::all());
  REQUIRE(rig->block->set_tombstones(rig->files, tombstones).ok());
  fs::RealFs files;
  const std::string golden = fs::join(VARVE_GOLDEN_DIR, "block-v1");
  // Set this after a change of the format on purpose, which is then a new version.
  if (std::getenv("VARVE_WRITE_GOLDEN") != nullptr) {
    REQUIRE(files.create_directories(golden).ok());
    for (const char* name : {"index", "data", "tombstones"}) {
      REQUIRE(
          files
              .write_file_atomically(fs::join(golden, name),
                                     rig->files.read_file(fs::join("block", name), 1 << 20).value())
              .ok());
    }
  }
  for (const char* name : {"index", "data", "tombstones"}) {
    CAPTURE(name);
    const bool equal = files.read_file(fs::join(golden, name), 1 << 20).value() ==
                       rig->files.read_file(fs::join("block", name), 1 << 20).value();
    CHECK(equal);
  }
  const auto block = Block::open(files, golden, 77).value();
  REQUIRE(block->series_count() == series.size());
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    CHECK(block->labels(i).value() == series[i].labels);
    CHECK(block->hash(i).value() == series[i].hash);
    CHECK(read_series(*block, i).value() == expected(series[i]));
  }
  CHECK(block->tombstones()->of(4).size() == 1);
  CHECK(block->verify([](const Error& error) { FAIL(error.message()); }) == 0);
}
