// SPDX-License-Identifier: Apache-2.0
#include "wire/remote_write.h"

#include <bit>
#include <catch2/catch.hpp>
#include <vector>

#include "write_request_builder.h"

namespace varve::wire {
namespace {

using storage::WriteBatch;
using testing::LabelPairs;
using testing::RequestBuilder;
using testing::SeriesBuilder;

std::string key_of(LabelPairs labels) { return SeriesBuilder().labels(labels).bytes(); }

// The error of a key, "" if it is accepted.
std::string refusal_of(const std::string& key) {
  const auto labels = RemoteWriteKeyDecoder().decode(key);
  return labels.ok() ? "" : labels.error().message();
}

TEST_CASE("remote write: series, samples and keys", "[wire]") {
  SeriesBuilder up;
  up.labels({{"__name__", "up"}, {"job", "a"}}).sample(1, 1000).sample(0, 2000);
  SeriesBuilder down;
  down.labels({{"__name__", "down"}}).sample(-2.5, -3);
  const std::string request = RequestBuilder().series(up).series(down).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->all_decoded());
  REQUIRE(batch.series.size() == 2);
  REQUIRE(batch.samples.size() == 3);
  CHECK(batch.key_space == kRemoteWrite1KeySpace);
  CHECK(batch.series[0].key == key_of({{"__name__", "up"}, {"job", "a"}}));
  CHECK(batch.series[0].samples_count == 2);
  CHECK(batch.series[1].samples_begin == 2);
  CHECK(batch.samples[1].timestamp_ms == 2000);
  CHECK(batch.samples[1].value == 0);
  CHECK(batch.samples[2].timestamp_ms == -3);
  CHECK(batch.samples[2].value == -2.5);
  // In place: the key is a piece of the request.
  CHECK(batch.series[0].key.data() > request.data());
  CHECK(batch.series[0].key.data() < request.data() + request.size());
  REQUIRE(batch.decoder != nullptr);
  CHECK(*batch.decoder->decode(batch.series[0].key) == Labels{{"__name__", "up"}, {"job", "a"}});
}

TEST_CASE("remote write: values keep their bits", "[wire]") {
  const auto bits = GENERATE(kStaleNanBits, kNormalNanBits, std::uint64_t{0x7ff8dead0000beef},
                             std::uint64_t{0x8000000000000001}, std::uint64_t{0xfff0000000000000});
  const auto request = RequestBuilder().series(
      SeriesBuilder().labels({{"__name__", "m"}}).sample(std::bit_cast<double>(bits), 5)).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  CHECK(std::bit_cast<std::uint64_t>(batch.samples.at(0).value) == bits);
}

TEST_CASE("remote write: labels that do not stand together make the same key", "[wire]") {
  SeriesBuilder mixed;
  mixed.label("__name__", "m")
      .sample(1, 1)
      .label("a", "1")
      .unknown_field()
      .label("b", "2")
      .sample(2, 2);
  const auto request = RequestBuilder().series(mixed).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  REQUIRE(batch.series.size() == 1);
  CHECK(batch.series[0].key == key_of({{"__name__", "m"}, {"a", "1"}, {"b", "2"}}));
  CHECK(batch.series[0].samples_count == 2);
  const auto late =
      RequestBuilder().series(SeriesBuilder().sample(1, 1).label("__name__", "late_name")).bytes();
  REQUIRE(decoder.decode(late, batch).ok());
  CHECK(batch.series.at(0).key == key_of({{"__name__", "late_name"}}));
}

TEST_CASE("remote write: labels are sorted and empty values dropped", "[wire]") {
  const auto labels = RemoteWriteKeyDecoder().decode(
      key_of({{"z", "1"}, {"b", ""}, {"__name__", "m"}, {"a", "ü"}}));
  REQUIRE(labels.ok());
  CHECK(*labels == Labels{{"__name__", "m"}, {"a", "ü"}, {"z", "1"}});
}

TEST_CASE("remote write: labels that must be refused are, with Prometheus's words", "[wire]") {
  CHECK(refusal_of(key_of({{"__name__", "m"}, {"a", "1"}, {"a", "2"}})) ==
        R"(label name "a" is not unique: invalid sample, labels {__name__="m", a="1", a="2"})");
  CHECK(refusal_of(key_of({{"job", "a"}})) ==
        R"(invalid metric name or labels, got {job="a"}: the metric name is missing)");
  CHECK(refusal_of(key_of({{"__name__", ""}})).find("the metric name is missing") !=
        std::string::npos);
  CHECK(refusal_of("") == "invalid metric name or labels, got {}: the metric name is missing");
  CHECK(refusal_of(key_of({{"__name__", "m"}, {"", "x"}})).find("a label name is empty") !=
        std::string::npos);
  CHECK(
      refusal_of(key_of({{"__name__", "m"}, {"a", "\xff\xfe"}})) ==
      R"(invalid metric name or labels, got {__name__="m", a="\xff\xfe"}: the value of label "a" is not valid UTF-8)");
  for (const char* text :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "12345678\x80"}) {
    CAPTURE(text);
    CHECK(refusal_of(key_of({{"__name__", text}})).find("not valid UTF-8") != std::string::npos);
  }
  CHECK(refusal_of(key_of({{"__name__", "m.with-utf8 \xf0\x9f\x98\x80"}})).empty());
}

