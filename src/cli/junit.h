// SPDX-License-Identifier: Apache-2.0
// Results of tests in the XML that continuous integration reads.
#pragma once

#include <string>
#include <vector>

namespace varve::cli {

struct JunitCase {
  std::string name;
  std::vector<std::string> failures;
  std::string error;
};

struct JunitSuite {
  std::string name;
  std::string timestamp;
  std::vector<JunitCase> cases;
};

std::string junit_xml(const std::vector<JunitSuite>& suites);

}  // namespace varve::cli
