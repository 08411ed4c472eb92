// SPDX-License-Identifier: Apache-2.0
#include "parse_support.h"

namespace varve::promql {
namespace {

std::string repeated(std::string_view part, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST_CASE("parser: nesting beyond the limit is an error, not a crash", "[promql][parse]") {
  const std::size_t deep = GENERATE(10'000u, 100'000u);
  const std::string texts[] = {
      repeated("(", deep) + "1" + repeated(")", deep),
      repeated("-", deep) + "a",
      repeated("abs(", deep) + "a" + repeated(")", deep),
      repeated("sum(", deep) + "a" + repeated(")", deep),
      "a" + repeated(" + a", deep),
      "1" + repeated(" ^ 1", deep),
      "a" + repeated("[1m:]", deep),
      "a[" + repeated("(", deep) + "1m" + repeated(")", deep) + "]",
      "a[1m" + repeated("+1m", deep) + "]",
      "a[" + repeated("-", deep) + "1m]",
      "a offset " + repeated("-", deep) + "1m",
  };
  for (const std::string& text : texts) {
    CAPTURE(text.substr(0, 20));
    CHECK_THAT(refusal(text),
               Catch::Contains("expression nests deeper than ") && Catch::EndsWith("00 levels"));
  }
}

TEST_CASE("parser: nesting within the limit is fine", "[promql][parse]") {
  CHECK(parsed(repeated("(", 450) + "1" + repeated(")", 450))->height == 451);
  CHECK(parsed("a" + repeated(" or a", 900))->height == 901);
}

TEST_CASE("parser: a text beyond the limit is an error", "[promql][parse]") {
  const std::string text = "a" + std::string(kExpressionBytesMax, ' ');
  CHECK(refusal(text) == "expression of 1048577 bytes exceeds the limit of 1048576");
}

}  // namespace
}  // namespace varve::promql