TEST_CASE("remote write: series that cannot have a name are left out, neighbours kept", "[wire]") {
  const auto request = RequestBuilder()
                           .series(SeriesBuilder().sample(1, 1))
                           .series(SeriesBuilder().label("a", "b").sample(1, 1))
                           .series(SeriesBuilder().label("__name__", "good").sample(2, 2))
                           .series(SeriesBuilder().label("__name__", "without_samples"))
                           .bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->refused_series == 2);
  CHECK(report->first_error == "invalid metric name or labels, got {}: the metric name is missing");
  REQUIRE(batch.series.size() == 1);
  REQUIRE(batch.samples.size() == 1);
  CHECK(batch.series[0].samples_begin == 0);
}

TEST_CASE("remote write: a guess at ordinary requests is what decoding makes of them", "[wire]") {
  constexpr Timestamp kNow = 1'700'000'000'123;
  SeriesBuilder up, many, zeros;
  up.labels({{"__name__", "up"}, {"job", "a"}}).sample(1, kNow);
  many.labels({{"__name__", "many"}})
      .sample(1.5, kNow)
      .sample(0, kNow + 1)
      .sample(-2, kNow + 15'000);
  zeros.labels({{"__name__", "zeros"}, {"empty", ""}}).sample(0, kNow).sample(0, kNow + 1);
  const std::string request = RequestBuilder().series(up).series(many).series(zeros).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.decode(request, batch).ok());
  WriteRequestDecoder guesser;
  WriteBatch guessed;
  const auto report = guesser.guess(request, guessed);
  REQUIRE(report);
  CHECK(report->all_decoded());
  CHECK(report->samples_without_metadata == 6);
  CHECK(guessed.key_space == batch.key_space);
  REQUIRE(guessed.series.size() == 3);
  REQUIRE(guessed.samples.size() == 6);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(guessed.series[i].key == batch.series[i].key);
    CHECK(guessed.series[i].samples_begin == batch.series[i].samples_begin);
    CHECK(guessed.series[i].samples_count == batch.series[i].samples_count);
    CHECK(*guessed.decoder->decode(guessed.series[i].key) ==
          *batch.decoder->decode(batch.series[i].key));
  }
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(guessed.samples[i].timestamp_ms == batch.samples[i].timestamp_ms);
    CHECK(guessed.samples[i].value == batch.samples[i].value);
  }
}

