// SPDX-License-Identifier: Apache-2.0
// Whatever a server answers is a text or an error.
#include <cstdint>
#include <string_view>

#include "cli/result_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::cli;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const ResultFormat format : {ResultFormat::kPromql, ResultFormat::kJson}) {
    static_cast<void>(value_text(body, format).ok());
    static_cast<void>(series_text(body, format).ok());
    static_cast<void>(label_values_text(body, format).ok());
  }
  return 0;
}
