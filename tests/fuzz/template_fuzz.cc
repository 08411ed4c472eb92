// SPDX-License-Identifier: Apache-2.0
// Any text is a template or an error; what parses expands within its bounds or fails by an error.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "template/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = templates::Template::parse("__alert_fuzz", text);
  if (!parsed.ok()) return 0;
  templates::Environment environment;
  environment.limits = {std::size_t{1} << 16, 10'000, 10};
  environment.external_url = "http://localhost:9090/prefix";
  environment.query = [](const std::string& expression) -> Result<Vector> {
    VectorSample sample;
    sample.labels = Labels{{"a", expression.substr(0, 100)}};
    sample.value = static_cast<double>(expression.size());
    return Vector{sample, sample};
  };
  templates::AlertData alert;
  alert.labels = Labels{{"instance", "localhost:9090"}};
  alert.value = 1.5;
  const auto expanded = parsed->expand(alert, environment);
  if (expanded.ok() && expanded->size() > environment.limits.output_max_bytes && size < 1000) {
    std::abort();
  }
  return 0;
}
