// SPDX-License-Identifier: Apache-2.0
// Any text is an answer of Consul's or an error.
#include <cstdint>
#include <cstdlib>

#include "discovery/consul_groups.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(discovery::read_consul_catalog(text));
  const auto group = discovery::read_consul_health(text, "web", "dc", ",");
  if (!group.ok()) return 0;
  for (const Labels& target : group->targets) {
    if (!Labels::valid_bytes(target.bytes())) std::abort();
  }
  return 0;
}
