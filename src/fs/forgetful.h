// SPDX-License-Identifier: Apache-2.0
// What a mapped file can be besides (file_system.h): one whose pages cost this process memory once
// they were touched. Those that keep their bytes themselves have nothing to give back.
#pragma once

#include <cstddef>

namespace varve::fs {

class Forgetful {
 public:
  virtual ~Forgetful() = default;
  // The pages of [begin, end) leave this process's memory. They are read as before, which then
  // costs a fault: for who walks through a large file once. Thread-safe.
  virtual void forget(std::size_t begin, std::size_t end) const = 0;
};

}  // namespace varve::fs
