// SPDX-License-Identifier: Apache-2.0
// What an index is made of: packed arrays, id columns, dictionaries, lists of ordinals.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "fs/fault_fs.h"
#include "storage/block/dictionary.h"
#include "storage/block/ordinals.h"
#include "storage/block/packed.h"
#include "storage/block/paged_file.h"

using namespace varve;
using namespace varve::storage::block;

namespace {

constexpr std::uint32_t kMagic = 0x54534554;

// Some bytes as a file.
struct Stored {
  fs::FaultFs files;
  std::unique_ptr<PagedFile> file;

  explicit Stored(std::string_view bytes) {
    const auto writer = PagedWriter::create(files, "file", kMagic).value();
    if (!writer->append(bytes).ok() || !writer->finish(0, 0).ok()) FAIL("not written");
    file = std::move(PagedFile::open(files, "file", kMagic)).value();
  }
  Extent extent() const { return {file.get(), 8, file->content_bytes() - 8}; }
};

std::vector<std::uint32_t> ids_of_shape(int shape, std::size_t count, std::mt19937_64& random) {
  std::vector<std::uint32_t> ids;
  for (std::size_t i = 0; i < count; ++i) {
    switch (shape) {
      case 0:
        ids.push_back(7);
        break;
      case 1:
        ids.push_back(static_cast<std::uint32_t>(i / 300));
        break;
      case 2:
        ids.push_back(static_cast<std::uint32_t>(i % 10));
        break;
      case 3:
        ids.push_back(static_cast<std::uint32_t>(random() % 1000));
        break;
      case 4:
        ids.push_back(static_cast<std::uint32_t>(i / (1 + random() % 3)));
        break;
      default:
        ids.push_back(random() % 20 == 0 ? 3 : 0);
        break;
    }
  }
  return ids;
}

}  // namespace

