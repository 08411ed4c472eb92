// SPDX-License-Identifier: Apache-2.0
// The file of holds: its bytes, what damage does, and what a stop at any step of a change leaves.
#include "storage/holds.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

using Keep = fs::FaultFs::Keep;

constexpr const char* kPath = "data/varve/HOLDS";

model::Matcher regex(const char* name, const char* value) {
  return std::move(model::Matcher::create(model::MatchType::kRegex, name, value)).value();
}

// One hold of a time and one of all time, of two that there were before.
HoldsState two_holds() {
  HoldsState state;
  state.next_id = 4;
  HoldRecord first;
  first.hold.id = "1";
  first.hold.range = {1'700'000'000'000, 1'700'003'600'000};
  first.hold.selectors = {{equal("__name__", "up"), regex("job", "a|b")},
                          {equal("team", "x \"y\" ü")}};
  first.created_ms = 1'700'000'100'000;
  first.comment = "incident 42";
  HoldRecord second;
  second.hold.id = "3";
  second.hold.range = TimeRange::all();
  second.hold.selectors = {{equal("env", "prod")}};
  second.created_ms = 1'700'000'200'000;
  state.records = {first, second};
  return state;
}

std::vector<std::string> ids(const Db& db) {
  std::vector<std::string> out;
  for (const HoldRecord& record : db.holds()) out.push_back(record.hold.id);
  return out;
}

HoldStore opened(fs::FileSystem& files) {
  std::string damage;
  auto store = HoldStore::open(files, "HOLDS", false, damage);
  REQUIRE(store.ok());
  return std::move(*store);
}

TEST_CASE("holds: what is written is read back", "[storage]") {
  const std::string text = holds_text(two_holds());
  const auto read = parse_holds(text);
  REQUIRE(read.ok());
  CHECK(read->next_id == 4);
  REQUIRE(read->records.size() == 2);
  CHECK(read->records[0].hold.range == two_holds().records[0].hold.range);
  CHECK(read->records[0].hold.selectors == two_holds().records[0].hold.selectors);
  CHECK(read->records[0].comment == "incident 42");
  CHECK(read->records[1].hold.id == "3");
  CHECK(read->records[1].hold.range == TimeRange::all());
  CHECK(holds_text(*read) == text);
}

TEST_CASE("holds: the golden file is what is written", "[storage]") {
  std::ifstream golden(VARVE_GOLDEN_DIR "/holds_v1", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(golden), std::istreambuf_iterator<char>()};
  REQUIRE_FALSE(bytes.empty());
  CHECK(holds_text(two_holds()) == bytes);
  CHECK(parse_holds(bytes).ok());
}

