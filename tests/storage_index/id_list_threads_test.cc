// SPDX-License-Identifier: Apache-2.0
// A list of ids under one writer and several readers; meant for the thread sanitizer.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/memory_account.h"
#include "storage/index/id_list.h"

namespace varve::storage::index {
namespace {

constexpr std::uint32_t kIds = 60'000;

// Long runs, short ones and ids that stand alone, one kind after the other, so that segments of
// runs and of ids take turns.
std::vector<std::uint32_t> some_ids() {
  std::vector<std::uint32_t> ids;
  std::uint32_t id = 7;
  for (std::uint32_t i = 0; ids.size() < kIds; ++i) {
    const std::uint32_t part = i / 64 % 3;
    const std::uint32_t length = part == 0 ? 100 : part == 1 ? 2 + i % 3 : 1;
    for (std::uint32_t k = 0; k < length; ++k) ids.push_back(id++);
    id += 1 + i % 5;
  }
  return ids;
}

TEST_CASE("id list: readers see the beginning of what the writer appends, whatever they ask",
          "[storage][index][threads]") {
  const std::vector<std::uint32_t> ids = some_ids();
  base::MemoryAccount account("test");
  Arena arena(account);
  IdList list{};
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};
  std::atomic<unsigned> at_work{0};
  const auto read = [&](unsigned reader) {
    std::vector<std::uint32_t> copy;
    bool last = false;
    for (std::size_t round = reader; !last; ++round) {
      last = done.load();  // what comes then is all there will be
      const std::uint32_t size = list.size();
      switch (round % 3) {
        case 0: {
          copy.clear();
          list.copy_to(~std::uint32_t{0}, copy);
          if (copy.size() < size || copy.size() > ids.size() ||
              !std::equal(copy.begin(), copy.end(), ids.begin())) {
            ++wrong;
          }
          break;
        }
        case 1: {
          std::size_t seen = 0;
          list.visit_runs([&](std::span<const std::uint32_t> run) {
            if (seen + run.size() > ids.size() ||
                !std::equal(run.begin(), run.end(),
                            ids.begin() + static_cast<std::ptrdiff_t>(seen))) {
              ++wrong;
            }
            seen += run.size();
            return true;
          });
          if (seen < size) ++wrong;
          break;
        }
        default: {
          IdList::Cursor cursor(list);
          for (std::size_t i = round % 17; i < size; i += 1 + round % 29) {
            if (!cursor.seek(ids[i])) ++wrong;
          }
          break;
        }
      }
      if (round == reader) ++at_work;
    }
  };
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 3; ++reader) readers.emplace_back(read, reader);
  while (at_work.load() < readers.size()) std::this_thread::yield();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    list.append(ids[i], arena);
    if (i % 512 == 0) std::this_thread::yield();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong.load() == 0);
  CHECK(list.size() == ids.size());
}

}  // namespace
}  // namespace varve::storage::index
