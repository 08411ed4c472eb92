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
  std::uint32_t segment = 0;  // the newest there has been, 0: none yet
  std::uint64_t bytes = 0;    // of it: what it was made with; once closed, where it ends
  std::uint64_t seq = 0;      // once closed, of the newest frame
  bool closed = false;        // nothing came behind that
  // Segments below this one are not needed, since there was a snapshot with this number. 0: none.
  std::uint32_t retired_before = 0;
  std::uint32_t snapshot = 0;

  friend bool operator==(const LogState&, const LogState&) = default;
};

std::string encode_log_state(const LogState& state);
// For hostile bytes; `path` is for messages. kCorruption.
Result<LogState> decode_log_state(std::string_view bytes, const std::string& path);

std::string log_state_path(const std::string& directory);
// Of the log in this directory; nullopt if it has none. kCorruption, kIo.
Result<std::optional<LogState>> read_log_state(fs::FileSystem& files, const std::string& directory);
// Replaces it as a whole; durable on return.
Status write_log_state(fs::FileSystem& files, const std::string& directory, const LogState& state);

}  // namespace varve::storage::wal
