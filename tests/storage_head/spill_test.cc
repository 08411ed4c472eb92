// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "fs/fault_fs.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"

namespace varve::storage::head {
namespace {

std::string pattern(std::size_t i) { return std::string(1000 + i % 500, static_cast<char>(i * 7)); }

TEST_CASE("spill store: gives back every byte, across buffers, files and a full disk",
          "[storage][head]") {
  fs::FaultFs files;
  base::MemoryAccount account("test");
  auto store = SpillStore::create(files, "head", account);
  REQUIRE(store.ok());
  std::vector<SpillPlace> places;
  const bool disk_full = GENERATE(false, true);
  constexpr std::size_t kPieces = 60'000;  // more than one file
  for (std::size_t i = 0; i < kPieces; ++i) {
    if (disk_full && i == 2000) files.fill_disk_at(files.steps() + 1);
    if (disk_full && i == 9000) {
      CHECK((*store)->pending_bytes() > 4 * SpillStore::kBufferBytes);
      files.make_space();
    }
    places.push_back((*store)->append(pattern(i), 1, static_cast<Timestamp>(i)));
  }
  const auto right = [&](std::size_t i) {
    std::vector<char> scratch;
    const auto bytes = (*store)->read(places[i], scratch);
    return bytes.ok() && *bytes == pattern(i);
  };
  for (std::size_t i = 0; i < kPieces; i += 7) REQUIRE(right(i));
  REQUIRE((*store)->flush().ok());
  CHECK((*store)->pending_bytes() == 0);
  for (std::size_t i = 0; i < kPieces; i += 7) REQUIRE(right(i));

  (*store)->drop_before(kPieces);  // the last file stays
  std::vector<char> scratch;
  const auto gone = (*store)->read(places[0], scratch);
  REQUIRE_FALSE(gone.ok());
  CHECK(gone.error().code() == ErrorCode::kNotFound);
  CHECK(right(kPieces - 1));
}

TEST_CASE("spill store: a mapped file reaches as far as was asked and outlives the file",
          "[storage][head]") {
  fs::FaultFs files;
  base::MemoryAccount account("test");
  auto store = SpillStore::create(files, "head", account);
  REQUIRE(store.ok());
  const SpillPlace first = (*store)->append(pattern(0), 1, 0);
  const auto at = [](const auto& file, SpillPlace place) {
    return SpillStore::verify(place, file->bytes().substr(place.offset(), place.stored_length()));
  };
  CHECK((*store)->map(first) == nullptr);  // not in a file yet
  REQUIRE((*store)->flush().ok());
  const auto early = (*store)->map(first);
  REQUIRE(early != nullptr);
  CHECK(early->bytes().size() == first.stored_length());
  CHECK(at(early, first).value() == pattern(0));

  const SpillPlace second = (*store)->append(pattern(1), 1, 1);
  REQUIRE((*store)->flush().ok());
  CHECK((*store)->map(first) == early);  // reaches far enough
  const auto grown = (*store)->map(second);
  REQUIRE(grown != nullptr);
  CHECK(at(grown, first).value() == pattern(0));
  CHECK(at(grown, second).value() == pattern(1));

  for (std::size_t i = 2; (*store)->size_bytes() < SpillStore::kFileBytes + 100'000; ++i) {
    (*store)->append(pattern(i), 1, static_cast<Timestamp>(i));
  }
  REQUIRE((*store)->flush().ok());
  (*store)->drop_before(1'000'000);
  CHECK((*store)->map(first) == nullptr);
  CHECK(at(early, first).value() == pattern(0));
}

TEST_CASE("spill store: a place whose bytes are not those that were written is corruption",
          "[storage][head]") {
  fs::FaultFs files;
  base::MemoryAccount account("test");
  auto store = SpillStore::create(files, "head", account);
  REQUIRE(store.ok());
  const SpillPlace place = (*store)->append(pattern(3), 1, 0);
  REQUIRE((*store)->flush().ok());
  const std::string stored((*store)->map(place)->bytes());
  for (std::size_t i = 0; i < stored.size(); i += 3) {
    std::string changed = stored;
    changed[i] = static_cast<char>(changed[i] ^ 16);
    const auto bytes = SpillStore::verify(place, changed);
    REQUIRE_FALSE(bytes.ok());
    REQUIRE(bytes.error().code() == ErrorCode::kCorruption);
  }
}

TEST_CASE("spill store: what an earlier process left is removed", "[storage][head]") {
  fs::FaultFs files;
  REQUIRE(files.create_directories("head").ok());
  REQUIRE(files.write_file_atomically("head/000007", "old").ok());
  base::MemoryAccount account("test");
  auto store = SpillStore::create(files, "head", account);
  REQUIRE(store.ok());
  CHECK(files.exists("head/000007").value());  // a snapshot may need it
  REQUIRE((*store)->adopt({}).ok());
  CHECK(files.list("head")->empty());
}

TEST_CASE("time columns: equal times are stored once", "[storage][head]") {
  fs::FaultFs files;
  base::MemoryAccount account("test");
  auto store = SpillStore::create(files, "head", account);
  auto columns = TimeColumns::create(**store, account);
  REQUIRE(columns.ok());
  const std::vector<Timestamp> a{1, 2, 5};
  const std::vector<Timestamp> b{1, 2, 6};
  const TimeColumnId first = (*columns)->intern(a);
  const TimeColumnId second = (*columns)->intern(b);
  CHECK(first != second);
  CHECK((*columns)->intern(a) == first);
  CHECK((*columns)->intern(b) == second);
  CHECK((*columns)->size() == 2);
  CHECK((**columns)[second].range == TimeRange{1, 6});
  CHECK((**columns)[second].count == 3);
}

}  // namespace
}  // namespace varve::storage::head
