// SPDX-License-Identifier: Apache-2.0
// Remote write 2, and what vmagent sends.
#include "api/api_harness.h"
#include "api/write_body.h"
#include "http/content_coding.h"
#include "wire/write_request2_builder.h"

namespace varve::test {
namespace {

using wire::testing::Request2Builder;

constexpr const char* kVersion2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

std::string snappy(const std::string& plain) {
  std::string body;
  wire::snappy_compress(plain, body);
  return body;
}
std::string zstd(const std::string& plain) {
  std::string body;
  http::zstd_compress(plain, body);
  return body;
}

std::string header(const http::Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "none";
}

// Samples, histograms and exemplars written.
std::string written(const http::Response& response) {
  return header(response, "X-Prometheus-Remote-Write-Samples-Written") + " " +
         header(response, "X-Prometheus-Remote-Write-Histograms-Written") + " " +
         header(response, "X-Prometheus-Remote-Write-Exemplars-Written");
}

struct Writing : Harness {
  explicit Writing(api::Options api_options = {}) : Harness(std::move(api_options)) {
    api->ready(*db, *manager);
  }
  http::Response write2(const std::string& request) {
    return ask("POST", "/api/v1/write", "", snappy(request), kVersion2, "snappy");
  }
  std::string value_of(const std::string& query) {
    const auto result = get("/api/v1/query", "query=" + query)["data"]["result"];
    return result.empty() ? "nothing" : result[0]["value"][1].get<std::string>();
  }
};

TEST_CASE("remote write 2: what was written is counted in headers", "[api]") {
  Writing server;
  Request2Builder builder;
  auto up =
      builder.series({{"__name__", "up"}, {"job", "a"}}).sample(1, kNow - 1000).sample(2, kNow);
  builder.exemplar(up, {{"trace_id", "abc"}}, 1, kNow);
  builder.metadata(up, 2, "Whether it is up.", "");
  auto latency = builder.series({{"__name__", "latency"}});
  latency.histogram([](protozero::pbf_writer& h) {
    h.add_uint64(1, 0);
    h.add_int64(15, kNow);
  });
  const std::string request = builder.add(up).add(latency).bytes();
  http::Response response = server.write2(request);
  CHECK(response.status == 204);
  CHECK(response.body.empty());
  CHECK(written(response) == "2 1 1");
  CHECK(server.value_of("up") == "2");
  CHECK(server.get("/api/v1/metadata", "metric=up")["data"]["up"][0]["help"] ==
        "Whether it is up.");
  // The newest again is no error.
  Request2Builder again;
  again.add(again.series({{"job", "a"}, {"__name__", "up"}}).sample(2, kNow));
  response = server.write2(again.bytes());
  CHECK(response.status == 204);
  CHECK(written(response) == "1 0 0");
}

TEST_CASE("remote write: what comes without metadata or with wrong labels is counted", "[api]") {
  Writing server;
  const auto shown = [&](const std::string& name) {
    const std::string page = server.ask("GET", "/metrics").body;
    const auto at = page.find("\nprometheus_api_remote_write_" + name + ' ');
    if (at == std::string::npos) return std::string("nothing");
    const auto value = page.find(' ', at) + 1;
    return page.substr(value, page.find('\n', value) - value);
  };
  CHECK(shown("invalid_labels_samples_total") == "0");
  CHECK(shown("without_metadata_appended_samples_total") == "0");
  Request2Builder builder;
  auto told = builder.series({{"__name__", "told"}}).sample(1, kNow);
  builder.metadata(told, 1, "Is described.", "");
  auto bare = builder.series({{"__name__", "bare"}}).sample(1, kNow - 1).sample(2, kNow);
  auto wrong = builder.series({{"job", "without a name"}}).sample(1, kNow);
  CHECK(server.write2(builder.add(told).add(bare).add(wrong).bytes()).status == 400);
  CHECK(shown("invalid_labels_samples_total") == "1");
  CHECK(shown("without_metadata_appended_samples_total") == "2");
}

TEST_CASE("remote write: series that look like others are what they say, known or not", "[api]") {
  Harness harness;
  harness.api->ready(*harness.db, *harness.manager);
  const auto label = [](const std::string& name, const std::string& value) {
    std::string bytes;
    std::string field;
    test::put_bytes(bytes, 1, name);
    test::put_bytes(bytes, 2, value);
    test::put_bytes(field, 1, bytes);
    return field;
  };
  const auto sample = [](double value, Timestamp t) {
    // Without the head of the series' field: the field of its sample.
    return time_series({}, {{t, value}}).substr(2);
  };
  const auto request_of = [](const std::string& series) {
    std::string request;
    test::put_bytes(request, 1, series);
    return request;
  };
  // A sample between two labels, and a label that ends as a sample would.
  const std::string split = label("__name__", "split") + sample(1, kNow) + label("job", "x");
  const std::string tail = "\x12\x10\x09" "1234567@" "\x10\xc3\xbc\xe2\x82\xac\x01";
  const std::string alike = label("__name__", "alike") + label("job", tail) + sample(2, kNow);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& series : {split, alike}) {
      const http::Response written = harness.write(request_of(series));
      CAPTURE(round, written.body);
      CHECK(written.status == 204);
    }
    const auto found = harness.get("/api/v1/series", "match[]=%7B__name__=~%22split%7Calike%22%7D");
    REQUIRE(found["data"].size() == 2);
    CHECK(found["data"][0]["job"] == tail);
    CHECK(found["data"][1]["job"] == "x");
    const auto values =
        harness.get("/api/v1/query", "query=sum(%7B__name__=~%22split%7Calike%22%7D)");
    CHECK(values["data"]["result"][0]["value"][1] == "3");
  }
}

