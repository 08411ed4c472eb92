// SPDX-License-Identifier: Apache-2.0
// What the reads of one querier have in common: whose memory it is, and what could not be read.
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "varve/result.h"

namespace varve::storage {

// Damage found while reading: every piece is counted, every place logged once in the life of the
// process. Thread-safe; owned by the database.
class DamageLog {
 public:
  DamageLog(base::Logger& log, base::Counter& corrupt_chunks)
      : log_(log), corrupt_chunks_(corrupt_chunks) {}
  void report(const std::string& place, const Error& error);

 private:
  static constexpr std::size_t kPlacesMax = 10'000;  // then it is logged no more

  base::Logger& log_;
  base::Counter& corrupt_chunks_;
  std::mutex mutex_;  // guards places_
  std::set<std::string> places_;
};

// What the read path reports to. Owned by the database; outlives every querier.
struct ReadObservers {
  base::MemoryAccount& memory;  // what selections hold
  DamageLog& damages;
};

// Owned by a querier; thread-safe.
class ReadContext {
 public:
  explicit ReadContext(ReadObservers observers) : observers_(observers) {}

  base::MemoryAccount& memory() const { return observers_.memory; }

  // A piece of `place` ("block 01…") cannot be read and is left out. One warning per place.
  void damaged(const std::string& place, const Error& error);
  // How many pieces that were, so far.
  std::size_t damages() const;
  // In order of `place`, for Querier::warnings().
  std::vector<std::string> warnings() const;

 private:
  const ReadObservers observers_;
  mutable std::mutex mutex_;  // guards what follows
  std::set<std::string> places_;
  std::set<std::string> warnings_;
  std::size_t damages_ = 0;
};

}  // namespace varve::storage
