// SPDX-License-Identifier: Apache-2.0
#include "cli/result_text.h"

#include <catch2/catch.hpp>

namespace varve::cli {
namespace {

std::string answer(const std::string& type, const std::string& result) {
  return R"({"status":"success","data":{"resultType":")" + type + R"(","result":)" + result + "}}";
}

TEST_CASE("query results: print as promtool prints them", "[cli]") {
  const auto text = [](const std::string& body) {
    return *value_text(body, ResultFormat::kPromql);
  };
  CHECK(text(answer("vector",
                    R"([{"metric":{"__name__":"up","b":"x\"y","a":"1"},"value":[1.5,"1e+21"]},)"
                    R"({"metric":{},"value":[2,"NaN"]}])")) ==
        "up{a=\"1\", b=\"x\\\"y\"} => 1000000000000000000000 @[1.5]\n{} => NaN @[2]\n");
  CHECK(text(answer("vector", "[]")) == "\n");
  CHECK(text(answer("matrix", R"([{"metric":{"__name__":"up"},"values":[[1,"1"],[2,"0.5"]]}])")) ==
        "up =>\n1 @[1]\n0.5 @[2]\n");
  CHECK(text(answer("scalar", R"([1435781451.781,"2"])")) == "scalar: 2 @[1435781451.781]\n");
  CHECK(text(answer("string", R"([1,"hello"])")) == "hello\n");
  CHECK(text(answer("vector", R"([{"metric":{"a":"b"},"histogram":[1,{"count":"3","sum":"4.5",)"
                              R"("buckets":[[0,"1","2","3"],[3,"-1","1","0"]]}]}])")) ==
        "{a=\"b\"} => Count: 3.000000, Sum: 4.500000, Buckets: [(1,2]:3 [-1,1]:0] @[1]\n");
}

TEST_CASE("query results: JSON is the result alone, as Go writes it", "[cli]") {
  CHECK(*value_text(answer("vector", R"([ {"metric":{"a":"<b>"},"value":[1.5,"1"]} ])"),
                    ResultFormat::kJson) ==
        "[{\"metric\":{\"a\":\"\\u003cb\\u003e\"},\"value\":[1.5,\"1\"]}]\n");
}

TEST_CASE("query results: series and label values, one a line", "[cli]") {
  CHECK(*series_text(R"({"status":"success","data":[{"__name__":"up","job":"a"},{}]})",
                     ResultFormat::kPromql) == "{__name__=\"up\", job=\"a\"}\n{}\n");
  CHECK(*label_values_text(R"({"status":"success","data":["a","b"]})", ResultFormat::kPromql) ==
        "a\nb\n");
}

TEST_CASE("query results: errors of the server, and what is no answer of this API", "[cli]") {
  const auto error = [](const std::string& body) {
    return value_text(body, ResultFormat::kPromql).error().message();
  };
  CHECK(error(R"({"status":"error","errorType":"bad_data","error":"1:1: parse error"})") ==
        "bad_data: 1:1: parse error");
  CHECK(error("<html>") == "bad_response: the answer is not JSON of the Prometheus API");
  CHECK(error(answer("vector", "[1]")).starts_with("bad_response: unexpected value type"));
  CHECK(!series_text(R"({"status":"success","data":[1]})", ResultFormat::kPromql).ok());
}

}  // namespace
}  // namespace varve::cli
