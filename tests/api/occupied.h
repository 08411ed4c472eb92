// SPDX-License-Identifier: Apache-2.0
// All threads of a pool, kept from other work for as long as this lives.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <latch>
#include <memory>

#include "base/thread_pool.h"

namespace varve::test {

class Occupied {
 public:
  explicit Occupied(base::ThreadPool& pool) {
    const auto all = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(pool.size()));
    for (std::size_t i = 0; i < pool.size(); ++i) {
      REQUIRE(pool.try_post([all, over = over_] {
        all->count_down();
        over->wait();
      }));
    }
    all->wait();
  }
  ~Occupied() { over_->count_down(); }
  Occupied(const Occupied&) = delete;
  Occupied& operator=(const Occupied&) = delete;

 private:
  const std::shared_ptr<std::latch> over_ = std::make_shared<std::latch>(1);
};

}  // namespace varve::test
