// SPDX-License-Identifier: Apache-2.0
// Series that are kept shorter than others leave their blocks: a block that has some of them past
// their retention is written anew without them, and their labels with them.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/metrics.h"
#include "storage/engine.h"
#include "storage/rollup.h"
#include "varve/result.h"

namespace varve::storage {

// By one thread at a time (maintenance).
class Trim {
 public:
  Trim(const Engine& engine, Rollup& rollup);

  // The next block that has to be written anew, if any; whether there was one.
  Result<bool> next();

 private:
  // Up to which time each class is expired, as looked for in a block; equal ones need no second
  // look.
  using Looked = std::vector<bool>;

  // The same, for a block that may be damaged: it stays as it is then.
  Result<bool> try_trim(const std::shared_ptr<const Keeping>& keeping,
                        const std::shared_ptr<block::Block>& block,
                        const std::vector<Timestamp>& expired);
  Result<bool> trim(const std::shared_ptr<const Keeping>& keeping,
                    const std::shared_ptr<block::Block>& block,
                    const std::vector<Timestamp>& expired);
  // False: it would not be known of whom what has gone.
  static bool note_gone(const Keeping& keeping, const std::vector<bool>& past,
                        const block::BlockMeta& meta, LadderState& ladder);
  Status rewrite(std::shared_ptr<block::Block> block, std::function<bool(const Labels&)> leaves,
                 LadderState ladder);

  const Engine engine_;
  Rollup& rollup_;
  std::map<std::string, Looked> looked_;  // by ULID
  std::set<std::string> damaged_;         // ULIDs
  bool full_reported_ = false;
  std::shared_ptr<const Keeping> looked_with_;
  base::Counter& rewritten_;
  base::Counter& rewritten_bytes_;
};

}  // namespace varve::storage
