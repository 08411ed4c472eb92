// SPDX-License-Identifier: Apache-2.0
#include "wire/remote_write2.h"

#include <bit>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

#include "wire/remote_write_content.h"
#include "write_request2_builder.h"

namespace varve::wire {
namespace {

using storage::WriteBatch;
using testing::Request2Builder;
using Series = Request2Builder::Series;

std::string key_of(const std::string& request, std::size_t at = 0) {
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  return std::string(batch.series.at(at).key);
}

// A request of one series with one sample.
std::string one_series(const Request2Builder::Pairs& labels,
                       Request2Builder builder = Request2Builder()) {
  const Series series = builder.series(labels).sample(1, 1000);
  return builder.add(series).bytes();
}

DecodeReport decoded(const std::string& request) {
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  return *report;
}

TEST_CASE("remote write 2: type and unit become labels where they are wanted", "[wire]") {
  Request2Builder builder;
  const auto labels = [](const std::string& name) {
    return Request2Builder::Pairs{
        {"__name__", name}, {"__type__", "own"}, {"__unit__", "own"}, {"job", "a"}};
  };
  Series both = builder.series(labels("both")).sample(1, 1000, 500);
  builder.metadata(both, 1, "", "seconds");
  Series type = builder.series(labels("type")).sample(2, 1000);
  builder.metadata(type, 2, "", "");
  Series unit = builder.series(labels("unit")).sample(3, 1000);
  builder.metadata(unit, 0, "", "bytes");
  Series nothing = builder.series(labels("nothing")).sample(4, 1000);
  builder.metadata(nothing, 0, "help", "");
  const Series none = builder.series(labels("none")).sample(5, 1000);
  Series endless = builder.series(labels("endless")).sample(6, 1000);
  builder.metadata(endless, 1, "", std::string(kKeyMaxBytes + 1, 'u'));
  const std::string request =
      builder.add(both).add(type).add(unit).add(nothing).add(none).add(endless).bytes();
  WriteRequest2Decoder decoder;
  WriteBatch batch, zeros;
  REQUIRE(decoder.decode(request, batch, &zeros, MetadataLabels::kTypeAndUnit).ok());
  REQUIRE(batch.series.size() == 6);
  const auto text = [](const WriteBatch& of, std::size_t at) {
    const auto found = of.decoder->decode(of.series.at(at).key);
    return found.ok() ? found->to_string() : found.error().message();
  };
  CHECK(text(batch, 0) == "both{__type__=\"counter\", __unit__=\"seconds\", job=\"a\"}");
  CHECK(text(batch, 1) == "type{__type__=\"gauge\", job=\"a\"}");
  CHECK(text(batch, 2) == "unit{__unit__=\"bytes\", job=\"a\"}");
  CHECK(text(batch, 3) == "nothing{__type__=\"own\", __unit__=\"own\", job=\"a\"}");
  CHECK(text(batch, 4) == "none{__type__=\"own\", __unit__=\"own\", job=\"a\"}");
  CHECK(text(batch, 5) == "endless{__type__=\"counter\", job=\"a\"}");
  REQUIRE(zeros.series.size() == 1);
  CHECK(text(zeros, 0) == text(batch, 0));
  REQUIRE(decoder.decode(request, batch).ok());
  CHECK(text(batch, 0) == "both{__type__=\"own\", __unit__=\"own\", job=\"a\"}");
}

TEST_CASE("remote write 2: a series told another type or unit has another key", "[wire]") {
  const auto key = [](std::int32_t type, const std::string& unit, bool first_symbols) {
    Request2Builder builder(first_symbols ? std::vector<std::string>{"", "x", "y"}
                                          : std::vector<std::string>{""});
    Series series = builder.series({{"__name__", "up"}}).sample(1, 1000);
    builder.metadata(series, type, "", unit);
    WriteRequest2Decoder decoder;
    WriteBatch batch;
    REQUIRE(
        decoder.decode(builder.add(series).bytes(), batch, nullptr, MetadataLabels::kTypeAndUnit)
            .ok());
    return std::string(batch.series.at(0).key);
  };
  std::set<std::string> keys;
  for (std::int32_t type = 0; type <= 7; ++type) {
    for (const std::string unit : {"", "seconds", "bytes"}) {
      keys.insert(key(type, unit, false));
      CHECK(key(type, unit, true) == key(type, unit, false));
    }
  }
  CHECK(keys.size() == 24);
}

TEST_CASE("remote write 2: series, samples, histograms, exemplars and metadata", "[wire]") {
  Request2Builder builder;
  Series up = builder.series({{"__name__", "up"}, {"job", "a"}}).sample(1, 1000).sample(0, 2000);
  builder.exemplar(up, {{"trace_id", "abc"}}, 0.5, 1500);
  builder.metadata(up, 2, "Whether it is up.", "");
  Series latency = builder.series({{"__name__", "latency_seconds"}, {"job", "a"}});
  latency.histogram([](protozero::pbf_writer& h) {
    h.add_uint64(1, 3);
    h.add_double(3, 5.5);
    h.add_sint32(4, 1);
    protozero::pbf_writer(h, 11).add_uint32(2, 2);
    const std::vector<std::int64_t> deltas{1, 1};
    h.add_packed_sint64(12, deltas.begin(), deltas.end());
    h.add_int64(15, 3000);
  });
  builder.metadata(latency, 3, "How long it took.", "seconds");
  const std::string request = builder.add(up).add(latency).bytes();
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->all_decoded());
  REQUIRE(batch.series.size() == 2);
  CHECK(batch.key_space == kRemoteWrite2KeySpace);
  CHECK(batch.series[0].samples_count == 2);
  CHECK(batch.series[0].exemplars_count == 1);
  CHECK(batch.series[1].samples_count == 0);
  CHECK(batch.series[1].histograms_count == 1);
  CHECK(batch.samples[0].value == 1);
  CHECK(batch.samples[1].timestamp_ms == 2000);
  CHECK(batch.samples[1].value == 0);
  CHECK(batch.histograms[0].timestamp_ms == 3000);
  CHECK(batch.histograms[0].histogram.positive_counts == std::vector<double>{1, 2});
  CHECK(batch.exemplars[0].labels == Labels{{"trace_id", "abc"}});
  CHECK(batch.exemplars[0].value == 0.5);
  CHECK(batch.exemplars[0].timestamp_ms == 1500);
  REQUIRE(batch.metadata.size() == 2);
  CHECK(batch.metadata[0].metric_family == "up");
  CHECK(batch.metadata[0].type == "gauge");
  CHECK(batch.metadata[0].help == "Whether it is up.");
  CHECK(batch.metadata[1].type == "histogram");
  CHECK(batch.metadata[1].unit == "seconds");
  CHECK(*batch.decoder->decode(batch.series[0].key) == Labels{{"__name__", "up"}, {"job", "a"}});
  CHECK(*batch.decoder->decode(batch.series[1].key) ==
        Labels{{"__name__", "latency_seconds"}, {"job", "a"}});
}

TEST_CASE("remote write 2: values keep their bits", "[wire]") {
  const auto bits = GENERATE(kStaleNanBits, kNormalNanBits, std::uint64_t{0x7ff8dead0000beef},
                             std::uint64_t{0x8000000000000001}, std::uint64_t{0xfff0000000000000});
  Request2Builder builder;
  const Series series =
      builder.series({{"__name__", "m"}}).sample(std::bit_cast<double>(bits), 5, 1);
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  const std::string request = builder.add(series).bytes();
  REQUIRE(decoder.decode(request, batch).ok());
  CHECK(std::bit_cast<std::uint64_t>(batch.samples.at(0).value) == bits);
  CHECK(batch.samples[0].timestamp_ms == 5);
}

TEST_CASE("remote write 2: labels have one key, whatever symbols and order name them", "[wire]") {
  const std::string key = key_of(one_series({{"__name__", "up"}, {"a", "1"}, {"b", "2"}}));
  CHECK(key == key_of(one_series({{"b", "2"}, {"__name__", "up"}, {"a", "1"}})));
  CHECK(key == key_of(one_series({{"__name__", "up"}, {"a", "1"}, {"b", "2"}},
                                 Request2Builder({"", "x", "2", "y", "b", "1"}))));
  // More symbols than one and two bytes of a reference can count.
  std::vector<std::string> many{""};
  for (int i = 0; i < 20'000; ++i) many.push_back("symbol" + std::to_string(i));
  CHECK(key ==
        key_of(one_series({{"__name__", "up"}, {"a", "1"}, {"b", "2"}}, Request2Builder(many))));
  // Symbols behind the series that name them.
  Request2Builder late;
  late.add(late.series({{"__name__", "up"}, {"a", "1"}, {"b", "2"}}).sample(1, 1));
  CHECK(key == key_of(late.series_bytes() + late.symbols()));
}

TEST_CASE("remote write 2: other labels have another key", "[wire]") {
  const std::set<std::string> keys{
      key_of(one_series({{"__name__", "up"}, {"a", "b"}, {"c", "d"}})),
      key_of(one_series({{"__name__", "up"}, {"a", "d"}, {"c", "b"}})),
      key_of(one_series({{"__name__", "up"}, {"b", "a"}, {"c", "d"}})),
      key_of(one_series({{"__name__", "up"}, {"a", "b"}})),
      key_of(one_series({{"__name__", "up"}, {"a", "b"}, {"c", ""}})),
      key_of(one_series({{"__name__", "up"}, {"a", "b"}, {"c", "d"}, {"c", "d"}})),
      key_of(one_series({{"up", "__name__"}, {"a", "b"}, {"c", "d"}})),
      key_of(one_series({{"__name__", "u"}, {"a", "b"}, {"c", "d"}}))};
  CHECK(keys.size() == 8);
  // Random sets of labels from few strings.
  std::mt19937_64 random(7);
  std::set<std::string> random_keys;
  std::set<std::set<std::pair<std::string, std::string>>> sets;
  for (int i = 0; i < 3000; ++i) {
    std::map<std::string, std::string> labels;
    for (std::uint64_t n = 1 + random() % 4; n > 0; --n) {
      labels[std::string(1, static_cast<char>('a' + random() % 6))] =
          std::string(1, static_cast<char>('a' + random() % 6));
    }
    sets.insert({labels.begin(), labels.end()});
    random_keys.insert(key_of(one_series({labels.begin(), labels.end()})));
  }
  CHECK(random_keys.size() == sets.size());
}

TEST_CASE("remote write 2: references may come in pieces and one by one", "[wire]") {
  Request2Builder builder;
  const Series whole = builder.series({{"__name__", "up"}, {"a", "1"}}).sample(1, 1);
  const std::string key = key_of(Request2Builder(builder).add(whole).bytes());
  std::string pieces;
  {
    protozero::pbf_writer writer(pieces);
    writer.add_packed_uint32(1, whole.refs.begin(), whole.refs.begin() + 1);
    writer.add_uint32(1, whole.refs[1]);
    writer.add_string(77, "from the future");
  }
  pieces += whole.bytes;
  protozero::pbf_writer(pieces).add_packed_uint32(1, whole.refs.begin() + 2, whole.refs.end());
  builder.add_bytes(pieces);
  const std::string request = builder.bytes();
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  REQUIRE(batch.series.size() == 1);
  CHECK(batch.series[0].key == key);
  CHECK(*batch.decoder->decode(batch.series[0].key) == Labels{{"__name__", "up"}, {"a", "1"}});
}

TEST_CASE("remote write 2: what is wrong with a series is said, its neighbours stay", "[wire]") {
  Request2Builder builder;
  const Series good = builder.series({{"__name__", "good"}}).sample(1, 1);
  const auto refusal = [&](const Series& bad) {
    Request2Builder one = builder;
    const std::string request = one.add(bad).add(good).bytes();
    WriteRequest2Decoder decoder;
    WriteBatch batch;
    const auto report = decoder.decode(request, batch);
    REQUIRE(report.ok());
    CHECK(report->refused_series == 1);
    REQUIRE(batch.series.size() == 1);
    CHECK(batch.samples.size() == 1);
    CHECK(*batch.decoder->decode(batch.series[0].key) == Labels{{"__name__", "good"}});
    return report->first_error;
  };
  Series odd;
  odd.refs = {1, 2, 1};
  CHECK(refusal(odd.sample(1, 1)) ==
        "parsing labels for series [1 2 1]: invalid labelRefs length 3");
  Series outside;
  outside.refs = {1, 999};
  CHECK(refusal(outside.sample(1, 1)) ==
        "parsing labels for series [1 999]: labelRefs 1 (name) = 999 (value) outside of symbols "
        "table (size 3)");
  Series empty = good;
  empty.bytes.clear();
  builder.exemplar(empty, {}, 1, 1);
  CHECK(refusal(empty) ==
        "TimeSeries must contain at least one sample or histogram for series {__name__=\"good\"}");
}

TEST_CASE("remote write 2: labels that storage must refuse are refused by the key's decoder",
          "[wire]") {
  const auto refusal = [](const Request2Builder::Pairs& labels) {
    const std::string request = one_series(labels);
    WriteRequest2Decoder decoder;
    WriteBatch batch;
    REQUIRE(decoder.decode(request, batch).ok());
    const auto read = batch.decoder->decode(batch.series.at(0).key);
    return read.ok() ? "" : read.error().message();
  };
  CHECK_THAT(refusal({{"a", "1"}}), Catch::Contains("metric name"));
  CHECK_THAT(refusal({{"__name__", "m"}, {"a", "1"}, {"a", "2"}}), Catch::Contains("not unique"));
  CHECK_THAT(refusal({{"__name__", "m"}, {"a", "\xff"}}), Catch::Contains("UTF-8"));
  CHECK_THAT(refusal({{"__name__", "m"}, {"", "1"}}), Catch::Contains("empty"));
  CHECK(refusal({{"z", "1"}, {"__name__", "m"}, {"a", ""}}).empty());
}

TEST_CASE("remote write 2: a long symbol that is named often does not unfold", "[wire]") {
  Request2Builder builder({"", std::string(kKeyMaxBytes / 4, 'x')});
  Series series = builder.series({{"__name__", "m"}}).sample(1, 1);
  series.refs.insert(series.refs.end(), 8, 1);
  const DecodeReport report = decoded(builder.add(series).bytes());
  CHECK(report.refused_series == 1);
  CHECK_THAT(report.first_error, Catch::Contains("take more than"));
}

TEST_CASE("remote write 2: the empty symbol named without end does not unfold", "[wire]") {
  Request2Builder builder;
  Series series = builder.series({{"__name__", "m"}}).sample(1, 1);
  builder.exemplar(series, {{"trace_id", "a"}}, 1, 1);
  series.refs.insert(series.refs.end(), kKeyMaxBytes, 0);
  const DecodeReport report = decoded(builder.add(series).bytes());
  CHECK(report.refused_series == 1);
  CHECK_THAT(report.first_error, Catch::Contains("take more than"));
}

TEST_CASE("remote write 2: a decoder knows what it keeps, and gives it back", "[wire]") {
  std::string request;
  for (int i = 0; i < 100'000; ++i) request.append({4 << 3 | 2, 0});
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  CHECK(decoder.memory_bytes() >= 100'000 * SymbolTable::kSymbolBytes);
  decoder.shrink();
  CHECK(decoder.memory_bytes() < 1000);
}

TEST_CASE("remote write 2: many tiny symbols are refused before they take the memory", "[wire]") {
  std::string request;
  request.reserve(kBatchMaxBytes / SymbolTable::kSymbolBytes * 2 + 100);
  for (std::size_t i = 0; i <= kBatchMaxBytes / SymbolTable::kSymbolBytes; ++i) {
    request += static_cast<char>(4 << 3 | 2);
    request += '\0';
  }
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("remote write 2: broken bytes name their place and leave nothing", "[wire]") {
  Request2Builder builder;
  const Series series = builder.series({{"__name__", "m"}}).sample(1, 1);
  const std::string request = builder.add(series).bytes();
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  std::size_t broken = 0;
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    const auto report = decoder.decode(request.substr(0, request.size() - cut), batch);
    if (report.ok()) continue;
    ++broken;
    CHECK(batch.series.empty());
    CHECK(batch.samples.empty());
    CHECK_THAT(report.error().message(), Catch::Contains("broken protobuf in the field at byte"));
  }
  CHECK(broken > request.size() / 2);
}

TEST_CASE("remote write 2: where counters began becomes zeros, if they are wanted", "[wire]") {
  Request2Builder builder;
  const Series told =
      builder.series({{"__name__", "told_total"}}).sample(5, 2000, 1000).sample(6, 3000, 1000);
  const Series reset =
      builder.series({{"__name__", "reset_total"}}).sample(5, 2000, 500).sample(1, 3000, 2500);
  const Series series_wide =
      builder.series({{"__name__", "wide_total"}}).sample(5, 2000).created(700);
  const Series silent = builder.series({{"__name__", "silent"}}).sample(5, 2000);
  const Series wrong = builder.series({{"__name__", "wrong_total"}}).sample(5, 2000, 2000);
  Series histogram = builder.series({{"__name__", "h"}});
  histogram.histogram([](protozero::pbf_writer& h) {
    h.add_uint64(1, 0);
    h.add_sint32(4, 2);
    h.add_int64(15, 3000);
    h.add_int64(17, 1500);
  });
  const std::string request =
      builder.add(told).add(reset).add(silent).add(series_wide).add(wrong).add(histogram).bytes();
  WriteRequest2Decoder decoder;
  WriteBatch batch, zeros;
  REQUIRE(decoder.decode(request, batch, &zeros).ok());
  REQUIRE(zeros.series.size() == 5);
  std::vector<std::string> seen;
  for (const storage::SeriesEntry& entry : zeros.series) {
    const auto labels = zeros.decoder->decode(entry.key);
    REQUIRE(labels.ok());
    const bool float_zero = entry.samples_count == 1;
    if (float_zero) CHECK(zeros.samples[entry.samples_begin].value == 0);
    seen.push_back(std::string(labels->get("__name__")) + " " +
                   std::to_string(float_zero
                                      ? zeros.samples[entry.samples_begin].timestamp_ms
                                      : zeros.histograms[entry.histograms_begin].timestamp_ms));
  }
  CHECK(seen == std::vector<std::string>{"told_total 1000", "reset_total 500", "reset_total 2500",
                                         "wide_total 700", "h 1500"});
  CHECK(zeros.histograms[0].histogram.schema == 2);
  CHECK(zeros.histograms[0].histogram.counter_reset_hint == CounterResetHint::kReset);
}

TEST_CASE("remote write 2: metadata is told once, and again when it is another", "[wire]") {
  WriteRequest2Decoder decoder;
  WriteBatch batch;
  const auto told = [&](const std::string& name, std::int32_t type, const std::string& help) {
    Request2Builder builder;
    Series a = builder.series({{"__name__", name}, {"a", "1"}}).sample(1, 1);
    Series b = builder.series({{"__name__", name}, {"a", "2"}}).sample(1, 1);
    builder.metadata(a, type, help, "");
    builder.metadata(b, type, help, "");
    const std::string request = builder.add(a).add(b).bytes();
    REQUIRE(decoder.decode(request, batch).ok());
    return batch.metadata.size();
  };
  CHECK(told("x_total", 1, "X.") == 1);
  CHECK(told("x_total", 1, "X.") == 0);
  CHECK(told("x_total", 1, "Another.") == 1);
  CHECK(told("y_bucket", 3, "Y.") == 1);
  CHECK(batch.metadata[0].metric_family == "y");
  CHECK(told("z_count", 5, "Z.") == 1);
  CHECK(batch.metadata[0].metric_family == "z");
  CHECK(told("unknown", 0, "") == 0);
  decoder.forget_told();
  CHECK(told("x_total", 1, "X.") == 1);
}

TEST_CASE("remote write: content types", "[wire]") {
  CHECK(*remote_write_version("") == RemoteWriteVersion::k1);
  CHECK(*remote_write_version("application/x-protobuf") == RemoteWriteVersion::k1);
  CHECK(*remote_write_version("application/x-protobuf;proto=prometheus.WriteRequest") ==
        RemoteWriteVersion::k1);
  CHECK(*remote_write_version("application/x-protobuf; proto=io.prometheus.write.v2.Request") ==
        RemoteWriteVersion::k2);
  CHECK(*remote_write_version(
            "application/x-protobuf;charset=x;proto=io.prometheus.write.v2.Request") ==
        RemoteWriteVersion::k2);
  const auto refusal = [](std::string_view type) {
    return remote_write_version(type).error().message();
  };
  CHECK(
      refusal("application/x-protobuf;proto=yolo") ==
      "got application/x-protobuf;proto=yolo content type; unknown type for remote write protobuf "
      "message yolo, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request");
  CHECK(refusal("yolo") ==
        "expected application/x-protobuf as the first (media) part, got yolo content-type");
  CHECK_THAT(refusal("application/x-protobuf;proto"),
             Catch::Contains("expected parameters to be key-values"));
}

}  // namespace
}  // namespace varve::wire
