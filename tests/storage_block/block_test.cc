// SPDX-License-Identifier: Apache-2.0
#include "storage/block/block.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <numeric>

#include "block_rig.h"

using namespace varve;
using namespace varve::storage::block;

namespace {

Ordinals ordinals_of(const Block& block) {
  Ordinals all(block.series_count());
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

std::string message_of(const Error& error) { return error.message(); }

}  // namespace

TEST_CASE("block: what was written is read, for any number of series", "[storage][block]") {
  const auto count = GENERATE(1u, 2u, 127u, 128u, 129u, 3000u);
  const std::uint64_t seed = 5 + count;
  CAPTURE(count, seed);
  const auto series = some_series(seed, count);
  const auto rig = make_rig(series);
  const Block& block = *rig->block;
  REQUIRE(block.series_count() == series.size());
  const auto labels = block.labels(OrdinalSpan(ordinals_of(block)));
  REQUIRE(labels.ok());
  std::uint64_t chunks = 0;
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    CAPTURE(i);
    CHECK((*labels)[i] == series[i].labels);
    if (i % 7 == 0) CHECK(block.labels(i).value() == series[i].labels);
    CHECK(block.hash(i).value() == series[i].hash);
    const auto samples = read_series(block, i);
    REQUIRE(samples.ok());
    CHECK(*samples == expected(series[i]));
    chunks += series[i].chunks.size();
  }
  CHECK(block.meta().chunks == chunks);
  CHECK(block.meta().series == series.size());
  CHECK(block.meta().level == 2);
  CHECK(block.meta().sources == rig_meta().sources);
  CHECK(block.meta().bytes == rig->meta.bytes);
  CHECK(to_json(block.meta()) == to_json(rig->meta));
  std::vector<std::string> findings;
  CHECK(block.verify([&](const Error& error) { findings.push_back(message_of(error)); }) == 0);
  CHECK(findings == std::vector<std::string>());
}

TEST_CASE("block: a block without series opens and answers nothing", "[storage][block]") {
  const auto rig = make_rig({});
  const Block& block = *rig->block;
  CHECK(block.series_count() == 0);
  CHECK(block.meta().range.empty());
  CHECK(block.select({})->empty());
  CHECK(block.label_names()->empty());
  CHECK(block.label_values("job")->empty());
  CHECK(block.verify([](const Error& error) { FAIL(error.message()); }) == 0);
}

