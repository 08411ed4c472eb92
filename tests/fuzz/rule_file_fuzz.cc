// SPDX-License-Identifier: Apache-2.0
// Any text is a rule file or a list of errors, never both, and every group in it can be built.
#include <cstdint>
#include <cstdlib>

#include "config/read_rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = varve::config::parse_rule_file(text, "fuzz.yml", {});
  if (!file.errors.empty() && !file.groups.empty()) std::abort();
  for (const auto& group : file.groups) {
    if (group.name.empty() || group.interval.count() <= 0) std::abort();
  }
  return 0;
}
