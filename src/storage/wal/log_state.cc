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
constexpr std::uint64_t kSeqMax = ~std::uint64_t{0} / 2;

std::size_t slot_of(const LogState& state) {
  return state.number % kLogStateSlots * kLogStateSlotBytes;
}

Result<LogState> decode_slot(std::string_view bytes) {
  const auto corrupt = [](std::string_view what) {
    return Error(ErrorCode::kCorruption, std::string(what));
  };
  ByteReader in(bytes);
  if (in.fixed<std::uint32_t>() != kLogStateMagic) return corrupt("wrong magic");
  LogState state;
  state.segment = in.fixed<std::uint32_t>();
  state.number = in.fixed<std::uint64_t>();
  state.bytes = in.fixed<std::uint64_t>();
  state.seq = in.fixed<std::uint64_t>();
  state.retired_before = in.fixed<std::uint32_t>();
  state.snapshot = in.fixed<std::uint32_t>();
  const auto closed = in.fixed<std::uint32_t>();
  in.take(sizeof(std::uint32_t));
  const std::size_t checksum_at = kLogStateBytes - sizeof(std::uint64_t);
  if (in.fixed<std::uint64_t>() != XXH3_64bits(bytes.data(), checksum_at)) {
    return corrupt("checksum mismatch");
  }
  state.closed = closed != 0;
  if (state.segment > kNumberMax || state.snapshot > kNumberMax || closed > 1 ||
      state.number == 0 || state.number > kSeqMax || state.seq > kSeqMax) {
    return corrupt("malformed");
  }
  return state;
}

}  // namespace

std::string encode_log_state(const LogState& state) {
  std::string bytes(kLogStateBytes, '\0');
  char* out = put(bytes.data(), kLogStateMagic);
  out = put(out, state.segment);
  out = put(out, state.number);
  out = put(out, state.bytes);
  out = put(out, state.seq);
  out = put(out, state.retired_before);
  out = put(out, state.snapshot);
  out = put(out, std::uint32_t{state.closed ? 1U : 0U});
  out = put(out, std::uint32_t{0});
  put(out, std::uint64_t{XXH3_64bits(bytes.data(), kLogStateBytes - sizeof(std::uint64_t))});
  return bytes;
}

std::string new_log_state_file(const LogState& state) {
  std::string file(kLogStateFileBytes, '\0');
  return file.replace(slot_of(state), kLogStateBytes, encode_log_state(state));
}

Result<LogStateReading> decode_log_state(std::string_view bytes, const std::string& path) {
  if (bytes.size() != kLogStateFileBytes) {
    return Error(ErrorCode::kCorruption, fmt::format("{} at {}: {} bytes, expected {}", path,
                                                     bytes.size(), bytes.size(),
                                                     kLogStateFileBytes));
  }
  LogStateReading reading;
  for (std::size_t at = 0; at < bytes.size(); at += kLogStateSlotBytes) {
    const std::string_view slot = bytes.substr(at, kLogStateBytes);
    if (slot.find_first_not_of('\0') == std::string_view::npos) continue;
    const Result<LogState> state = decode_slot(slot);
    if (!state.ok()) {
      reading.damage = Error(state.error().code(),
                             fmt::format("{} at {}: {}", path, at, state.error().message()));
    } else if (state->number > reading.state.number) {
      reading.state = *state;
    }
  }
  if (reading.state.number != 0) return reading;
  if (reading.damage) return std::move(*reading.damage);
  return Error(ErrorCode::kCorruption, fmt::format("{} at 0: nothing but zeros", path));
}

std::string log_state_path(const std::string& directory) { return fs::join(directory, "STATE"); }

Result<std::optional<LogStateReading>> read_log_state(fs::FileSystem& files,
                                                      const std::string& directory) {
  const std::string path = log_state_path(directory);
  const auto bytes = files.read_file(path, std::uint64_t{1} << 16);
  if (!bytes.ok() && bytes.error().code() == ErrorCode::kNotFound) {
    return std::optional<LogStateReading>();
  }
  if (!bytes.ok()) return bytes.error();
  VARVE_TRY_ASSIGN(LogStateReading reading, decode_log_state(*bytes, path));
  return std::optional<LogStateReading>(std::move(reading));
}

Status write_log_state(fs::FileSystem& files, const std::string& directory, const LogState& state) {
  const std::string path = log_state_path(directory);
  if (state.number > 1) {
    auto file = files.open(path, fs::OpenMode::kExisting);
    if (file.ok()) {
      VARVE_TRY_ASSIGN(const std::uint64_t size, (*file)->size());
      if (size == kLogStateFileBytes) {
        VARVE_TRY((*file)->write_at(slot_of(state), encode_log_state(state)));
        return (*file)->sync_data();
      }
    } else if (file.error().code() != ErrorCode::kNotFound) {
      return std::move(file).error();
    }
  }
  return files.write_file_atomically(path, new_log_state_file(state));
}

}  // namespace varve::storage::wal
