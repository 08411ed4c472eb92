// SPDX-License-Identifier: Apache-2.0
// Any text is a list of target groups or an error, as JSON and as YAML.
#include <cstdint>
#include <cstdlib>

#include "config/config.h"
#include "discovery/read_groups.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& groups :
       {varve::discovery::read_json_groups(text), varve::config::parse_target_groups(text, "f")}) {
    if (!groups.ok()) continue;
    for (const auto& group : *groups) {
      if (!varve::Labels::valid_bytes(group.labels.bytes())) std::abort();
    }
  }
  return 0;
}
