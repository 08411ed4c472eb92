// SPDX-License-Identifier: Apache-2.0
// Chains of several shards, which share the memory that pages come from; meant for the thread
// sanitizer.
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "storage/head/block_arena.h"

namespace varve::storage::head {
namespace {

struct Chain {
  BlockRef newest = 0;
  std::size_t length = 0;
  unsigned char fill = 0;
};

// As a shard: the chains are looked at and changed under its lock.
struct Owner {
  explicit Owner(BlockMemory& memory) : arena(memory) {}
  std::mutex mutex;  // guards what follows
  BlockArena arena;
  std::array<Chain, 50> chains;
};

bool intact(const Owner& owner, const Chain& chain) {
  std::size_t length = 0;
  for (BlockRef ref = chain.newest; ref != 0; ref = owner.arena.at(ref).older, ++length) {
    for (const std::byte byte : owner.arena.at(ref).bytes) {
      if (byte != std::byte{chain.fill}) return false;
    }
  }
  return length == chain.length;
}

TEST_CASE("block arena: chains of shards that grow and go at once stay whole for their readers",
          "[storage][head][threads]") {
  base::MemoryAccount account("test");
  const auto memory = BlockMemory::create(account).value();
  std::vector<std::unique_ptr<Owner>> owners;
  for (int i = 0; i < 3; ++i) owners.push_back(std::make_unique<Owner>(*memory));
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};

  const auto write = [&](Owner& owner, unsigned seed) {
    std::mt19937 random(seed);
    for (int step = 0; step < 20'000; ++step) {
      const std::lock_guard lock(owner.mutex);
      Chain& chain = owner.chains[random() % owner.chains.size()];
      if (random() % 16 == 0) {
        if (!intact(owner, chain)) ++wrong;
        owner.arena.release(chain.newest);
        chain = Chain();
        chain.fill = static_cast<unsigned char>(random());
      } else {
        chain.newest = owner.arena.allocate(chain.newest);
        owner.arena.at(chain.newest).bytes.fill(std::byte{chain.fill});
        ++chain.length;
      }
    }
  };
  const auto read = [&] {
    std::size_t at = 0;
    do {
      Owner& owner = *owners[at++ % owners.size()];
      const std::lock_guard lock(owner.mutex);
      if (!intact(owner, owner.chains[at % owner.chains.size()])) ++wrong;
    } while (!done.load());
  };
  std::thread reader(read);
  std::vector<std::thread> writers;
  unsigned seed = 11;
  for (const auto& owner : owners) writers.emplace_back(write, std::ref(*owner), seed++);
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  for (const auto& owner : owners) {
    std::uint64_t held = owner->arena.free_bytes();
    for (const Chain& chain : owner->chains) {
      if (!intact(*owner, chain)) ++wrong;
      held += chain.length * sizeof(Block);
      owner->arena.release(chain.newest);
    }
    // Nothing is lost: what is not in a chain is free, and after the last one all is.
    CHECK(owner->arena.free_bytes() == held);
  }
  CHECK(wrong.load() == 0);
}

}  // namespace
}  // namespace varve::storage::head