TEST_CASE("paged file: content of any length is read back", "[storage][block]") {
  const auto size = GENERATE(0u, 1u, 65527u, 65528u, 65529u, 300'000u);
  std::string content;
  std::mt19937_64 random(size);
  for (std::size_t i = 0; i < size; ++i) content += static_cast<char>(random());
  const Stored stored(content);
  CHECK(stored.extent().all().value() == content);
  CHECK(!stored.file->read(8, size + 1).ok());
  CHECK(!stored.file->read(~std::uint64_t{0}, 1).ok());
  CHECK(!stored.file->read(9, ~std::uint64_t{0}).ok());
  CHECK(stored.file->read(8 + size, 0).ok());
}

TEST_CASE("id column: every shape reads back, one by one, gathered and as runs",
          "[storage][block]") {
  const auto shape = GENERATE(range(0, 6));
  const auto count = GENERATE(1u, 127u, 128u, 129u, 5000u, 40'000u);
  CAPTURE(shape, count);
  std::mt19937_64 random(count);
  const auto ids = ids_of_shape(shape, count, random);
  std::string bytes;
  write_id_column(ids, bytes);
  const Stored stored(bytes);
  const auto column =
      IdColumn::open(stored.extent(), count, *std::max_element(ids.begin(), ids.end())).value();
  for (std::uint32_t i = 0; i < count; i += 1 + count / 50) CHECK(column.get(i).value() == ids[i]);
  std::vector<std::uint32_t> asked;
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 0; i < count; i += static_cast<std::uint32_t>(1 + random() % 700)) {
    asked.push_back(i);
    wanted.push_back(ids[i]);
  }
  std::vector<std::uint32_t> got(asked.size());
  REQUIRE(column.gather(asked, got).ok());
  CHECK(got == wanted);
  std::vector<std::uint32_t> visited;
  REQUIRE(column
              .visit([&](std::uint32_t begin, std::uint32_t end, std::uint32_t id) {
                CHECK(begin == visited.size());
                visited.insert(visited.end(), end - begin, id);
              })
              .ok());
  CHECK(visited == ids);
}

TEST_CASE("id column: an id above the largest is corruption", "[storage][block]") {
  std::string bytes;
  write_id_column(std::vector<std::uint32_t>{1, 2, 9, 2, 1, 2, 3, 4}, bytes);
  const Stored stored(bytes);
  const auto column = IdColumn::open(stored.extent(), 8, 8).value();
  CHECK(column.get(2).error().code() == ErrorCode::kCorruption);
}

TEST_CASE("dictionary: finds what is in it, and where the rest would be", "[storage][block]") {
  const auto count = GENERATE(1u, 15u, 16u, 17u, 1000u);
  std::mt19937_64 random(count);
  std::set<std::string> values;
  while (values.size() < count) {
    std::string value = "prefix-" + std::to_string(random() % 100);
    value.append(random() % 3 == 0 ? 200 : random() % 30, 'x');
    values.insert(value + std::to_string(random() % 1000));
  }
  DictionaryWriter writer;
  for (const std::string& value : values) writer.push(value);
  std::string strings;
  std::string starts;
  writer.finish(strings, starts);
  const Stored stored(strings + starts);
  const Extent all = stored.extent();
  const Dictionary dictionary(all.part(0, strings.size()).value(),
                              all.part(strings.size(), starts.size()).value(), count);
  std::uint32_t id = 0;
  for (const std::string& value : values) {
    ++id;
    CHECK(dictionary.find(value).value() == id);
    CHECK(dictionary.lower_bound(value).value() == id);
    CHECK(dictionary.find(value + "!").value() == 0);
    CHECK(dictionary.lower_bound(value + '\0').value() == id + 1);
    std::string text;
    REQUIRE(dictionary.append(id, text).ok());
    CHECK(text == value);
  }
  CHECK(dictionary.lower_bound("").value() == 1);
  CHECK(dictionary.lower_bound("zzz").value() == count + 1);
  std::vector<std::string> seen;
  REQUIRE(dictionary
              .visit(1, count + 1,
                     [&](std::uint32_t, std::string_view value) {
                       seen.emplace_back(value);
                       return true;
                     })
              .ok());
  CHECK(seen == std::vector<std::string>(values.begin(), values.end()));
}

TEST_CASE("ordinals: lists of every shape read back", "[storage][block]") {
  std::mt19937_64 random(3);
  std::vector<std::vector<std::uint32_t>> lists = {{0},      {255},  {256},
                                                   {70'000}, {0, 1}, {5, 90'000}};
  for (const std::uint32_t one_in : {1u, 2u, 3u, 9u, 100u, 5000u}) {
    std::vector<std::uint32_t> scattered;
    std::vector<std::uint32_t> regular;
    std::vector<std::uint32_t> runs;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
      if (random() % one_in == 0) scattered.push_back(i);
      if (i % one_in == 0) regular.push_back(i);
      if (i / 37 % one_in == 0) runs.push_back(i);
    }
    lists.insert(lists.end(), {scattered, regular, runs});
  }
  for (const auto& list : lists) {
    CAPTURE(list.size(), list.front(), list.back());
    std::string bytes;
    write_ordinals(list, bytes);
    const Stored stored(bytes);
    CHECK(count_ordinals(stored.extent()).value() == list.size());
    std::vector<std::uint32_t> got;
    REQUIRE(read_ordinals(stored.extent(), 100'000, got).ok());
    CHECK(got == list);
    // Never much more than two bytes for each.
    CHECK(bytes.size() <= 16 + list.size() * 2);
    got.clear();
    CHECK(read_ordinals(stored.extent(), list.back(), got).error().code() ==
          ErrorCode::kCorruption);
  }
}

TEST_CASE("ordinals: what lists have in common, for long and short ones", "[storage][block]") {
  std::mt19937_64 random(8);
  for (int round = 0; round < 50; ++round) {
    std::set<std::uint32_t> a;
    std::set<std::uint32_t> b;
    for (std::uint64_t i = 0; i < random() % 50; ++i) {
      a.insert(static_cast<std::uint32_t>(random() % 3000));
    }
    for (std::uint64_t i = 0; i < random() % 3000; ++i) {
      b.insert(static_cast<std::uint32_t>(random() % 3000));
    }
    const std::vector<std::uint32_t> other(b.begin(), b.end());
    std::vector<std::uint32_t> both(a.begin(), a.end());
    std::vector<std::uint32_t> only = both;
    std::vector<std::uint32_t> reverse = other;
    keep_common(both, other);
    drop_common(only, other);
    keep_common(reverse, std::vector<std::uint32_t>(a.begin(), a.end()));
    std::vector<std::uint32_t> wanted_both;
    std::vector<std::uint32_t> wanted_only;
    for (const std::uint32_t one : a) (b.count(one) > 0 ? wanted_both : wanted_only).push_back(one);
    CHECK(both == wanted_both);
    CHECK(only == wanted_only);
    CHECK(reverse == wanted_both);
  }
}
