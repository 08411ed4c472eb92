// SPDX-License-Identifier: Apache-2.0
// What the log has come to, beside its segments: which one is the newest, what was let go of, and
// whether it was closed. Frames cannot say that nothing follows them, so without it the end of the
// log could go missing unnoticed. See FORMAT.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::storage::wal {

struct LogState {
  std::uint64_t number = 0;   // counts what was said, from 1 on: the newest counts
  std::uint32_t segment = 0;  // the newest there has been, 0: none yet
  std::uint64_t bytes = 0;    // of it: what it was made with; once closed, where it ends
  std::uint64_t seq = 0;      // once closed, of the newest frame
  bool closed = false;        // nothing came behind that
  // Segments below this one are not needed, since there was a snapshot with this number. 0: none.
  std::uint32_t retired_before = 0;
  std::uint32_t snapshot = 0;

  friend bool operator==(const LogState&, const LogState&) = default;
};

// What the file says: the newest of its slots, and what is wrong with the other one if that is
// neither whole nor empty.
struct LogStateReading {
  LogState state;
  std::optional<Error> damage;

  friend bool operator==(const LogStateReading& a, const LogStateReading& b) {
    return a.state == b.state && a.damage.has_value() == b.damage.has_value();
  }
};

// The bytes of a slot, without what fills it up.
std::string encode_log_state(const LogState& state);
// The whole file that says this and nothing older.
std::string new_log_state_file(const LogState& state);
// For hostile bytes, those of a file; `path` is for messages. kCorruption: no slot is whole.
Result<LogStateReading> decode_log_state(std::string_view bytes, const std::string& path);

std::string log_state_path(const std::string& directory);
// Of the log in this directory; nullopt if it has none. kCorruption, kIo.
Result<std::optional<LogStateReading>> read_log_state(fs::FileSystem& files,
                                                      const std::string& directory);
// Durable on return; until then, and after an error, what was said before still stands. `state` is
// numbered one higher than that. Takes no space but for the first one, which makes the file anew.
Status write_log_state(fs::FileSystem& files, const std::string& directory, const LogState& state);

}  // namespace varve::storage::wal