TEST_CASE("remote write: what is more than labels and samples is not guessed at", "[wire]") {
  constexpr Timestamp kNow = 1'700'000'000'123;
  SeriesBuilder plain;
  plain.labels({{"__name__", "some_metric"}}).sample(1, kNow);
  WriteRequestDecoder decoder;
  WriteBatch batch;
  REQUIRE(decoder.guess(RequestBuilder().series(plain).bytes(), batch));
  SeriesBuilder exemplar;
  exemplar.labels({{"__name__", "some_metric"}})
      .sample(1, kNow)
      .exemplar({{"trace_id", "x"}}, 1, kNow);
  CHECK_FALSE(decoder.guess(RequestBuilder().series(plain).series(exemplar).bytes(), batch));
  SeriesBuilder early;  // a time of another length
  early.labels({{"__name__", "some_metric"}}).sample(1, 1000);
  CHECK_FALSE(decoder.guess(RequestBuilder().series(early).bytes(), batch));
  CHECK_FALSE(
      decoder.guess(RequestBuilder().series(SeriesBuilder().sample(1, kNow)).bytes(), batch));
  const std::string request = RequestBuilder().series(plain).series(plain).bytes();
  CHECK_FALSE(decoder.guess(request.substr(0, request.size() - 1), batch));
}

TEST_CASE("remote write: a guess that was wrong shows in its keys", "[wire]") {
  constexpr Timestamp kNow = 1'700'000'000'123;
  // A field between the samples, and one among the labels.
  SeriesBuilder between, among;
  between.labels({{"__name__", "some_metric"}}).sample(1, kNow).unknown_field().sample(2, kNow + 1);
  among.label("__name__", "some_metric").unknown_field().label("a", "b").sample(1, kNow);
  // A label that ends like a sample: the field it stands in lacks its end then.
  const std::string sample = SeriesBuilder().sample(1, kNow).bytes();
  SeriesBuilder disguised;
  disguised.labels({{"__name__", "some_metric"}, {"b", sample}}).sample(1, kNow);
  for (const SeriesBuilder* const series : {&between, &among, &disguised}) {
    WriteRequestDecoder decoder;
    WriteBatch batch;
    const std::string request = RequestBuilder().series(*series).bytes();
    REQUIRE(decoder.guess(request, batch));
    REQUIRE(batch.series.size() == 1);
    const auto labels = batch.decoder->decode(batch.series[0].key);
    REQUIRE_FALSE(labels.ok());
    CHECK(labels.error().code() == ErrorCode::kCorruption);
  }
}

TEST_CASE("remote write: integer histograms become absolute counts", "[wire]") {
  const auto request = RequestBuilder().series(
      SeriesBuilder().labels({{"__name__", "h"}}).histogram([](protozero::pbf_writer& message) {
        message.add_uint64(1, 12);
        message.add_double(3, 18.4);
        message.add_sint32(4, 1);
        message.add_double(5, 0.001);
        message.add_uint64(6, 2);
        for (const auto& [offset, length] : {std::pair{0, 2u}, std::pair{1, 2u}}) {
          protozero::pbf_writer span(message, 11);
          span.add_sint32(1, offset);
          span.add_uint32(2, length);
        }
        const std::vector<std::int64_t> deltas{1, 1, -1, 0};
        message.add_packed_sint64(12, deltas.begin(), deltas.end());
        protozero::pbf_writer(message, 8).add_uint32(2, 1);
        message.add_sint64(9, 5);  // not packed
        message.add_enum(14, 2);
        message.add_int64(15, 1234);
      })).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->first_error == "");
  REQUIRE(batch.histograms.size() == 1);
  CHECK(batch.histograms[0].timestamp_ms == 1234);
  const Histogram& histogram = batch.histograms[0].histogram;
  CHECK(histogram.integer);
  CHECK(histogram.schema == 1);
  CHECK(histogram.count == 12);
  CHECK(histogram.zero_count == 2);
  CHECK(histogram.positive_counts == std::vector<double>{1, 2, 1, 1});
  CHECK(histogram.negative_counts == std::vector<double>{5});
  CHECK(histogram.positive_spans[1] == HistogramSpan{1, 2});
  CHECK(histogram.counter_reset_hint == CounterResetHint::kNotReset);
}

