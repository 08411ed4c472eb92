// SPDX-License-Identifier: Apache-2.0
// A block of any bytes under right checksums: opened, and everything read that it claims to have.
// The input is the two files' content, see hostile.h.
#include <cstdint>
#include <string_view>

#include "hostile.h"

using namespace varve;
using namespace varve::storage::block;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fs::FaultFs files;
  const auto contents = Contents::unpack({reinterpret_cast<const char*>(data), size});
  if (!contents.write(files, "block")) return 0;
  const auto block = Block::open(files, "block");
  if (block.ok()) read_everything(**block);
  return 0;
}
