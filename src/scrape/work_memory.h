// SPDX-License-Identifier: Apache-2.0
// What a scrape works with: the memory of its decompressed body and of its batch. A target has none
// of it between scrapes, as thousands of them would hold most of the memory; but what one scrape
// has done with is handed to the next, whichever target's: to get it from the system anew and have
// it cleared was a tenth of what a scrape cost.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "storage/write_batch.h"

namespace varve::scrape {

struct WorkMemory {
  storage::WriteBatch batch;  // empty
  std::string body;           // contents without meaning
};

// Thread-safe.
class SpareWorkMemory {
 public:
  // What a scrape has done with, or nothing.
  WorkMemory take();
  // Kept unless it is large or enough are there.
  void give(WorkMemory memory);

 private:
  // A usual scrape needs 50 to 500 kB.
  static constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;
  static constexpr std::size_t kKeptMax = 8;  // about as many as scrapes are read at a time

  std::mutex mutex_;  // guards spare_
  std::vector<WorkMemory> spare_;
};

}  // namespace varve::scrape
