// SPDX-License-Identifier: Apache-2.0
// Any bytes as a server's answer, in cuts that the first byte chooses: whole answers are the same
// as uncut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/answer_reader.h"

namespace {

using varve::http::AnswerReader;
using State = AnswerReader::State;

struct Outcome {
  State state = State::kHead;
  std::string body;
};

Outcome read_all(std::string_view bytes, std::size_t step) {
  AnswerReader reader;
  Outcome out;
  while (!bytes.empty() && (out.state == State::kHead || out.state == State::kBody)) {
    const std::size_t size = std::min(step, bytes.size());
    out.state = reader.read(bytes.substr(0, size), [&](std::string_view piece) {
      out.body += piece;
      return true;
    });
    bytes.remove_prefix(size);
  }
  if (out.state == State::kDone && !bytes.empty()) out.state = State::kForeign;
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (bytes.empty()) return 0;
  const Outcome cut = read_all(bytes, data[0] % 16 + std::size_t{1});
  const Outcome whole = read_all(bytes, bytes.size());
  // What is no answer may show one byte earlier or later; what is one is the same.
  VARVE_CHECK((cut.state == State::kDone) == (whole.state == State::kDone));
  VARVE_CHECK(cut.state != State::kDone || cut.body == whole.body);
  return 0;
}
