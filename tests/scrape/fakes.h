// SPDX-License-Identifier: Apache-2.0
// Doubles for scraping: a client that answers from a script, and a storage that remembers.
#pragma once

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "fs/real_fs.h"
#include "http/client.h"
#include "model/histogram.h"
#include "scrape/manager.h"
#include "storage/write_batch.h"

namespace varve::scrape {

// Answers by URL; an URL without an answer refuses the connection. hold() keeps requests open.
class FakeClient final : public http::Client {
 public:
  ~FakeClient() override { finish_held(Error(ErrorCode::kCanceled, "canceled")); }

  void answer(const std::string& url, std::string body,
              std::string content_type = "text/plain; version=0.0.4", int status = 200) {
    http::ClientResponse response;
    response.status = status;
    response.content_type = std::move(content_type);
    response.body = std::move(body);
    fail_or_answer(url, std::move(response));
  }
  void fail(const std::string& url, Error error) { fail_or_answer(url, std::move(error)); }
  void forget(const std::string& url) { answers_.erase(url); }
  void hold(bool on) { hold_ = on; }
  void finish_held(Result<http::ClientResponse> with) {
    auto held = std::move(held_);
    held_.clear();
    for (auto& done : held) done(with);
  }

  void fetch(http::ClientRequest request,
             std::function<void(Result<http::ClientResponse>)> done) override {
    requests.push_back(request);
    if (hold_) {
      held_.push_back(std::move(done));
      return;
    }
    const auto found = answers_.find(request.url);
    if (found == answers_.end()) {
      done(Error(ErrorCode::kUnavailable, "Get \"" + request.url + "\": connection refused"));
    } else {
      done(found->second);
    }
  }

  std::vector<http::ClientRequest> requests;

 private:
  void fail_or_answer(const std::string& url, Result<http::ClientResponse> result) {
    answers_.insert_or_assign(url, std::move(result));
  }

  std::map<std::string, Result<http::ClientResponse>> answers_;
  std::vector<std::function<void(Result<http::ClientResponse>)>> held_;
  bool hold_ = false;
};

// Keeps every accepted sample by its labels, printed.
class FakeStorage final : public storage::Appendable {
 public:
  struct Point {
    Timestamp time_ms;
    double value;
    std::string histogram = {};  // in the notation of the PromQL test language
  };

  Result<storage::WriteOutcome> append(const storage::WriteBatch& batch,
                                       const storage::AppendOptions& options) override {
    const std::lock_guard lock(mutex);
    ++appends;
    if (!refuse.empty()) return Error(ErrorCode::kUnavailable, refuse);
    storage::WriteOutcome outcome;
    for (const storage::SeriesEntry& entry : batch.series) {
      auto id = entry.id;
      if (id == storage::SeriesId::kNone) {
        ++resolved;
        const std::string name = entry.labels->to_string();
        const auto [found, is_new] =
            ids.emplace(name, static_cast<storage::SeriesId>(ids.size() + 1));
        id = found->second;
        names[id] = name;
      } else if (forgotten.contains(id)) {
        ++outcome.invalid_series;
        if (options.want_ids) outcome.ids.push_back(storage::SeriesId::kNone);
        continue;
      }
      auto& points = series[names.at(id)];
      for (std::uint32_t i = 0; i < entry.samples_count; ++i) {
        const Sample& sample = batch.samples[entry.samples_begin + i];
        if (!points.empty() && points.back().time_ms == sample.timestamp_ms) {
          outcome.duplicate += points.back().value != sample.value ? 1 : 0;
        } else if (!points.empty() && points.back().time_ms > sample.timestamp_ms) {
          ++outcome.out_of_order;
        } else {
          points.push_back({sample.timestamp_ms, sample.value});
        }
      }
      for (std::uint32_t i = 0; i < entry.histograms_count; ++i) {
        const auto& sample = batch.histograms[entry.histograms_begin + i];
        if (!points.empty() && points.back().time_ms > sample.timestamp_ms) {
          ++outcome.out_of_order;
        } else {
          points.push_back({sample.timestamp_ms, 0, model::to_test_expression(sample.histogram)});
        }
      }
      for (std::uint32_t i = 0; i < entry.exemplars_count; ++i) {
        const auto& exemplar = batch.exemplars[entry.exemplars_begin + i];
        exemplars.push_back(names.at(id) + " " + exemplar.labels.to_string());
      }
      if (options.want_ids) outcome.ids.push_back(id);
    }
    for (const auto& entry : batch.metadata) {
      metadata.push_back(entry.metric_family + "|" + entry.type + "|" + entry.help);
    }
    return outcome;
  }
  void when_durable(storage::Ticket, std::function<void(Status)> done) override { done({}); }

  // "1 2 stale": the values of a series; "" if it is not there.
  std::string values(const std::string& name) const {
    const auto found = series.find(name);
    if (found == series.end()) return {};
    std::string out;
    for (const Point& point : found->second) {
      if (!out.empty()) out += ' ';
      if (!point.histogram.empty()) {
        out += point.histogram;
        continue;
      }
      char text[32];
      std::snprintf(text, sizeof text, "%g", point.value);
      out += is_stale(point.value) ? "stale" : text;
    }
    return out;
  }

  std::mutex mutex;
  std::map<std::string, std::vector<Point>> series;
  std::map<std::string, storage::SeriesId> ids;
  std::map<storage::SeriesId, std::string> names;
  std::map<storage::SeriesId, bool> forgotten;
  std::vector<std::string> exemplars, metadata;
  std::string refuse;  // why every append fails
  std::size_t appends = 0;
  std::size_t resolved = 0;  // entries that came by labels
};

// A manager over the doubles, its clock in the hands of the test.
struct Bench {
  explicit Bench(ManagerOptions options = {})
      : manager(Manager::create(std::move(options),
                                {client, storage, workers, files, clock, log, metrics})) {}

  // Goes on to the next time that something is due, runs it, and waits for the workers.
  void step() {
    const Timestamp next = manager->run_due();
    if (next > clock.now_ms() && next != std::numeric_limits<Timestamp>::max()) clock.set(next);
    manager->run_due();
    settle();
  }
  void settle() {
    std::promise<void> done;
    while (!workers.try_post([&] { done.set_value(); })) std::this_thread::yield();
    done.get_future().wait();
  }
  TargetStatus target() const { return manager->targets().at(0); }

  base::FakeClock clock{1'700'000'000'000};
  std::vector<std::string> lines;
  base::Logger log{base::LogLevel::kDebug, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) { lines.emplace_back(line); }};
  base::MetricsRegistry metrics;
  fs::RealFs files;
  FakeStorage storage;
  FakeClient client;
  base::ThreadPool workers{"test", 1, 1000};
  std::unique_ptr<Manager> manager;
};

// A pool "j" of these addresses, scraped every 10 s.
inline PoolOptions pool(std::vector<std::string> addresses, std::string name = "j") {
  PoolOptions options;
  options.job_name = std::move(name);
  options.interval = std::chrono::seconds(10);
  options.timeout = std::chrono::seconds(5);
  TargetGroup& group = options.static_configs.emplace_back();
  group.source = "0";
  for (const std::string& address : addresses) {
    group.targets.push_back(Labels{{"__address__", address}});
  }
  return options;
}

}  // namespace varve::scrape