TEST_CASE("block: only chunks that overlap the range are given", "[storage][block]") {
  const auto series = some_series(3, 200);
  const auto rig = make_rig(series);
  const Timestamp start = series[0].chunks[0].times[0];
  for (const TimeRange range :
       {TimeRange{start, start}, TimeRange{start + 1'000'000, start + 2'000'000},
        TimeRange{0, start - 10'000}, TimeRange{start + 900'000, start + 900'001}}) {
    CAPTURE(range.min_ms, range.max_ms);
    for (std::uint32_t i = 0; i < series.size(); ++i) {
      const auto samples = read_series(*rig->block, i, range);
      REQUIRE(samples.ok());
      CHECK(*samples == expected(series[i], range));
    }
  }
}

TEST_CASE("block: a label column has the distinct values of the series asked for",
          "[storage][block]") {
  const auto series = some_series(8, 1000);
  const auto rig = make_rig(series);
  const auto step = GENERATE(1u, 3u, 400u);
  CAPTURE(step);
  Ordinals asked;
  for (std::uint32_t i = 0; i < series.size(); i += step) asked.push_back(i);
  for (const std::string_view name :
       {"__name__", "instance", "cpu", "unique", "mode", "job", "nowhere"}) {
    CAPTURE(name);
    const auto column = rig->block->label_column(asked, name);
    REQUIRE(column.ok());
    REQUIRE(column->ids.size() == asked.size());
    REQUIRE(column->values[0].empty());
    std::map<std::string, std::size_t> used;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto value = std::string(column->values[column->ids[i]]);
      CHECK(value == series[asked[i]].labels.get(name));
      if (!value.empty()) ++used[value];
    }
    std::vector<std::string> distinct;
    for (const auto& [value, times] : used) distinct.push_back(value);
    CHECK(std::vector<std::string>(column->values.begin() + 1, column->values.end()) == distinct);
    CHECK(rig->block->label_values(name, asked).value() == distinct);
    if (step == 1) CHECK(rig->block->label_values(name).value() == distinct);
  }
}

TEST_CASE("block: label names of all series and of some", "[storage][block]") {
  const auto series = some_series(9, 300);
  const auto rig = make_rig(series);
  CHECK(rig->block->label_names().value() ==
        std::vector<std::string>{"__name__", "cpu", "instance", "job", "mode", "unique"});
  for (std::uint32_t i = 0; i < series.size(); i += 11) {
    std::vector<std::string> own;
    for (const LabelView& label : series[i].labels) own.emplace_back(label.name);
    CHECK(rig->block->label_names(OrdinalSpan(&i, 1)).value() == own);
  }
}

TEST_CASE("block: series must ascend and have chunks that do not overlap", "[storage][block]") {
  auto series = some_series(4, 10);
  fs::FaultFs files;
  SECTION("series") {
    std::swap(series[3], series[4]);
    CHECK(write_block(files, "block", series).error().code() == ErrorCode::kInternal);
  }
  SECTION("chunks") {
    series[2].chunks.push_back(series[2].chunks.back());
    CHECK(write_block(files, "block", series).error().code() == ErrorCode::kInternal);
  }
}

TEST_CASE("block: another database's block, and one of a newer format, are told apart from damage",
          "[storage][block]") {
  const auto rig = make_rig(some_series(4, 10));
  CHECK(Block::open(rig->files, "block", 78).error().code() == ErrorCode::kInvalidArgument);
  CHECK(Block::open(rig->files, "block").ok());
  rig->files.flip_bit("block/index", 4, 1);  // version 1 becomes 3
  rig->files.flip_bit("block/index", rig->files.size("block/index").value() - 12, 1);
  const auto newer = Block::open(rig->files, "block");
  REQUIRE(!newer.ok());
  CHECK(newer.error().code() == ErrorCode::kInvalidArgument);
  CHECK(newer.error().message().find("newer") != std::string::npos);
}

TEST_CASE("block: deletes are seen by those who ask afterwards", "[storage][block]") {
  const auto rig = make_rig(some_series(4, 10));
  const auto before = rig->block->tombstones();
  REQUIRE(before->empty());
  Tombstones tombstones;
  tombstones.add(3, {10, 20});
  tombstones.add(3, {21, 30});
  tombstones.add(3, {50, 60});
  tombstones.add(5, {TimeRange::all().min_ms, TimeRange::all().max_ms});
  REQUIRE(rig->block->set_tombstones(rig->files, tombstones).ok());
  CHECK(before->empty());
  for (const bool reopened : {false, true}) {
    CAPTURE(reopened);
    if (reopened) rig->block = Block::open(rig->files, "block").value();
    const auto now = rig->block->tombstones();
    REQUIRE(now->of(3).size() == 2);
    CHECK(now->of(3)[0] == TimeRange{10, 30});
    CHECK(now->of(3)[1] == TimeRange{50, 60});
    CHECK(now->of(4).empty());
    CHECK(now->of(5).size() == 1);
    CHECK(now->series_count() == 2);
  }
}

TEST_CASE("meta: survives JSON; hostile text is corruption", "[storage][block]") {
  BlockMeta meta = rig_meta();
  meta.range = TimeRange::all();
  meta.hash_fingerprint = ~std::uint64_t{0};
  meta.out_of_order = true;
  const auto again = meta_from_json(to_json(meta));
  REQUIRE(again.ok());
  CHECK(to_json(*again) == to_json(meta));
  for (const std::string_view text :
       {"", "{}", "[]", "{\"ulid\":7}", "{\"ulid\":\"../../../../../etc/passwd..\"}"}) {
    CHECK(meta_from_json(text).error().code() == ErrorCode::kCorruption);
  }
  std::string path = to_json(meta);
  path.replace(path.find(meta.ulid), 26, "../HF00000000000000000000AB");
  CHECK(!meta_from_json(path).ok());
}

TEST_CASE("ulid: sorts by time, and no two are equal", "[storage][block]") {
  const std::string a = make_ulid(1'700'000'000'000);
  const std::string b = make_ulid(1'700'000'000'001);
  CHECK(is_ulid(a));
  CHECK(a < b);
  CHECK(a.substr(0, 10) == make_ulid(1'700'000'000'000).substr(0, 10));
  CHECK(a != make_ulid(1'700'000'000'000));
  CHECK(!is_ulid("01HF00000000000000000000A"));
  CHECK(!is_ulid("01hf00000000000000000000ab"));
  CHECK(!is_ulid("81HF00000000000000000000AB"));
  CHECK(!is_ulid("01HF00000000000000000000AU"));
}
