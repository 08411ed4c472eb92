// SPDX-License-Identifier: Apache-2.0
#include "exposition_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return varve::fuzz::read_exposition(data, size, varve::wire::ExpositionFormat::kText);
}
