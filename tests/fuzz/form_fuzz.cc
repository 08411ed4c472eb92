// SPDX-License-Identifier: Apache-2.0
// Any bytes as a form.
#include <cstddef>
#include <cstdint>

#include "http/server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static_cast<void>(varve::http::parse_form({reinterpret_cast<const char*>(data), size}).ok());
  return 0;
}