TEST_CASE("remote write 2: the series of version 1 are the same series", "[api]") {
  Writing server;
  REQUIRE(
      server.write(time_series({{"__name__", "up"}, {"job", "a"}}, {{kNow - 1000, 1}})).status ==
      204);
  Request2Builder builder;
  builder.add(builder.series({{"job", "a"}, {"__name__", "up"}}).sample(7, kNow));
  REQUIRE(server.write2(builder.bytes()).status == 204);
  CHECK(server.value_of("count_over_time(up[1m])") == "2");
  CHECK(server.value_of("count(up)") == "1");
}

TEST_CASE("remote write 2: a partial write says what was wrong and what was written", "[api]") {
  Writing server;
  Request2Builder first;
  first.add(first.series({{"__name__", "a"}}).sample(1, kNow));
  REQUIRE(server.write2(first.bytes()).status == 204);
  Request2Builder builder;
  auto late = builder.series({{"__name__", "a"}}).sample(5, kNow - 1000);
  auto good = builder.series({{"__name__", "b"}}).sample(2, kNow);
  auto nameless = builder.series({{"job", "x"}}).sample(2, kNow);
  Request2Builder::Series outside;
  outside.refs = {1, 99};
  outside.sample(1, kNow);
  const http::Response response =
      server.write2(builder.add(late).add(outside).add(nameless).add(good).bytes());
  CHECK(response.status == 400);
  CHECK(written(response) == "1 0 0");
  CHECK_THAT(response.body,
             Catch::StartsWith("parsing labels for series [1 99]: labelRefs 1 (name) = "
                               "99 (value) outside of symbols table (size "));
  CHECK_THAT(response.body, Catch::Contains("\nand 1 more refused\n"));
  CHECK(server.value_of("b") == "2");
}

TEST_CASE("remote write 2: a request that cannot be read is refused without headers", "[api]") {
  Writing server;
  const auto status = [&](const std::string& body, const std::string& type,
                          const std::string& coding) {
    const http::Response response = server.ask("POST", "/api/v1/write", "", body, type, coding);
    CHECK(written(response) == "none none none");
    return response.status;
  };
  CHECK(status(snappy("\x2a\x7f"), kVersion2, "snappy") == 400);
  CHECK(status("not snappy", kVersion2, "snappy") == 400);
  CHECK(status(snappy(""), "application/x-protobuf;proto=yolo", "snappy") == 415);
  CHECK(status(snappy(""), "application/json", "snappy") == 415);
  CHECK(status(snappy(""), kVersion2, "gzip") == 415);
  CHECK(server.ask("POST", "/api/v1/write", "", snappy(""), kVersion2, "br").body ==
        "br encoding (compression) is not accepted by this server; only snappy and zstd are "
        "acceptable\n");
}

