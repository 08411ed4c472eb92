// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include "command_support.h"

namespace varve::cli {
namespace {

constexpr FlagSpec kFlags[] = {{"format", true, 'o'}, {"fatal", false}, {"match"}};

TEST_CASE("arguments: flags stand anywhere, in all of kingpin's forms", "[cli]") {
  const std::vector<std::string> words{"a",         "--format=json", "b",  "--match", "x",
                                       "--match=y", "--fatal",       "--", "-c"};
  const auto arguments = Arguments::parse(words, kFlags);
  REQUIRE(arguments.ok());
  CHECK(arguments->positional() == std::vector<std::string>{"a", "b", "-c"});
  CHECK(arguments->text("format") == "json");
  CHECK(arguments->all("match") == std::vector<std::string>{"x", "y"});
  CHECK(arguments->on("fatal"));
}

TEST_CASE("arguments: short flags, switched-off switches and defaults", "[cli]") {
  const std::vector<std::string> words{"-o", "json", "--no-fatal"};
  const auto arguments = Arguments::parse(words, kFlags);
  REQUIRE(arguments.ok());
  CHECK(arguments->text("format") == "json");
  CHECK(!arguments->on("fatal"));
  CHECK(arguments->text("match", "fallback") == "fallback");
  CHECK(Arguments::parse(std::vector<std::string>{"-ojson"}, kFlags)->text("format") == "json");
}

TEST_CASE("arguments: what is unknown or lacks its value is refused by name", "[cli]") {
  const auto refusal = [](const std::vector<std::string>& words) {
    const auto arguments = Arguments::parse(words, kFlags);
    return arguments.ok() ? std::string() : arguments.error().message();
  };
  CHECK(refusal({"--fromat=x"}) == "unknown long flag '--fromat', did you mean --format?");
  CHECK(refusal({"--no-format"}).starts_with("unknown long flag '--no-format'"));
  CHECK(refusal({"-x"}) == "unknown short flag '-x'");
  CHECK(refusal({"--match"}) == "expected argument for flag '--match'");
}

TEST_CASE("commands: told apart from the daemon's flags, global flags before them", "[cli]") {
  CHECK(is_command({"check", "config", "x"}));
  CHECK(is_command({"--enable-feature=promql-experimental-functions", "test", "rules", "x"}));
  CHECK(is_command({"--experimental", "promql", "format", "up"}));
  CHECK(!is_command({"--enable-feature", "check"}));
  CHECK(!is_command({"--config.file=x"}));
  CHECK(!is_command({}));
}

TEST_CASE("commands: an unknown one ends with the list of all", "[cli]") {
  const Printed printed = run({"check", "nothing"});
  CHECK(printed.status == kExitFailure);
  CHECK(printed.err.find("there is no command \"check nothing\"") != std::string::npos);
  CHECK(printed.err.find("varve check config") != std::string::npos);
}

TEST_CASE("promql format: prints well laid out, or the error's position", "[cli]") {
  CHECK(run({"promql", "format", "sum by(a)(rate(x[5m]))"}).out == "sum by (a) (rate(x[5m]))\n");
  const Printed broken = run({"--experimental", "promql", "format", "sum("});
  CHECK(broken.status == kExitFailure);
  CHECK(broken.err.find("1:5: parse error") != std::string::npos);
}

}  // namespace
}  // namespace varve::cli
