// SPDX-License-Identifier: Apache-2.0
// Every line of prometheus.jsonl is a template and what Prometheus 3.14 made of it, with the data
// and the answers to queries that stand here.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "template/template.h"

namespace varve::templates {
namespace {

Environment world() {
  Environment environment;
  environment.time_ms = 1353755652000;
  environment.external_url = "http://testhost:9090/path/prefix";
  environment.query = [](const std::string& expression) -> Result<Vector> {
    if (expression == "none") return Vector();
    if (expression == "bad") return Error(ErrorCode::kExecution, "bad query");
    VectorSample b, a;
    b.labels = Labels{{"__name__", "metric"}, {"instance", "b"}, {"__value__", "v"}};
    b.value = 21;
    a.labels = Labels{{"__name__", "metric"}, {"instance", "a"}};
    a.value = 11.5;
    return Vector{b, a};
  };
  return environment;
}

AlertData alert(double value) {
  AlertData data;
  data.labels = Labels{{"instance", "host.example.org:9100"}, {"job", "node"}, {"x", "<a & 'b'>"}};
  data.external_labels = Labels{{"dc", "eu-1"}};
  data.external_url = "http://testhost:9090/path/prefix";
  data.value = value;
  return data;
}

// The error as Prometheus words it, whenever it was found.
std::string expand(const std::string& text, double value, bool& failed) {
  const auto parsed = Template::parse("__alert_A", text);
  failed = !parsed.ok();
  if (failed) return "error parsing template __alert_A: " + parsed.error().message();
  const auto expanded = parsed->expand(alert(value), world());
  failed = !expanded.ok();
  return failed ? expanded.error().message() : *expanded;
}

TEST_CASE("templates: expand as under Prometheus, errors included", "[template]") {
  std::ifstream cases(VARVE_TEMPLATE_CASES);
  std::string line;
  std::size_t count = 0;
  while (std::getline(cases, line)) {
    const auto expected = nlohmann::json::parse(line);
    const auto text = expected.at("text").get<std::string>();
    const auto value = expected.at("value").get<double>();
    const bool fails = expected.contains("error");
    const auto wanted = expected.at(fails ? "error" : "result").get<std::string>();
    CAPTURE(text, value);
    bool failed = false;
    const std::string got = expand(text, value, failed);
    CHECK(failed == fails);
    CHECK(got == wanted);
    ++count;
  }
  CHECK(count > 400);
}

TEST_CASE("templates: a native histogram is $value and prints as Prometheus prints it",
          "[template]") {
  auto histogram = std::make_shared<Histogram>();
  histogram->count = 3;
  histogram->sum = 10;
  AlertData data = alert(0);
  data.histogram = histogram;
  const auto expand_one = [&](const std::string& text) {
    return Template::parse("__alert_A", text)->expand(data, world());
  };
  CHECK(*expand_one("{{ $value }}") == "{count:3, sum:10}");
  CHECK(*expand_one("{{ $value.Sum }} {{ printf \"%v\" .Value }}") == "10 {count:3, sum:10}");
  CHECK(expand_one("{{ humanize $value }}")
            .error()
            .message()
            .ends_with("error calling humanize: can't convert *histogram.FloatHistogram to float"));
}

TEST_CASE("templates: what is not finite stays readable", "[template]") {
  const double value =
      GENERATE(std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
               std::numeric_limits<double>::quiet_NaN());
  const std::string text = value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN";
  bool failed = false;
  CHECK(expand("{{ humanize $value }}:{{ humanize1024 $value }}:{{ humanizeDuration $value }}:"
               "{{ humanizePercentage $value }}:{{ humanizeTimestamp $value }}:{{ $value }}",
               value,
               failed) == text + ":" + text + ":" + text + ":" + text + "%:" + text + ":" + text);
  CHECK(expand("{{ toTime $value }}", value, failed)
            .ends_with("error calling toTime: value is NaN or Inf"));
}

TEST_CASE("templates: the text that stands for a failed expansion", "[template]") {
  CHECK(error_text(Error(ErrorCode::kExecution, "why")) == "<error expanding template: why>");
}

}  // namespace
}  // namespace varve::templates
