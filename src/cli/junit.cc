// SPDX-License-Identifier: Apache-2.0
#include "cli/junit.h"

#include <fmt/format.h>

#include <string_view>

namespace varve::cli {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += "&#xA;";
        break;
      case '\t':
        out += "&#x9;";
        break;
      case '\r':
        out += "&#xD;";
        break;
      default:
        // Other control characters have no place in XML.
        out += static_cast<unsigned char>(c) < ' ' ? "\xef\xbf\xbd" : std::string(1, c);
    }
  }
  return out;
}

}  // namespace

std::string junit_xml(const std::vector<JunitSuite>& suites) {
  std::string out = "<testsuites>";
  for (const JunitSuite& suite : suites) {
    std::size_t failures = 0, errors = 0;
    for (const JunitCase& test : suite.cases) {
      failures += test.failures.size();
      errors += test.error.empty() ? 0 : 1;
    }
    out += fmt::format(
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" "
        "timestamp=\"{}\">",
        escaped(suite.name), suite.cases.size(), failures, errors, escaped(suite.timestamp));
    for (const JunitCase& test : suite.cases) {
      out += fmt::format("<testcase name=\"{}\">", escaped(test.name));
      for (const std::string& failure : test.failures) {
        out += "<failure>" + escaped(failure) + "</failure>";
      }
      if (!test.error.empty()) out += "<error>" + escaped(test.error) + "</error>";
      out += "</testcase>";
    }
    out += "</testsuite>";
  }
  return out + "</testsuites>";
}

}  // namespace varve::cli
