// SPDX-License-Identifier: Apache-2.0
// What does a sample cost in the engine alone, from a ready batch to the acknowledgement after
// fdatasync; what does a new series cost; how much memory does a series hold; how long does the log
// take to replay, and how fast is it all read back? Times are CPU of the whole process.
//
// Floor: bench/storage's write path (25 to 60 ns a sample), and on the log's thread a checksum, a
// copy and a write of 5 bytes: 30 to 65 ns. Memory: one cache line of the series, its open chunk (2
// to 8 bytes a sample, 60 on average), two names in the table and 90 bytes of index: 250 bytes.
//
//   bench_storage_append [series] [rounds] [shuffle] [directory]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "storage/db.h"

namespace varve::storage {
namespace {

constexpr std::size_t kBatchSamples = 2000;
constexpr Timestamp kStepMs = 15'000;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void put_string(std::string& out, char tag, std::string_view text) {
  out += tag;
  out += static_cast<char>(text.size());
  out += text;
}

// The label bytes of a remote-write series: 9 labels, about 200 bytes.
std::string make_key(std::size_t series) {
  const std::size_t target = series / 1000;
  const std::size_t metric = series % 1000 / 10;
  const std::pair<const char*, std::string> labels[] = {
      {"__name__", "node_some_measured_quantity_" + std::to_string(metric) + "_total"},
      {"cluster", "production-europe"},
      {"device", "disk" + std::to_string(series % 10)},
      {"env", "prod"},
      {"instance", "host-" + std::to_string(target) + ".example.org:9100"},
      {"job", "node"},
      {"mode", "mode" + std::to_string(metric % 8)},
      {"rack", "r" + std::to_string(target % 40)},
      {"zone", "eu-west-" + std::to_string(target % 3)},
  };
  std::string key;
  for (const auto& [name, value] : labels) {
    std::string label;
    put_string(label, 0x0a, name);
    put_string(label, 0x12, value);
    put_string(key, 0x0a, label);
  }
  return key;
}

class ProtobufDecoder final : public KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override {
    std::vector<LabelView> labels;
    while (!key.empty()) {
      const auto length = static_cast<std::size_t>(key[1]);
      const std::string_view label = key.substr(2, length);
      const auto name_length = static_cast<std::size_t>(label[1]);
      labels.push_back({label.substr(2, name_length), label.substr(4 + name_length)});
      key.remove_prefix(2 + length);
    }
    return Labels(std::span<const LabelView>(labels));
  }
};

double make_value(std::size_t series, std::size_t round) {
  switch (series % 6) {
    case 0: return static_cast<double>(round) * 37.25 + static_cast<double>(series % 100);
    case 1: return static_cast<double>(round * 4096 * (series % 13));
    case 2: return static_cast<double>(series % 50);
    case 3: return static_cast<double>((round * 7 + series) % 20);
    case 4: return static_cast<double>((round * 13 + series * 7) % 1000) / 100;
    default: return static_cast<double>(round / 8);
  }
}

// Counts acknowledgements, so that a few batches are under way at a time.
class Window {
 public:
  void enter(std::size_t most) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return open_ < most; });
    ++open_;
  }
  void leave(const Status& status) {
    if (!status.ok()) std::fprintf(stderr, "%s\n", status.error().message().c_str());
    const std::lock_guard lock(mutex_);
    --open_;
    wake_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::size_t open_ = 0;
};

