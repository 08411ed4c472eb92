// SPDX-License-Identifier: Apache-2.0
#include "http/no_proxy.h"

#include <catch2/catch.hpp>

using varve::http::matches_no_proxy;
using varve::http::ProxyEnvironment;

TEST_CASE("no_proxy: addresses, networks, domains and ports as Go reads them", "[http]") {
  struct Case {
    const char* host;
    const char* port;
    const char* list;
    bool exempt;
  };
  const auto c = GENERATE(values<Case>({
      {"example.com", "80", "", false},
      {"localhost", "80", "", true},
      {"127.0.0.9", "80", "", true},
      {"[::1]", "80", "", true},
      {"example.com", "80", "*", true},
      {"example.com", "80", "other.com, EXAMPLE.com", true},
      {"a.example.com", "80", "example.com", true},
      {"aexample.com", "80", "example.com", false},
      {"example.com", "80", ".example.com", false},
      {"a.example.com", "80", ".example.com", true},
      {"a.example.com", "80", "*.example.com", true},
      {"example.com", "9090", "example.com:9090", true},
      {"example.com", "80", "example.com:9090", false},
      {"10.1.2.3", "80", "10.0.0.0/8", true},
      {"11.1.2.3", "80", "10.0.0.0/8", false},
      {"10.1.2.3", "80", "10.1.2.3", true},
      {"10.1.2.3", "80", "10.1.2.3:81", false},
      {"10.1.2.3", "80", "10.0.0.0/99", false},
      {"[fd00::1]", "80", "fd00::/8", true},
      {"[fe00::1]", "80", "fd00::/8", false},
      {"10.1.2.3", "80", "::/0", false},
  }));
  CAPTURE(c.host, c.list);
  CHECK(matches_no_proxy(c.host, c.port, c.list) == c.exempt);
}

TEST_CASE("no_proxy: the environment's variables, capitals first", "[http]") {
  const auto environment = ProxyEnvironment::read([](const char* name) -> std::string {
    const std::string_view n = name;
    if (n == "HTTP_PROXY") return "http://a";
    if (n == "http_proxy") return "http://b";
    if (n == "https_proxy") return "http://c";
    return "";
  });
  CHECK(environment.http == "http://a");
  CHECK(environment.https == "http://c");
  CHECK(environment.no_proxy.empty());
}
