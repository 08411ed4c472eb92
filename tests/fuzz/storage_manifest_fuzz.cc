// SPDX-License-Identifier: Apache-2.0
// The MANIFEST's reader on any bytes: once as the file they are, once with every line's checksum
// put right, so that what stands in the lines is looked at too.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "storage/ladder_json.h"
#include "storage/manifest.h"

using namespace varve;

namespace {

void read(std::string_view text) {
  // A copy of the first line reads as it was written.
  const auto whose = storage::parse_identity(text, "IDENTITY", false);
  if (whose.ok()) {
    const auto copy = storage::parse_identity(storage::identity_line(*whose), "IDENTITY", true);
    VARVE_CHECK(copy.ok());
    VARVE_CHECK(copy->hash_secret == whose->hash_secret);
  }
  const auto reading = storage::parse_manifest(text, "MANIFEST");
  if (!reading.ok()) return;
  for (const auto& [ulid, meta] : reading->state.blocks) (void)storage::block::to_json(meta);
  storage::LadderState ladder = reading->state.ladder;
  const auto again = storage::ladder_of(storage::ladder_text(ladder));
  VARVE_CHECK(again.ok());
  VARVE_CHECK(*again == ladder);
  // What stands there is reckoned with.
  ladder.mark_dirty({-1'000'000, 1'000'000});
  storage::Gone gone = ladder.gone();
  for (const storage::LevelState& level : ladder.levels) {
    (void)storage::is_dirty(level, {0, 1});
    (void)gone.of_any(level.resolution_ms);
  }
  for (const storage::HeldSince& held : ladder.holds) (void)gone.keep_since(held.gone, {0, 1000});
  gone.prune();
}

std::string with_checksums(std::string_view text) {
  std::string fixed;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view json = text.substr(0, end);
    json.remove_prefix(std::min(json.find('{'), json.size()));
    fixed += fmt::format("{:016x} {}\n", XXH3_64bits(json.data(), json.size()), json);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fixed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read(text);
  read(with_checksums(text));
  return 0;
}