int run(std::size_t series_count, std::size_t rounds, bool shuffle, const std::string& directory) {
  std::filesystem::remove_all(directory);
  base::SystemClock clock;
  base::Logger log(base::LogLevel::kWarn, base::LogFormat::kLogfmt, clock);
  fs::RealFs files;
  auto metrics = std::make_unique<base::MetricsRegistry>();
  Options options;
  options.path = directory;
  auto opened = Db::open(options, files, clock, log, *metrics);
  if (!opened.ok()) {
    std::fprintf(stderr, "%s\n", opened.error().message().c_str());
    return 1;
  }
  std::unique_ptr<Db> db = std::move(opened).value();

  std::vector<std::string> keys;
  for (std::size_t i = 0; i < series_count; ++i) keys.push_back(make_key(i));
  std::vector<std::uint32_t> order(series_count);
  std::iota(order.begin(), order.end(), 0);
  if (shuffle) std::shuffle(order.begin(), order.end(), std::mt19937_64(7));

  ProtobufDecoder decoder;
  WriteBatch batch;
  batch.decoder = &decoder;
  batch.key_space = 1;
  Window window;
  std::string key_bytes;
  key_bytes.reserve(kBatchSamples * 256);
  const Timestamp start = clock.now_ms() - static_cast<Timestamp>(rounds) * kStepMs;
  const double resident_before = resident_bytes();
  double cpu_steady = 0;
  double wall_steady = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const double round_cpu = cpu_seconds();
    const double round_wall = wall_seconds();
    double preparing = 0;
    for (std::size_t at = 0; at < series_count; at += kBatchSamples) {
      const double before = cpu_seconds();
      batch.clear();
      // As in a request: the keys of a batch lie one behind the other and were just written.
      key_bytes.clear();
      for (std::size_t i = at; i < std::min(at + kBatchSamples, series_count); ++i) {
        SeriesEntry entry;
        const std::size_t key_at = key_bytes.size();
        key_bytes += keys[order[i]];
        entry.key = std::string_view(key_bytes).substr(key_at);
        entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
        entry.samples_count = 1;
        batch.series.push_back(entry);
        batch.samples.push_back({start + static_cast<Timestamp>(round) * kStepMs +
                                     static_cast<Timestamp>(order[i] / 1000),
                                 make_value(order[i], round)});
      }
      preparing += cpu_seconds() - before;
      window.enter(8);
      auto outcome = db->append(batch);
      if (!outcome.ok() || !outcome->all_accepted()) {
        std::fprintf(stderr, "refused: %s\n", outcome.ok() ? outcome->first_error.c_str()
                                                           : outcome.error().message().c_str());
        return 1;
      }
      db->when_durable(outcome->ticket, [&window](const Status& status) { window.leave(status); });
    }
    const double used = cpu_seconds() - round_cpu - preparing;
    if (round == 0) {
      std::printf("%zu series%s: new series %.0f ns CPU each, %.0f resident bytes per series\n",
                  series_count, shuffle ? " shuffled" : "", used * 1e9 / double(series_count),
                  (resident_bytes() - resident_before) / double(series_count));
    } else {
      cpu_steady += used;
      wall_steady += wall_seconds() - round_wall;
    }
  }
  const double steady_samples = static_cast<double>(series_count * (rounds - 1));
  if (rounds > 1) {
    std::printf(
        "steady: %.1f ns CPU per sample, %.2f M samples/s wall, %.0f resident bytes per series\n",
        cpu_steady * 1e9 / steady_samples, steady_samples / wall_steady / 1e6,
        (resident_bytes() - resident_before) / double(series_count));
  }
  std::istringstream exposition(metrics->render());
  for (std::string line; std::getline(exposition, line);) {
    if (line.starts_with("varve_memory_bytes")) std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);

  const auto read_back = [&] {
    const double begin = cpu_seconds();
    auto querier = db->querier(TimeRange::all());
    auto matcher = model::Matcher::create(model::MatchType::kEqual, "job", "node");
    const std::vector matchers{matcher.value()};
    auto selection = (*querier)->select(matchers, TimeRange::all());
    const double selected = cpu_seconds();
    SeriesSamples samples;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      if (!(*selection)->read(i, TimeRange::all(), samples).ok()) return false;
      count += samples.float_values.size();
    }
    const double end = cpu_seconds();
    std::vector<std::uint32_t> ordinals((*selection)->size());
    std::iota(ordinals.begin(), ordinals.end(), 0);
    std::vector<LastSample> last(ordinals.size());
    (void)(*selection)->read_last(ordinals, TimeRange::all(), last).ok();
    std::printf("select %.2f ms, read %.2f ns per sample, last samples %.2f ms\n",
                (selected - begin) * 1e3, (end - selected) * 1e9 / static_cast<double>(count),
                (cpu_seconds() - end) * 1e3);
    return count == series_count * rounds;
  };
  bool right = read_back();
  (void)db->close().ok();
  db.reset();
  metrics = std::make_unique<base::MetricsRegistry>();
  const double begin = wall_seconds();
  const double begin_cpu = cpu_seconds();
  auto reopened = Db::open(options, files, clock, log, *metrics);
  if (!reopened.ok()) return 1;
  db = std::move(reopened).value();
  std::printf("reopened: %.3f s wall, %.3f s CPU, %llu samples\n", wall_seconds() - begin,
              cpu_seconds() - begin_cpu,
              static_cast<unsigned long long>(db->recovery().samples));
  right = read_back() && right;
  (void)db->close().ok();
  db.reset();
  std::filesystem::remove_all(directory);
  if (!right) std::fprintf(stderr, "wrong: not every sample came back\n");
  return right ? 0 : 1;
}

}  // namespace
}  // namespace varve::storage

int main(int argc, char** argv) {
  const auto number = [&](int at, std::size_t fallback) {
    return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10)) : fallback;
  };
  const std::string directory =
      argc > 4 ? argv[4]
               : (std::filesystem::temp_directory_path() / "varve_append_bench").string();
  return varve::storage::run(number(1, 100'000), number(2, 20), number(3, 0) != 0, directory);
}
