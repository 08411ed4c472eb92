// SPDX-License-Identifier: Apache-2.0
// Any text is a configuration or an error; what is accepted prints as YAML that loads again.
#include <cstdint>
#include <cstdlib>

#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = varve::config::parse(text, "fuzz.yml");
  if (!parsed.ok()) return 0;
  const std::string printed = varve::config::to_yaml(*parsed);
  if (!varve::config::parse(printed, "printed.yml").ok()) std::abort();
  return 0;
}
