// SPDX-License-Identifier: Apache-2.0
// A snapshot of the head as recovery reads it: the container, and behind its checksums (which a
// fuzzer does not get past) the image of a shard and the time columns.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "storage/head/shard_image.h"
#include "storage/head/snapshot_file.h"
#include "storage/head/time_columns.h"

using namespace varve;
using namespace varve::storage::head;

namespace {

void read(std::string_view bytes) {
  ShardImage image;
  if (decode_image(bytes, 0, image).ok()) {
    // What is taken must survive being written again.
    std::string again;
    encode_image(image, again);
    if (!decode_image(again, 0, image).ok()) std::abort();
  }
  std::uint64_t begin = 0;
  std::vector<TimeColumn> columns;
  static_cast<void>(decode_columns(bytes, begin, columns).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  read(input);
  std::vector<Error> gaps;
  std::string scratch;
  for (const Piece& piece : find_pieces(input, gaps)) {
    if (piece.raw_bytes > (1U << 24)) continue;
    const auto bytes = piece.open(scratch);
    if (bytes.ok()) read(*bytes);
  }
  return 0;
}