TEST_CASE("holds: no flipped bit and no cut is taken for a file of holds", "[storage]") {
  const std::string text = holds_text(two_holds());
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    CAPTURE(at);
    CHECK_FALSE(parse_holds(damaged).ok());
    CHECK_FALSE(parse_holds(text.substr(0, at)).ok());
  }
  CHECK_FALSE(parse_holds(text + " ").ok());
  CHECK(parse_holds("varve-holds 2 x").error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("holds: ids are never used again", "[storage]") {
  fs::FaultFs files;
  HoldStore store = opened(files);
  const std::vector<model::Matchers> selectors{{equal("a", "1")}};
  CHECK(store.add({1, 2}, selectors, "", 5)->hold.id == "1");
  CHECK(store.add({1, 2}, selectors, "", 5)->hold.id == "2");
  REQUIRE(store.release("2").ok());
  CHECK(store.release("2").error().code() == ErrorCode::kNotFound);
  CHECK(store.release("02").error().code() == ErrorCode::kNotFound);
  HoldStore again = opened(files);
  CHECK(again.add({1, 2}, selectors, "", 5)->hold.id == "3");
  CHECK(again.records().size() == 2);
}

TEST_CASE("holds: there is a bound, and what holds nothing is refused", "[storage]") {
  fs::FaultFs files;
  HoldStore store = opened(files);
  const std::vector<model::Matchers> selectors{{equal("a", "1")}};
  CHECK(store.add({2, 1}, selectors, "", 5).error().code() == ErrorCode::kInvalidArgument);
  CHECK(store.add({1, 2}, {}, "", 5).error().code() == ErrorCode::kInvalidArgument);
  CHECK(store.add({1, 2}, std::vector<model::Matchers>{{}}, "", 5).error().code() ==
        ErrorCode::kInvalidArgument);
  CHECK(store.add({1, 2}, selectors, "\xff", 5).error().code() == ErrorCode::kInvalidArgument);
  CHECK(store.add({1, 2}, std::vector<model::Matchers>(kHoldSelectorsMax + 1, selectors[0]), "", 5)
            .error()
            .code() == ErrorCode::kLimitExceeded);
  for (std::size_t i = 0; i < kHoldsMax; ++i) REQUIRE(store.add({1, 2}, selectors, "", 5).ok());
  CHECK(store.add({1, 2}, selectors, "", 5).error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("holds: a stop or failure at any step leaves the old holds or the new ones",
          "[storage]") {
  const std::vector<model::Matchers> selectors{{equal("a", "1")}};
  // Adds two, releases one, adds another; what was acknowledged at last.
  const auto change = [&selectors](fs::FaultFs& files) {
    std::vector<std::string> acknowledged;
    std::string damage;
    auto store = HoldStore::open(files, "HOLDS", false, damage);
    if (!store.ok()) return acknowledged;
    for (int i = 0; i < 2; ++i) {
      if (const auto added = store->add({1, 2}, selectors, "", 5); added.ok()) {
        acknowledged.push_back("+" + added->hold.id);
      }
    }
    if (store->release("1").ok()) acknowledged.push_back("-1");
    if (const auto added = store->add({3, 4}, selectors, "", 6); added.ok()) {
      acknowledged.push_back("+" + added->hold.id);
    }
    return acknowledged;
  };
  const auto check = [](fs::FaultFs& files, const std::vector<std::string>& acknowledged) {
    const HoldStore store = opened(files);
    const auto there = [&store](const std::string& id) {
      return std::any_of(store.records().begin(), store.records().end(),
                         [&id](const HoldRecord& record) { return record.hold.id == id; });
    };
    bool released = false;
    for (const std::string& what : acknowledged) released |= what == "-1";
    for (const std::string& what : acknowledged) {
      if (what == "+1") {
        // Its release may have happened without being acknowledged.
        if (released) CHECK_FALSE(there("1"));
      } else if (what[0] == '+') {
        CHECK(there(what.substr(1)));
      }
    }
  };
  std::uint64_t steps = 0;
  {
    fs::FaultFs files;
    REQUIRE(change(files).size() == 4);
    steps = files.steps();
  }
  REQUIRE(steps > 12);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    for (const Keep keep : {Keep::kNothing, Keep::kRandom, Keep::kEverything}) {
      CAPTURE(step, static_cast<int>(keep));
      fs::FaultFs files;
      files.cut_power_at(step);
      const auto acknowledged = change(files);
      files.reboot(keep, step);
      check(files, acknowledged);
    }
    for (const int error : {ENOSPC, EIO}) {
      CAPTURE(step, error);
      fs::FaultFs files;
      files.fail_step(step, error);
      const auto acknowledged = change(files);
      files.clear_faults();
      check(files, acknowledged);
    }
  }
}

TEST_CASE("holds: a database keeps them over a restart and into a copy", "[storage]") {
  World world;
  auto db = world.open();
  const std::vector<model::Matchers> selectors{{equal("__name__", "m")}};
  REQUIRE(db->add_hold({kStart, kStart + 1000}, selectors, "why").ok());
  REQUIRE(db->add_hold(TimeRange::all(), selectors, "").ok());
  REQUIRE(db->release_hold("1").ok());
  CHECK(ids(*db) == std::vector<std::string>{"2"});
  const auto name = db->snapshot(false);
  REQUIRE(name.ok());
  db.reset();
  CHECK(ids(*world.open()) == std::vector<std::string>{"2"});
  Options copy = world.options();
  copy.path = "data/snapshots/" + *name;
  CHECK(ids(*world.open(copy)) == std::vector<std::string>{"2"});
}

TEST_CASE("holds: what is held outlives retention by time and size, until it is released",
          "[storage]") {
  constexpr std::int64_t kHourMs = 3'600'000;
  World world(kStart + 24 * kHourMs);
  Options options = world.options();
  options.retention = std::chrono::milliseconds(0);
  auto db = world.open(options);
  const Labels held{{"__name__", "m"}, {"s", "held"}};
  const Labels other{{"__name__", "m"}, {"s", "other"}};
  for (Timestamp t = kStart; t <= kStart + 24 * kHourMs; t += kHourMs / 4) {
    append(*db, BatchBuilder().add(held, t, 1).add(other, t, 2).batch);
  }
  REQUIRE(db->compact().ok());
  const TimeRange range{kStart + 5 * kHourMs, kStart + 7 * kHourMs};
  const std::vector<model::Matchers> selectors{{equal("s", "held")}};
  REQUIRE(db->add_hold(range, selectors, "").ok());
  const std::vector<model::Matcher> all{equal("__name__", "m")};
  // Of how much of the first 20 hours samples are left, by series.
  const auto old = [&] {
    Contents contents = read_all(*db, all, {kStart, kStart + 20 * kHourMs});
    return std::pair(contents[held.to_string()].size(), contents[other.to_string()].size());
  };
  const std::pair<std::size_t, std::size_t> kept{9, 0};
  db->set_retention(std::chrono::hours(2), 0);
  REQUIRE(db->maintain().ok());
  CHECK(old() == kept);
  REQUIRE(db->close().ok());
  options.retention = std::chrono::hours(2);
  options.retention_bytes = 1;
  db.reset();
  db = world.open(options);
  REQUIRE(db->maintain().ok());
  CHECK(old() == kept);
  REQUIRE(db->release_hold("1").ok());
  REQUIRE(db->maintain().ok());
  CHECK(old() == std::pair<std::size_t, std::size_t>{0, 0});
}

TEST_CASE("holds: a file that cannot be read is never taken for none", "[storage]") {
  World world;
  {
    auto db = world.open();
    const std::vector<model::Matchers> selectors{{equal("__name__", "m")}};
    REQUIRE(db->add_hold(TimeRange::all(), selectors, "").ok());
    REQUIRE(db->close().ok());
  }
  world.files.flip_bit(kPath, 60, 2);
  const auto refused = world.try_open(world.options());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kCorruption);
  CHECK_THAT(refused.error().message(), Catch::Contains("HOLDS: holds: checksum mismatch") &&
                                            Catch::Contains("--repair"));
  Options repairing = world.options();
  repairing.repair = true;
  auto db = world.open(repairing);
  CHECK(db->holds().empty());
  CHECK(world.files.exists("data/varve/HOLDS.corrupt").value());
  CHECK_THAT(world.log_text, Catch::Contains("holds set aside"));
  db.reset();
  CHECK(world.open()->holds().empty());
}

}  // namespace
}  // namespace varve::storage::test