TEST_CASE("remote write 2: an empty request writes nothing and says so", "[api]") {
  Writing server;
  const http::Response response = server.write2("");
  CHECK(response.status == 204);
  CHECK(written(response) == "0 0 0");
}

TEST_CASE("remote write 2: starts become zeros where the feature is on", "[api]") {
  Request2Builder builder;
  builder.add(builder.series({{"__name__", "x_total"}}).sample(5, kNow, kNow - 30'000));
  {
    Writing server;
    const http::Response response = server.write2(builder.bytes());
    CHECK(written(response) == "1 0 0");
    CHECK(server.value_of("count_over_time(x_total[5m])") == "1");
  }
  api::Options options;
  options.remote_write_start_zeros = true;
  Writing server(options);
  CHECK(written(server.write2(builder.bytes())) == "1 0 0");
  CHECK(server.value_of("count_over_time(x_total[5m])") == "2");
  CHECK(server.value_of("min_over_time(x_total[5m])") == "0");
  // Told again, it is what is stored already or too late, and no error.
  Request2Builder next;
  next.add(next.series({{"__name__", "x_total"}}).sample(6, kNow + 15'000, kNow - 30'000));
  CHECK(server.write2(next.bytes()).status == 204);
}

TEST_CASE("remote write 2: type and unit become labels where the feature is on", "[api]") {
  api::Options options;
  options.remote_write_type_and_unit = true;
  Writing server(options);
  for (const std::int32_t type : {1, 2}) {
    Request2Builder builder;
    auto series = builder.series({{"__name__", "x"}}).sample(type, kNow);
    builder.metadata(series, type, "", "bytes");
    CHECK(server.write2(builder.add(series).bytes()).status == 204);
  }
  CHECK(server.value_of("x{__type__=\"counter\",__unit__=\"bytes\"}") == "1");
  CHECK(server.value_of("x{__type__=\"gauge\"}") == "2");
}

TEST_CASE("vmagent: the handshake is answered, and zstd is read then", "[api]") {
  Writing server;
  const http::Response hello = server.ask("POST", "/api/v1/write", "get_vm_proto_version=1", "",
                                          "application/x-protobuf", "snappy");
  CHECK(hello.status == 200);
  CHECK(hello.body == "1");
  const std::string request = time_series({{"__name__", "up"}}, {{kNow, 3}});
  CHECK(server.ask("POST", "/api/v1/write", "", zstd(request), "application/x-protobuf", "zstd")
            .status == 204);
  CHECK(server.value_of("up") == "3");
  // Blocks that were kept on disk in the other coding.
  const std::string older = time_series({{"__name__", "older"}}, {{kNow, 4}});
  CHECK(server.ask("POST", "/api/v1/write", "", snappy(older), "application/x-protobuf", "zstd")
            .status == 204);
  const std::string newer = time_series({{"__name__", "newer"}}, {{kNow, 5}});
  CHECK(server.ask("POST", "/api/v1/write", "", zstd(newer), "application/x-protobuf", "snappy")
            .status == 204);
  CHECK(server.value_of("older%2Bon()newer") == "9");
}

TEST_CASE("vmagent: zstd that unfolds too far is refused", "[api]") {
  api::Options options;
  options.limits.write_uncompressed_max_bytes = 1 << 20;
  Writing server(options);
  const http::Response response =
      server.ask("POST", "/api/v1/write", "", zstd(std::string(2 << 20, '\0')),
                 "application/x-protobuf", "zstd");
  CHECK(response.status == 413);
}

}  // namespace
}  // namespace varve::test
