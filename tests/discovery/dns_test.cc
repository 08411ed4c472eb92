// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "discovery/dns_answer.h"
#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

std::string number(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)};
}

std::string name_bytes(std::string name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    out += static_cast<char>(dot);
    out += name.substr(0, dot);
    name.erase(0, dot + 1);
  }
  return out + '\0';
}

struct Record {
  unsigned type;
  std::string data;
};

// An answer without the question.
std::string packet(const std::vector<Record>& records) {
  std::string out = number(1) + number(0x8180) + number(0) +
                    number(static_cast<unsigned>(records.size())) + number(0) + number(0);
  for (const Record& record : records) {
    out += name_bytes("x.test.") + number(record.type) + number(1) + number(0) + number(60) +
           number(static_cast<unsigned>(record.data.size())) + record.data;
  }
  return out;
}

const std::string kSrvData = number(0) + number(0) + number(9100) + name_bytes("h1.test.");
const std::string kV6 = std::string("\x20\x01", 2) + std::string(13, '\0') + '\1';

}  // namespace

TEST_CASE("dns discovery: each type of record names its targets", "[discovery]") {
  struct Case {
    DnsType type;
    std::vector<Record> records;
    std::string target;
  };
  const Case c = GENERATE(
      Case{DnsType::kSrv, {{33, kSrvData}},
           R"({__address__="h1.test:9100", __meta_dns_name="n", )"
           R"(__meta_dns_srv_record_port="9100", __meta_dns_srv_record_target="h1.test."})"},
      Case{DnsType::kA, {{5, name_bytes("c.test.")}, {1, std::string("\x0a\0\0\x07", 4)}},
           R"({__address__="10.0.0.7:80", __meta_dns_name="n"})"},
      Case{DnsType::kAaaa, {{28, kV6}}, R"({__address__="[2001::1]:80", __meta_dns_name="n"})"},
      Case{DnsType::kMx, {{15, number(10) + name_bytes("m.test.")}},
           R"({__address__="m.test:80", __meta_dns_mx_record_target="m.test.", )"
           R"(__meta_dns_name="n"})"},
      Case{DnsType::kNs, {{2, name_bytes("ns.test.")}},
           R"({__address__="ns.test:80", __meta_dns_name="n", )"
           R"(__meta_dns_ns_record_target="ns.test."})"});
  World world;
  world.resolves({{"n", packet(c.records)}});
  world.manager->apply({{"job", {DnsOptions{{"n"}, c.type, 80}}}});
  world.settle();
  CHECK(world.targets("job") == std::vector<std::string>{c.target});
}

TEST_CASE("dns discovery: no such name ends the targets, no answer keeps them", "[discovery]") {
  World world;
  world.resolves({{"a", packet({{33, kSrvData}})}, {"b", packet({{33, kSrvData}})}});
  world.manager->apply({{"job", {DnsOptions{{"a", "b"}}}}});
  world.settle();
  REQUIRE(world.targets("job").size() == 2);
  world.resolves({{"a", std::string()}, {"b", Error(ErrorCode::kUnavailable, "no server")}});
  world.pass(30s);
  REQUIRE(world.targets("job").size() == 1);
  CHECK(world.targets("job")[0].find(R"(__meta_dns_name="b")") != std::string::npos);
  CHECK(world.metric("prometheus_sd_dns_lookups_total") == "4");
  CHECK(world.metric("prometheus_sd_dns_lookup_failures_total") == "1");
  CHECK(world.lines.size() == 1);
}

TEST_CASE("dns answers: what is cut or wrong is an error, never more than the packet",
          "[discovery]") {
  const std::string whole = packet({{33, kSrvData}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(read_dns_answer(whole.substr(0, size), DnsType::kSrv).ok());
  }
  CHECK_FALSE(read_dns_answer(packet({{1, "abc"}}), DnsType::kA).ok());
  CHECK_FALSE(read_dns_answer(packet({{33, number(1)}}), DnsType::kSrv).ok());
}
