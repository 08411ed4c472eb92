// SPDX-License-Identifier: Apache-2.0
// Pins the bytes of a segment. If this fails, either the format changed by accident, or it needs a
// new version (format.h) and a second golden file beside the old one, which must stay readable.
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "log_rig.h"
#include "storage/wal/format.h"
#include "storage/wal/log_state.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;

namespace {

std::string golden_bytes(const std::string& path) {
  std::ifstream golden(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(golden), std::istreambuf_iterator<char>()};
}

// One frame with every kind of record.
class GoldenSource final : public FrameSource {
 public:
  void collect(const FramePosition&, FrameBuilder& out) override {
    if (done_) return;
    done_ = true;
    RunEncoder run;
    const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
    run.add_float(SeriesId{1}, 1'700'000'000'000, bits(100.0), 0, true);
    run.add_float(SeriesId{2}, 1'700'000'000'000, bits(2.5), bits(2.5), false);
    run.add_float(SeriesId{7}, 1'700'000'000'000, bits(101.25), bits(100.25), false);
    run.add_float(SeriesId{7}, 1'700'000'015'000, kStaleNanBits, bits(101.25), false);
    run.add_float(SeriesId{1'000'000}, 1'700'000'000'000, bits(-1.0), bits(1e300), false);
    HistogramSample histogram;
    histogram.timestamp_ms = 1'700'000'000'000;
    histogram.histogram.schema = 2;
    histogram.histogram.integer = true;
    histogram.histogram.count = 7;
    histogram.histogram.zero_count = 1;
    histogram.histogram.sum = 12.5;
    histogram.histogram.zero_threshold = 0.001;
    histogram.histogram.positive_spans = {{-1, 2}, {3, 1}};
    histogram.histogram.positive_counts = {3, 1, 2};
    run.add_histogram(SeriesId{3}, histogram, false);
    histogram.histogram.integer = false;
    histogram.histogram.positive_counts = {0.5, 1, 2};
    run.add_histogram(SeriesId{3}, histogram, false);
    run.add_exemplar(SeriesId{2}, {Labels{{"trace_id", "abc"}}, 0.25, 1'700'000'000'001});
    run.add_tombstone(SeriesId{2}, {5, 1'600'000'000'000});
    out.add_run(5, run.take({}));
    SeriesEncoder series;
    series.add_series(SeriesId{1}, Labels{{"__name__", "up"}, {"job", "varve"}}.bytes());
    series.add_metadata({"up", "gauge", "Whether the target is up.", "bool"});
    out.add_series(series.take({}));
  }

 private:
  bool done_ = false;
};

}  // namespace

TEST_CASE("wal golden: a segment's bytes do not change", "[storage][wal]") {
  fs::FaultFs files;
  REQUIRE(files.create_directories("wal").ok());
  base::FakeClock clock;
  base::Logger logger(base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                      [](std::string_view) {});
  base::MetricsRegistry metrics;
  LogOptions options;
  options.directory = "wal";
  options.segment_bytes = 4096;
  options.prepare_ahead = false;
  auto log = Log::open(options, {41, 3}, files, logger, metrics).value();
  GoldenSource source;
  log->start(source);
  log->notify();
  REQUIRE(log->close().ok());  // cuts the segment to its frames
  const std::string written = files.read_file("wal/00000003.wal", 1 << 20).value();

  const std::string path = std::string(VARVE_GOLDEN_DIR) + "/segment-v1.wal";
  const std::string expected = golden_bytes(path);
  if (written != expected) {
    std::ofstream("segment-v1.wal.got", std::ios::binary) << written;
    FAIL("the bytes differ from " << path << "; see segment-v1.wal.got in the working directory");
  }
}

