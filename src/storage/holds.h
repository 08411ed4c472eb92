// SPDX-License-Identifier: Apache-2.0
// The holds of a database: which samples no retention may take. They are few and change when people
// ask for it, so all of them stand in one small file, varve/HOLDS, that is replaced as a whole.
// See FORMAT.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "model/matcher.h"
#include "storage/levels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

struct HoldRecord {
  Hold hold;
  Timestamp created_ms = 0;
  std::string comment;  // what people want to remember it by
};

// As PromQL writes it: {__name__="up", job=~"a.*"}.
std::string selector_text(const model::Matchers& matchers);

inline constexpr std::size_t kHoldsMax = 1000;
inline constexpr std::size_t kHoldSelectorsMax = 100;
inline constexpr std::size_t kHoldCommentBytesMax = 1000;

// What the file says. Ids count from 1 and are never used again.
struct HoldsState {
  std::uint64_t next_id = 1;
  std::vector<HoldRecord> records;  // by id, ascending
};

// kCorruption for anything that holds_text() did not write; kInvalidArgument for a newer format.
Result<HoldsState> parse_holds(std::string_view text);
std::string holds_text(const HoldsState& state);

// Of a directory, also beside the process that owns it; nothing if there is no file.
Result<HoldsState> read_holds(fs::FileSystem& files, const std::string& path);

// The owner's. Not thread-safe.
class HoldStore {
 public:
  HoldStore() = default;

  // kCorruption, naming the file: to go on without what it said would let the held samples go. With
  // `repair` it is set aside as HOLDS.corrupt, and `damage` says so.
  static Result<HoldStore> open(fs::FileSystem& files, std::string path, bool repair,
                                std::string& damage);

  const std::vector<HoldRecord>& records() const { return state_.records; }

  // Durable on return. kInvalidArgument: nothing would be held; kLimitExceeded: too many.
  Result<HoldRecord> add(TimeRange range, std::span<const model::Matchers> selectors,
                         std::string comment, Timestamp now_ms);
  // Durable on return. kNotFound.
  Status release(std::string_view id);

 private:
  HoldStore(fs::FileSystem& files, std::string path, HoldsState state)
      : files_(&files), path_(std::move(path)), state_(std::move(state)) {}
  Status write(HoldsState next);

  fs::FileSystem* files_ = nullptr;
  std::string path_;
  HoldsState state_;
};

}  // namespace varve::storage
