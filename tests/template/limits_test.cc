// SPDX-License-Identifier: Apache-2.0
// A template is input: none may take the process's memory, stack or minutes.
#include <catch2/catch.hpp>
#include <string>

#include "template/parser.h"
#include "template/template.h"

namespace varve::templates {
namespace {

Result<std::string> expand(const std::string& text, const Limits& limits = {}) {
  auto parsed = Template::parse("__alert_A", text);
  if (!parsed.ok()) return parsed.error();
  Environment environment;
  environment.limits = limits;
  environment.query = [](const std::string&) -> Result<Vector> { return Vector(); };
  return parsed->expand(AlertData(), environment);
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST_CASE("template limits: loops without end, and texts that double, are cut", "[template]") {
  const std::string text = GENERATE(
      "{{ range 9223372036854775807 }}{{ end }}", "{{ range 9223372036854775807 }}x{{ end }}",
      "{{ $x := \"abcdefgh\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}",
      "{{ $x := printf \"%1000000d\" 1 }}{{ range 1000000 }}{{ $y := toUpper $x }}{{ end }}",
      "{{ $x := printf \"%1000000d\" 1 }}{{ range 1000000 }}{{ $y := match \"zz\" $x }}{{ end }}",
      "{{ printf \"%1000000d%1000000d%1000000d\" 1 2 3 }}",
      "{{ reReplaceAll \"\" (printf \"%10000d\" 1) (printf \"%10000d\" 1) }}",
      "{{ range 100000 }}{{ $x := query \"up\" }}{{ end }}",
      "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}");
  CAPTURE(text);
  const auto result = expand(text);
  REQUIRE(!result.ok());
  CHECK(result.error().code() == ErrorCode::kLimitExceeded);
  CHECK(result.error().message().size() < 1000);
}

TEST_CASE("template limits: nesting is refused before it takes the stack", "[template]") {
  const std::size_t deep = kNestingMax + 10;
  const std::string text =
      GENERATE_REF("{{ " + repeated("(", deep) + "1" + repeated(")", deep) + " }}",
                   repeated("{{ if 1 }}", deep) + repeated("{{ end }}", deep),
                   "{{ if 0 }}" + repeated("{{ else if 0 }}", deep) + "{{ end }}",
                   repeated("{{ block \"x\" 1 }}", deep) + repeated("{{ end }}", deep),
                   "{{ " + repeated("(", 100'000), repeated("{{ if 1 }}", 100'000));
  const auto result = expand(text);
  REQUIRE(!result.ok());
  CHECK(result.error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("template limits: ordinary nesting is far from them", "[template]") {
  CHECK(*expand("{{ " + repeated("(", 100) + "1" + repeated(")", 100) + " }}") == "1");
  CHECK(*expand(repeated("{{ if 1 }}", 100) + "x" + repeated("{{ end }}", 100)) == "x");
  CHECK(*expand("{{ if 0 }}" + repeated("{{ else if 0 }}", 200) + "{{ else }}x{{ end }}") == "x");
  CHECK(*expand("{{ define \"n\" }}{{ if gt (len .) 0 }}{{ template \"n\" (slice . 1) }}{{ end }}"
                "{{ end }}{{ template \"n\" \"" +
                repeated("a", 100) + "\" }}") == "");
}

TEST_CASE("template limits: the bounds can be set", "[template]") {
  Limits limits;
  limits.output_max_bytes = 10;
  CHECK(expand("0123456789{{ \"\" }}", limits).ok());
  CHECK(expand("0123456789{{ 1 }}", limits).error().code() == ErrorCode::kLimitExceeded);
  limits = {};
  limits.queries_max = 1;
  CHECK(expand("{{ query \"a\" }}", limits).ok());
  CHECK(expand("{{ query \"a\" }}{{ query \"a\" }}", limits)
            .error()
            .message()
            .ends_with("error calling query: template asks more than 1 queries"));
}

}  // namespace
}  // namespace varve::templates