TEST_CASE("wal golden: version 1 stays readable", "[storage][wal]") {
  fs::FaultFs files;
  REQUIRE(files.create_directories("wal").ok());
  REQUIRE(files.write_file_atomically("wal/00000003.wal",
                                      golden_bytes(std::string(VARVE_GOLDEN_DIR) +
                                                   "/segment-v1.wal"))
              .ok());
  const std::uint64_t size = files.size("wal/00000003.wal").value();
  const LogState state{.number = 1, .segment = 3, .bytes = size, .seq = 41, .closed = true, .snapshot = 0};
  REQUIRE(write_log_state(files, "wal", state).ok());
  const auto recovered = recover("wal", files, {.after_seq = 40});
  REQUIRE(recovered.ok());
  CHECK(recovered->damages.empty());
  CHECK(recovered->next == FramePosition{42, 4});
  REQUIRE(recovered->series.size() == 1);
  SeriesDecoder series;
  series.open(recovered->series[0].bytes);
  CHECK(std::get<SeriesRecord>(*series.next().value()).labels ==
        Labels{{"__name__", "up"}, {"job", "varve"}}.bytes());
  CHECK(std::get<MetadataEntry>(*series.next().value()).unit == "bool");
  RunDecoder run;
  REQUIRE(recovered->runs_by_shard.size() == 6);
  run.open(recovered->runs_by_shard[5].at(0).bytes);
  const auto floats = std::get<FloatRun>(*run.next().value());
  CHECK(std::vector(floats.ids.begin(), floats.ids.end()) ==
        std::vector<std::uint32_t>{1, 2, 7, 7, 1'000'000});
  CHECK(floats.times[3] == 1'700'000'015'000);
  CHECK((floats.bits[3] ^ std::bit_cast<std::uint64_t>(101.25)) == kStaleNanBits);
  CHECK(std::get<HistogramRecord>(*run.next().value()).sample.histogram.positive_counts ==
        std::vector<double>{3, 1, 2});
  CHECK(std::get<HistogramRecord>(*run.next().value()).sample.histogram.positive_counts[0] == 0.5);
  CHECK(std::get<ExemplarRecord>(*run.next().value()).exemplar.value == 0.25);
  CHECK(std::get<TombstoneRecord>(*run.next().value()).range.min_ms == 5);
}

TEST_CASE("wal golden: what the log says of itself is these bytes, and no others are it",
          "[storage][wal]") {
  const LogState state{.number = 0x5152535455565758,
                       .segment = 0x01020304,
                       .bytes = 0x1112131415161718,
                       .seq = 0x2122232425262728,
                       .closed = true,
                       .retired_before = 0x31323334,
                       .snapshot = 0x41424344};
  const std::string bytes = encode_log_state(state);
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  CHECK(hex ==
        "56575331040302015857565554535251181716151413121128272625"
        "2423222134333231444342410100000000000000367312576c05af04");
  const std::string file = new_log_state_file(state);
  REQUIRE(file.size() == 8192);
  CHECK(file == bytes + std::string(file.size() - bytes.size(), '\0'));
  CHECK(decode_log_state(file, "STATE").value() == LogStateReading{state, std::nullopt});
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    CAPTURE(at);
    std::string flipped = file;
    flipped[at] = static_cast<char>(flipped[at] ^ 16);
    CHECK_FALSE(decode_log_state(flipped, "STATE").ok());
  }
  CHECK_FALSE(decode_log_state("", "STATE").ok());
  CHECK_FALSE(decode_log_state(bytes, "STATE").ok());
  CHECK_FALSE(decode_log_state(file.substr(1), "STATE").ok());
  CHECK_FALSE(decode_log_state(file + '0', "STATE").ok());
  CHECK_FALSE(decode_log_state(std::string(file.size(), '\0'), "STATE").ok());
}

TEST_CASE("wal: of what the log says of itself the newest counts, and a torn one leaves the other",
          "[storage][wal]") {
  fs::FaultFs files;
  REQUIRE(files.create_directories("wal").ok());
  const auto said = [&files] { return read_log_state(files, "wal").value(); };
  CHECK_FALSE(said());
  LogState state;
  for (std::uint32_t i = 1; i <= 5; ++i) {
    state = {.number = i, .segment = i, .bytes = 4096};
    REQUIRE(write_log_state(files, "wal", state).ok());
    CHECK(said() == LogStateReading{state, std::nullopt});
  }
  LogState torn = state;
  torn.number = ++torn.segment;
  const std::string slot = encode_log_state(torn);
  // (The magic is that of the one that stood there.)
  for (std::size_t whole = sizeof kLogStateMagic + 1; whole < slot.size(); ++whole) {
    CAPTURE(whole);
    {
      const auto file = files.open("wal/STATE", fs::OpenMode::kExisting).value();
      REQUIRE(file->write_at(0, slot.substr(0, whole)).ok());
    }
    REQUIRE(said());
    CHECK(said()->state == state);
    REQUIRE(said()->damage);
    CHECK(said()->damage->message().find("wal/STATE at 0: ") == 0);
  }
  // The next one takes its place.
  REQUIRE(write_log_state(files, "wal", torn).ok());
  CHECK(said() == LogStateReading{torn, std::nullopt});
}
