// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/format.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <memory>

#include "base/check.h"
#include "storage/wal/bytes.h"

namespace varve::storage::wal {

void encode_frame_header(const FrameHeader& header, char* out) {
  out = put(out, kFrameMagic);
  out = put(out, header.payload_bytes);
  out = put(out, header.segment);
  out = put(out, std::uint32_t{0});
  out = put(out, header.first_seq);
  out = put(out, header.seq);
  put(out, header.checksum);
}

std::optional<FrameHeader> decode_frame_header(std::string_view bytes) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  const char* in = bytes.data();
  if (get<std::uint32_t>(in) != kFrameMagic) return std::nullopt;
  FrameHeader header;
  header.payload_bytes = get<std::uint32_t>(in + 4);
  header.segment = get<std::uint32_t>(in + 8);
  header.first_seq = get<std::uint64_t>(in + 16);
  header.seq = get<std::uint64_t>(in + 24);
  header.checksum = get<std::uint64_t>(in + kFrameChecksumAt);
  return header;
}

std::uint64_t checksum_of(std::span<const std::string_view> parts) {
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                             &XXH3_freeState);
  VARVE_CHECK(state != nullptr);
  XXH3_64bits_reset(state.get());
  const auto add = [&state](std::string_view bytes) {
    XXH3_64bits_update(state.get(), bytes.data(), bytes.size());
  };
  add(parts.front().substr(0, kFrameChecksumAt));
  add(parts.front().substr(kFrameHeaderBytes));
  for (const std::string_view part : parts.subspan(1)) add(part);
  return XXH3_64bits_digest(state.get());
}

std::string segment_name(std::uint32_t segment) { return fmt::format("{:08}.wal", segment); }

std::optional<std::uint32_t> parse_segment_name(std::string_view name) {
  if (!name.ends_with(".wal")) return std::nullopt;
  name.remove_suffix(4);
  std::uint32_t segment = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), segment);
  if (error != std::errc() || end != name.data() + name.size() || segment == 0) return std::nullopt;
  return segment;
}

std::string spare_name(std::uint32_t index) { return fmt::format("spare-{}", index); }

}  // namespace varve::storage::wal
