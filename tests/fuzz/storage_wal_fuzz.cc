// SPDX-License-Identifier: Apache-2.0
// The log's reader on any bytes: once as the file they are, once with every frame's checksum put
// right, so that the record decoders behind it see the input too.
#include <xxhash.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "fs/fault_fs.h"
#include "storage/wal/format.h"
#include "storage/wal/log_state.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

using namespace varve;
using namespace varve::storage::wal;

namespace {

template <typename Decoder>
void drain(std::string_view section) {
  Decoder decoder;
  decoder.open(section);
  for (;;) {
    const auto record = decoder.next();
    if (!record.ok() || std::holds_alternative<std::monostate>(**record)) return;
  }
}

void read(const std::string& segment, std::uint32_t id) {
  fs::FaultFs files;
  if (!files.create_directories("wal").ok()) std::abort();
  if (!files.write_file_atomically(fs::join("wal", segment_name(id)), segment).ok()) std::abort();
  const auto recovered = recover("wal", files);
  if (!recovered.ok()) std::abort();
  for (const Section& section : recovered->series) drain<SeriesDecoder>(section.bytes);
  for (const auto& sections : recovered->runs_by_shard) {
    for (const Section& section : sections) drain<RunDecoder>(section.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string segment(reinterpret_cast<const char*>(data), size);
  read(segment, 3);
  std::size_t at = 0;
  std::uint32_t id = 3;
  while (auto header = decode_frame_header(std::string_view(segment).substr(at))) {
    if (header->payload_bytes > segment.size() - at - kFrameHeaderBytes) break;
    if (at == 0 && header->segment != 0) id = header->segment;
    const std::string_view frame(segment.data() + at, kFrameHeaderBytes + header->payload_bytes);
    header->checksum = checksum_of(std::span(&frame, 1));
    encode_frame_header(*header, segment.data() + at);
    at += frame.size();
  }
  if (at > 0) read(segment, id);
  // What the log says of itself, as it is and with its checksum put right.
  (void)decode_log_state(segment, "STATE").ok();
  if (segment.size() >= kLogStateBytes) {
    std::string file = segment.substr(0, kLogStateFileBytes);
    file.resize(kLogStateFileBytes, '\0');
    for (std::size_t slot = 0; slot < file.size(); slot += kLogStateSlotBytes) {
      const std::size_t at_checksum = slot + kLogStateBytes - sizeof(std::uint64_t);
      const std::uint64_t checksum = XXH3_64bits(file.data() + slot, at_checksum - slot);
      std::memcpy(file.data() + at_checksum, &checksum, sizeof checksum);
    }
    if (const auto said = decode_log_state(file, "STATE"); said.ok()) {
      const auto again = decode_log_state(new_log_state_file(said->state), "STATE");
      if (!again.ok() || !(again->state == said->state)) std::abort();
    }
  }
  drain<RunDecoder>(std::string_view(segment).substr(0, size));
  drain<SeriesDecoder>(std::string_view(segment).substr(0, size));
  return 0;
}
