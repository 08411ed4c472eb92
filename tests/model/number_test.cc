// SPDX-License-Identifier: Apache-2.0
#include "model/number.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

#include "model/duration.h"
#include "varve/sample.h"

using namespace varve;
using namespace varve::model;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}

TEST_CASE("number: result JSON has an exponent below 1e-6 and from 1e21", "[model]") {
  CHECK(format_float(0) == "0");
  CHECK(format_float(-0.0) == "-0");
  CHECK(format_float(1) == "1");
  CHECK(format_float(0.1) == "0.1");
  CHECK(format_float(1e-6) == "0.000001");
  CHECK(format_float(1e-7) == "1e-07");
  CHECK(format_float(-1.5e-7) == "-1.5e-07");
  CHECK(format_float(1e20) == "100000000000000000000");
  CHECK(format_float(18446744073709551616.0) == "18446744073709552000");
  CHECK(format_float(-18446744073709551616.0) == "-18446744073709552000");
  CHECK(format_float(9223372036854775808.0) == "9223372036854776000");
  CHECK(format_float(9007199254740991.0) == "9007199254740991");
  CHECK(format_float(9007199254740994.0) == "9007199254740994");
  CHECK(format_float(123456789012345680.0) == "123456789012345680");
  CHECK(format_float(1e21) == "1e+21");
  CHECK(format_float(1.7976931348623157e308) == "1.7976931348623157e+308");
  CHECK(format_float(5e-324) == "5e-324");
  CHECK(format_float(kInfinity) == "+Inf");
  CHECK(format_float(-kInfinity) == "-Inf");
  CHECK(format_float(normal_nan()) == "NaN");
  CHECK(format_float(stale_marker()) == "NaN");
}

TEST_CASE("number: the digits are the shortest that read back", "[model]") {
  std::mt19937_64 random(46);
  for (int round = 0; round < 200'000; ++round) {
    // Of every size from 1e-6 to 1e17, as sums and quotients and as short decimals.
    const double power = std::pow(10.0, static_cast<double>(random() % 24) - 6);
    double value = static_cast<double>(random() % 1'000'000) / 1e6 * power;
    if (round % 3 == 0) value = std::round(value * 100) / 100;
    if (round % 3 == 1) value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) ^ 1);
    if (value != 0 && std::fabs(value) < 1e-6) continue;
    char buffer[400];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
    CAPTURE(round);
    if (value < 9007199254740992.0) REQUIRE(format_float(value) == std::string(buffer, end.ptr));
    REQUIRE(std::strtod(format_float(value).c_str(), nullptr) == value);
    for (const double either : {value, -value}) {
      char text[kFloatTextMax];
      REQUIRE(std::string(text, write_float(text, either)) == format_float(either));
    }
  }
}

TEST_CASE("number: what is written in place is what is appended", "[model]") {
  std::mt19937_64 random(47);
  const auto same = [](double value) {
    char text[kFloatTextMax];
    return std::string(text, write_float(text, value)) == format_float(value);
  };
  for (const double value : {0.0,        -0.0,       1e-6,         -1e-6,
                             9.99e-7,    1e15,       -1e15,        999999999999999.9,
                             1e20,       1e21,       5e-324,       -1.7976931348623157e308,
                             kInfinity,  -kInfinity, normal_nan(), 0.1,
                             99999999.5, 1e8 + 0.5,  0.00000123,   123456789012.00001}) {
    CAPTURE(value);
    CHECK(same(value));
  }
  for (int round = 0; round < 100'000; ++round) {
    const auto value = std::bit_cast<double>(random());
    CAPTURE(value);
    REQUIRE(same(value));
  }
}

TEST_CASE("number: the positional form never has an exponent", "[model]") {
  CHECK(format_float_positional(1e-7) == "0.0000001");
  CHECK(format_float_positional(1e21) == "1000000000000000000000");
  CHECK(format_float_positional(5e-324).size() == 326);
  CHECK(format_float_positional(-kInfinity) == "-Inf");
}

TEST_CASE("number: Go's %g and %f", "[model]") {
  CHECK(format_float_g(100000) == "100000");
  CHECK(format_float_g(1000000) == "1e+06");
  CHECK(format_float_g(123456789) == "1.23456789e+08");
  CHECK(format_float_g(0.0001) == "0.0001");
  CHECK(format_float_g(0.00001) == "1e-05");
  CHECK(format_float_g(123456, 2) == "1.2e+05");
  CHECK(format_float_fixed(0.5) == "0.500000");
  CHECK(format_float_fixed(kInfinity) == "+Inf");
}

TEST_CASE("number: what Go's ParseFloat takes, and what it does not", "[model]") {
  CHECK(parse_float("1") == 1.0);
  CHECK(parse_float("+.5") == 0.5);
  CHECK(parse_float("-5.") == -5.0);
  CHECK(parse_float("1e3") == 1000.0);
  CHECK(parse_float("0x1p4") == 16.0);
  CHECK(parse_float("-0X1.8p1") == -3.0);
  CHECK(parse_float("iNf") == kInfinity);
  CHECK(parse_float("-infinity") == -kInfinity);
  CHECK(std::isnan(*parse_float("nAn")));
  CHECK(parse_float("1e-400") == 0.0);
  CHECK(parse_float("5e-324") == 5e-324);
  CHECK_FALSE(parse_float("1e400"));
  CHECK(parse_float_or_inf("-1e400") == -kInfinity);
  for (const char* text : {"", "+", ".", "1e", "1e+", "0x10", "0x", "1_000", " 1", "1 ", "-nan",
                           "+nan", "1p4", "0b1", "infin", "1.2.3", "--1", "1e5.5"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_float(text));
  }
}

TEST_CASE("number: any float survives being written and read", "[model]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (std::isnan(value)) continue;
    CAPTURE(value);
    REQUIRE(parse_float(format_float(value)) == value);
    REQUIRE(parse_float(format_float_positional(value)) == value);
    REQUIRE(parse_float(format_float_g(value)) == value);
  }
}

TEST_CASE("duration: units in order, each once", "[model]") {
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("1h30m") == 5'400'000);
  CHECK(*parse_duration("1y2w3d4h5m6s7ms") ==
        ((((365LL + 14 + 3) * 24 + 4) * 60 + 5) * 60 + 6) * 1000 + 7);
  CHECK(*parse_duration("500ms") == 500);
  for (const char* text : {"", "1", "h", "1h1h", "1m1h", "-1h", "1.5h", "1 h", "1x", "300y",
                           "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).ok());
  }
}

TEST_CASE("duration: printed as Prometheus does", "[model]") {
  CHECK(format_duration(0) == "0s");
  CHECK(format_duration(5'400'000) == "1h30m");
  CHECK(format_duration(7LL * 86'400'000) == "1w");
  CHECK(format_duration(8LL * 86'400'000) == "8d");
  CHECK(format_duration(365LL * 86'400'000) == "1y");
  CHECK(format_duration(1001) == "1s1ms");
  CHECK(format_duration(-90'000) == "-1m30s");
  CHECK(format_duration(std::numeric_limits<std::int64_t>::min()).starts_with("-"));
}