TEST_CASE("remote write: float histograms, custom buckets, stale markers", "[wire]") {
  const auto request = RequestBuilder().series(
      SeriesBuilder().labels({{"__name__", "h"}})
          .histogram([](protozero::pbf_writer& message) {
            message.add_double(2, 4.5);
            message.add_double(3, 10);
            message.add_sint32(4, kCustomBucketsSchema);
            protozero::pbf_writer(message, 11).add_uint32(2, 3);
            const std::vector<double> counts{1, 3.5, 0};
            message.add_packed_double(13, counts.begin(), counts.end());
            const std::vector<double> bounds{1, 2};
            message.add_packed_double(16, bounds.begin(), bounds.end());
            message.add_int64(15, 1);
          })
          .histogram([](protozero::pbf_writer& message) {
            message.add_double(3, stale_marker());
            message.add_int64(15, 2);
          })).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->first_error == "");
  REQUIRE(batch.histograms.size() == 2);
  CHECK_FALSE(batch.histograms[0].histogram.integer);
  CHECK(batch.histograms[0].histogram.positive_counts == std::vector<double>{1, 3.5, 0});
  CHECK(batch.histograms[0].histogram.custom_bounds == std::vector<double>{1, 2});
  CHECK(batch.histograms[1].histogram.is_stale());
}

TEST_CASE("remote write: a histogram that contradicts itself is named and left out", "[wire]") {
  const auto request = RequestBuilder().series(
      SeriesBuilder().labels({{"__name__", "h"}, {"a", "b"}}).sample(1, 1).histogram(
          [](protozero::pbf_writer& message) {
            message.add_uint64(1, 12);
            protozero::pbf_writer(message, 11).add_uint32(2, 4'000'000'000u);
            message.add_int64(15, 1);
          })).bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->refused_histograms == 1);
  CHECK(report->first_error.starts_with(R"(h{a="b"}: )"));
  CHECK(batch.histograms.empty());
  CHECK(batch.series.at(0).samples_count == 1);
}

TEST_CASE("remote write: exemplars and metadata", "[wire]") {
  const auto request = RequestBuilder()
                           .series(SeriesBuilder().labels({{"__name__", "m"}})
                                       .exemplar({{"trace_id", "abc"}}, 0.5, 7)
                                       .exemplar({{"x", "1"}, {"x", "2"}}, 1, 8))
                           .metadata(1, "m", "How many.")
                           .metadata(99, "other", "")
                           .metadata(1, "", "no family")
                           .bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE(report.ok());
  CHECK(report->refused_exemplars == 1);
  REQUIRE(batch.exemplars.size() == 1);
  CHECK(batch.exemplars[0].labels == Labels{{"trace_id", "abc"}});
  CHECK(batch.exemplars[0].timestamp_ms == 7);
  REQUIRE(batch.metadata.size() == 2);
  CHECK(batch.metadata[0].type == "counter");
  CHECK(batch.metadata[0].help == "How many.");
  CHECK(batch.metadata[0].unit == "seconds");
  CHECK(batch.metadata[1].type == "unknown");
}

TEST_CASE("remote write: broken protobuf is refused wherever it breaks", "[wire]") {
  const auto request =
      RequestBuilder()
          .series(SeriesBuilder().labels({{"__name__", "m"}, {"a", "b"}}).sample(1.5, 1000))
          .bytes();
  WriteRequestDecoder decoder;
  WriteBatch batch;
  for (std::size_t size = 1; size < request.size(); ++size) {
    CAPTURE(size);
    const auto report = decoder.decode(std::string_view(request).substr(0, size), batch);
    REQUIRE_FALSE(report.ok());
    CHECK(report.error().code() == ErrorCode::kInvalidArgument);
    CHECK(report.error().message().find("at byte 0, after 0 time series") != std::string::npos);
    CHECK(batch.series.empty());
  }
  CHECK(decoder.decode("", batch).ok());
  CHECK_FALSE(decoder.decode(std::string(100, '\xff'), batch).ok());
  CHECK_FALSE(decoder.decode("hello, world", batch).ok());
}

TEST_CASE("remote write: empty messages cannot fill the memory", "[wire]") {
  const auto field = GENERATE('\x12', '\x22', '\x1a');  // a sample, a histogram, an exemplar
  std::string series = SeriesBuilder().label("__name__", "m").bytes();
  while (series.size() < 40u << 20) {
    series += field;
    series += '\0';
  }
  std::string request;
  protozero::pbf_writer(request).add_message(1, series);
  WriteRequestDecoder decoder;
  WriteBatch batch;
  const auto report = decoder.decode(request, batch);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code() == ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace varve::wire
