// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <catch2/catch.hpp>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "api/result_json.h"

using namespace varve;

namespace {

std::string whole(http::Response response) {
  while (response.next_piece && response.next_piece(response.body)) {
  }
  return response.body;
}

}  // namespace

TEST_CASE("json: times are seconds with three decimals where there is a fraction", "[api]") {
  const auto [time_ms, text] = GENERATE(table<Timestamp, std::string>(
      {{0, "0"}, {1'435'781'430'781, "1435781430.781"}, {1000, "1"}, {1500, "1.500"}, {5, "0.005"},
       {-1500, "-1.500"}, {-1, "-0.001"},
       {std::numeric_limits<Timestamp>::min(), "-9223372036854775.808"}}));
  std::string out;
  api::append_json_time(out, time_ms);
  CHECK(out == text);
}

TEST_CASE("json: many samples are written as each by itself, up to the goal", "[api]") {
  std::vector<Sample> samples;
  for (const Timestamp at : {std::numeric_limits<Timestamp>::min(), Timestamp{-1}, Timestamp{0},
                             Timestamp{9'999'999}, Timestamp{10'000'000},
                             std::numeric_limits<Timestamp>::max()}) {
    samples.push_back({at, 1});
  }
  for (int i = 0; i < 1000; ++i) samples.push_back({1'795'279'999'000 + i * 1'001, i * 0.37});
  std::string each;
  for (const Sample& sample : samples) {
    if (!each.empty()) each += ',';
    std::string time;
    api::append_json_time(time, sample.timestamp_ms);
    std::string value;
    api::append_json_value(value, sample.value);
    each += '[' + time + ',' + value + ']';
  }
  std::string out;
  CHECK(api::append_json_samples(out, samples, 1 << 20) == samples.size());
  CHECK(out == each);

  out.clear();
  const std::size_t some = api::append_json_samples(out, samples, 5000);
  CHECK(some < samples.size());
  CHECK(out.size() >= 5000);
  CHECK(out.size() < 8000);
  CHECK(each.starts_with(out + ','));
}

TEST_CASE("json: values are strings as Go prints them", "[api]") {
  const auto [value, text] = GENERATE(table<double, std::string>(
      {{1, "\"1\""}, {0.1, "\"0.1\""}, {1e21, "\"1e+21\""}, {1e-7, "\"1e-07\""},
       {123456789012, "\"123456789012\""}, {-0.0, "\"-0\""},
       {std::numeric_limits<double>::infinity(), "\"+Inf\""},
       {std::numeric_limits<double>::quiet_NaN(), "\"NaN\""}}));
  std::string out;
  api::append_json_value(out, value);
  CHECK(out == text);
}

TEST_CASE("json: strings come back whole from another parser", "[api]") {
  const std::string text = "a\"\\\n\r\t\x01 <script>&\xc3\xbc\xe2\x82\xac";
  std::string out;
  api::append_json_string(out, text);
  CHECK(nlohmann::json::parse(out).get<std::string>() == text);
  CHECK(out.find('<') == std::string::npos);
}

TEST_CASE("json: bytes that are no UTF-8 are replaced, as Go's encoder does", "[api]") {
  std::string out;
  api::append_json_string(out, "\x06\xe0 \xc3\xbc\xed\xa0\x80\xf0\x9f\x98\x80\xe2\x82");
  CHECK(out == "\"\\u0006\\ufffd \xc3\xbc\\ufffd\\ufffd\\ufffd\xf0\x9f\x98\x80\\ufffd\\ufffd\"");
}

TEST_CASE("result json: a large matrix in pieces is the same JSON as its data", "[api]") {
  QueryResult result;
  Matrix matrix;
  for (int s = 0; s < 50; ++s) {
    Series series;
    series.labels = Labels{{"__name__", "m"}, {"s", std::to_string(s)}};
    for (int i = 0; i < s * 40; ++i) series.floats.push_back({i * 1000, i * 0.5});
    if (s % 7 == 3) {
      auto histogram = std::make_shared<Histogram>();
      histogram->count = 3;
      histogram->sum = 4.5;
      histogram->positive_spans = {{0, 2}};
      histogram->positive_counts = {1, 2};
      for (int i = 0; i < 900; ++i) series.histograms.push_back({10'000'000 + i * 1000, histogram});
    }
    matrix.push_back(std::move(series));
  }
  result.value = matrix;
  result.annotations.warnings.push_back("PromQL warning: x (1:1)");
  const auto json = nlohmann::json::parse(
      whole(api::query_response(std::make_shared<const QueryResult>(std::move(result)), 0,
                                api::StatsDetail::kBasic)));
  CHECK(json["status"] == "success");
  CHECK(json["data"]["resultType"] == "matrix");
  CHECK(json["warnings"].size() == 1);
  CHECK(json["data"]["stats"]["samples"].contains("peakSamples"));
  const auto& rows = json["data"]["result"];
  REQUIRE(rows.size() == matrix.size());
  for (std::size_t s = 0; s < matrix.size(); ++s) {
    CAPTURE(s);
    CHECK(rows[s]["metric"]["s"] == std::to_string(s));
    CHECK(rows[s].value("values", nlohmann::json::array()).size() == matrix[s].floats.size());
    CHECK(rows[s].value("histograms", nlohmann::json::array()).size() ==
          matrix[s].histograms.size());
    if (!matrix[s].floats.empty()) {
      CHECK(rows[s]["values"].back()[0].get<double>() * 1000 ==
            static_cast<double>(matrix[s].floats.back().timestamp_ms));
    }
  }
  CHECK(rows[3]["histograms"][0][1]["buckets"].size() == 2);
  CHECK(rows[3]["histograms"][0][1]["buckets"][0][0] == 0);
}

TEST_CASE("result json: an answer that is mostly points of floats says so", "[api]") {
  const auto mostly_points = [](QueryValue value, std::size_t limit) {
    QueryResult result;
    result.value = std::move(value);
    return api::query_response(std::make_shared<const QueryResult>(std::move(result)), limit,
                               api::StatsDetail::kNone)
        .points;
  };
  Matrix matrix(3);
  for (Series& series : matrix) series.floats.resize(60);
  CHECK(mostly_points(matrix, 0));
  matrix[2].histograms.push_back({0, std::make_shared<Histogram>()});
  CHECK_FALSE(mostly_points(matrix, 0));
  CHECK(mostly_points(matrix, 2));
  CHECK_FALSE(mostly_points(Matrix(3), 0));
  CHECK_FALSE(mostly_points(Vector(100), 0));
}

TEST_CASE("result json: scalar, string and empty results", "[api]") {
  const auto render = [](QueryValue value) {
    QueryResult result;
    result.value = std::move(value);
    return whole(api::query_response(
        std::make_shared<const QueryResult>(std::move(result)), 0, api::StatsDetail::kNone));
  };
  CHECK(render(ScalarValue{4000, 2}) ==
        R"({"status":"success","data":{"resultType":"scalar","result":[4,"2"]}})");
  CHECK(render(StringValue{4000, "a"}) ==
        R"({"status":"success","data":{"resultType":"string","result":[4,"a"]}})");
  CHECK(render(Vector{}) == R"({"status":"success","data":{"resultType":"vector","result":[]}})");
  CHECK(render(Matrix{}) == R"({"status":"success","data":{"resultType":"matrix","result":[]}})");
}
