// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of holds, as they are and with a checksum that fits: what is read must read
// the same again after it is written.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "storage/holds.h"

namespace {

void check(std::string_view text) {
  const auto state = varve::storage::parse_holds(text);
  if (!state.ok()) return;
  const std::string written = varve::storage::holds_text(*state);
  const auto again = varve::storage::parse_holds(written);
  VARVE_CHECK(again.ok());
  VARVE_CHECK(varve::storage::holds_text(*again) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  const std::string_view body = text.substr(std::min(text.find('\n') + 1, text.size()));
  check(fmt::format("varve-holds 1 {:016x}\n{}", XXH3_64bits(body.data(), body.size()), body));
  return 0;
}
