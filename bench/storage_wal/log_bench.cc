// SPDX-License-Identifier: Apache-2.0
// How long does an append wait for the disk, and what does the log cost per sample, with 1 to 8
// clients of 2000 samples a request? In the working directory, on its real disk.
//
// Floor: one fdatasync of 16 KB into a file whose blocks are there already, which is the disk's:
// 0.1 to 0.2 ms on a virtual one, 1 to 5 ms in most clouds. Of CPU a sample costs its staging
// (records_bench.cc) and a checksum and a copy of its bytes, below 1 ns.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "storage/wal/log.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;

namespace {

constexpr std::uint32_t kSamples = 2000;

class OneShard final : public FrameSource {
 public:
  explicit OneShard(const FramePosition& start) : position_(start) {}
  std::uint64_t stage(std::uint64_t request) {
    const std::lock_guard lock(mutex_);
    for (std::uint32_t i = 1; i <= kSamples; ++i) {
      encoder_.add_float(static_cast<SeriesId>(i * 32), static_cast<Timestamp>(request),
                         request * 0x9e3779b97f4a7c15 >> 20 << 20, 0, false);
    }
    return position_.seq;
  }
  void collect(const FramePosition& next, FrameBuilder& out) override {
    ByteBuffer staged;
    {
      const std::lock_guard lock(mutex_);
      staged = encoder_.take(out.fresh_buffer());
      position_ = next;
    }
    out.add_run(0, std::move(staged));
  }

 private:
  std::mutex mutex_;
  RunEncoder encoder_;
  FramePosition position_;
};

struct Fixture {
  Fixture() {
    std::string pattern = (std::filesystem::current_path() / "wal-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    options.directory = pattern;
    log = Log::open(options, {1, 1}, files, logger, metrics).value();
    log->start(source);
  }
  ~Fixture() {
    const bool closed = log->close().ok();
    log.reset();
    const auto recovered = recover(options.directory, files);
    if (!closed || !recovered.ok() || !recovered->damages.empty()) std::abort();
    std::error_code ignored;
    std::filesystem::remove_all(options.directory, ignored);
  }
  base::SystemClock clock;
  base::Logger logger{base::LogLevel::kError, base::LogFormat::kLogfmt, clock};
  base::MetricsRegistry metrics;
  fs::RealFs files;
  LogOptions options;
  OneShard source{{1, 1}};
  std::unique_ptr<Log> log;
};
std::unique_ptr<Fixture> fixture;

void append_and_wait(benchmark::State& state) {
  if (state.thread_index() == 0) fixture = std::make_unique<Fixture>();
  std::uint64_t request = 0;
  for (auto unused : state) {
    const std::uint64_t ticket = fixture->source.stage(++request);
    fixture->log->notify();
    if (!fixture->log->wait_durable(ticket).ok()) state.SkipWithError("the log failed");
  }
  state.SetItemsProcessed(state.iterations() * kSamples);
  if (state.thread_index() == 0) {
    state.counters["fs_bytes"] = static_cast<double>(fixture->log->size_bytes());
    fixture.reset();
  }
}
BENCHMARK(append_and_wait)->ThreadRange(1, 8)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
