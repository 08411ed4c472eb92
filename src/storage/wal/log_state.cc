// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/log_state.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/try.h"
#include "storage/wal/bytes.h"
#include "storage/wal/format.h"

namespace varve::storage::wal {
namespace {

// A segment is 16 MiB at least: no log gets there, and what comes next never wraps.
constexpr std::uint32_t kNumberMax = std::uint32_t{1} << 31;

}  // namespace

std::string encode_log_state(const LogState& state) {
  std::string bytes(kLogStateBytes, '\0');
  char* out = put(bytes.data(), kLogStateMagic);
  out = put(out, state.segment);
  out = put(out, state.bytes);
  out = put(out, state.seq);
  out = put(out, state.retired_before);
  out = put(out, state.snapshot);
  out = put(out, std::uint32_t{state.closed ? 1U : 0U});
  out = put(out, std::uint32_t{0});
  put(out, std::uint64_t{XXH3_64bits(bytes.data(), kLogStateBytes - sizeof(std::uint64_t))});
  return bytes;
}

Result<LogState> decode_log_state(std::string_view bytes, const std::string& path) {
  const auto corrupt = [&path](std::size_t at, std::string_view what) {
    return Error(ErrorCode::kCorruption, fmt::format("{} at {}: {}", path, at, what));
  };
  if (bytes.size() != kLogStateBytes) {
    return corrupt(bytes.size(),
                   fmt::format("{} bytes, expected {}", bytes.size(), kLogStateBytes));
  }
  ByteReader in(bytes);
  if (in.fixed<std::uint32_t>() != kLogStateMagic) return corrupt(0, "wrong magic");
  LogState state;
  state.segment = in.fixed<std::uint32_t>();
  state.bytes = in.fixed<std::uint64_t>();
  state.seq = in.fixed<std::uint64_t>();
  state.retired_before = in.fixed<std::uint32_t>();
  state.snapshot = in.fixed<std::uint32_t>();
  const auto closed = in.fixed<std::uint32_t>();
  in.take(sizeof(std::uint32_t));
  const std::size_t checksum_at = kLogStateBytes - sizeof(std::uint64_t);
  if (in.fixed<std::uint64_t>() != XXH3_64bits(bytes.data(), checksum_at)) {
    return corrupt(checksum_at, "checksum mismatch");
  }
  state.closed = closed != 0;
  if (state.segment > kNumberMax || state.snapshot > kNumberMax || closed > 1 ||
      state.seq > ~std::uint64_t{0} / 2) {
    return corrupt(0, "malformed");
  }
  return state;
}

std::string log_state_path(const std::string& directory) { return fs::join(directory, "STATE"); }

Result<std::optional<LogState>> read_log_state(fs::FileSystem& files,
                                               const std::string& directory) {
  const std::string path = log_state_path(directory);
  const auto bytes = files.read_file(path, std::uint64_t{1} << 16);
  if (!bytes.ok() && bytes.error().code() == ErrorCode::kNotFound) {
    return std::optional<LogState>();
  }
  if (!bytes.ok()) return bytes.error();
  VARVE_TRY_ASSIGN(const LogState state, decode_log_state(*bytes, path));
  return std::optional<LogState>(state);
}

Status write_log_state(fs::FileSystem& files, const std::string& directory, const LogState& state) {
  return files.write_file_atomically(log_state_path(directory), encode_log_state(state));
}

}  // namespace varve::storage::wal
