// SPDX-License-Identifier: Apache-2.0
// XOR chunks of unknown origin. Where one decodes to ascending times, encoding them again and
// decoding gives the same.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "storage/codec/gorilla.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  using namespace varve::storage::codec;
  std::vector<Timestamp> times;
  std::vector<double> values;
  if (!decode_xor_chunk({data, size}, times, values).ok()) {
    VARVE_CHECK(times.empty() && values.empty());
    return 0;
  }
  GorillaState state;
  std::vector<std::uint64_t> words(times.size() * kGorillaAppendWordsMax);
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!gorilla_accepts(state, times[i])) return 0;
    gorilla_append(state, words.data() + state.word_count, times[i], values[i]);
  }
  std::vector<Timestamp> times_again(times.size());
  std::vector<double> values_again(values.size());
  gorilla_decode(state, words.data(), times_again.data(), values_again.data());
  VARVE_CHECK(times == times_again);
  VARVE_CHECK(values.empty() ||
              std::memcmp(values.data(), values_again.data(), values.size() * 8) == 0);
  return 0;
}
