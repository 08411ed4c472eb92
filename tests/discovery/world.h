// SPDX-License-Identifier: Apache-2.0
// A manager with everything around it: a clock that a test moves, a client and a resolver that
// answer from a script, a folder for files, and subscribers that remember what they were told.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "config/config.h"
#include "discovery/manager.h"
#include "fs/real_fs.h"
#include "http/client.h"

namespace varve::discovery {

// Answers by URL; one without an answer stays open until answered.
class FakeClient final : public http::Client {
 public:
  using Done = std::function<void(Result<http::ClientResponse>)>;
  struct Open {
    http::ClientRequest request;
    Done done;
  };

  static http::ClientResponse response(std::string body, int status = 200,
                                       std::string content_type = "application/json") {
    http::ClientResponse out;
    out.status = status;
    out.content_type = std::move(content_type);
    out.body = std::move(body);
    return out;
  }
  void answer(const std::string& url, Result<http::ClientResponse> with) {
    answers.insert_or_assign(url, std::move(with));
  }
  // Ends the oldest open request for this URL; false if there is none.
  bool finish(const std::string& url, Result<http::ClientResponse> with) {
    for (auto at = open.begin(); at != open.end(); ++at) {
      if (at->request.url != url) continue;
      const Done done = std::move(at->done);
      open.erase(at);
      done(std::move(with));
      return true;
    }
    return false;
  }
  const http::ClientRequest* open_request(const std::string& url) const {
    for (const Open& each : open) {
      if (each.request.url == url) return &each.request;
    }
    return nullptr;
  }

  void fetch(http::ClientRequest request, Done done) override {
    requests.push_back(request);
    const auto found = answers.find(request.url);
    if (found == answers.end()) {
      open.push_back({std::move(request), std::move(done)});
    } else {
      done(found->second);
    }
  }

  std::vector<http::ClientRequest> requests;
  std::map<std::string, Result<http::ClientResponse>> answers;
  std::deque<Open> open;
};

struct World {
  explicit World(ManagerOptions options = {}) {
    std::string pattern = std::filesystem::temp_directory_path() / "varve-discovery-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    manager = Manager::create(
        std::move(options),
        {client, workers, files, clock, log, metrics, config::parse_target_groups,
         [this](const std::string& name, DnsType type) { return resolve(name, type); }},
        [this](const std::string& name, std::span<const model::TargetGroup> groups) {
          ++deliveries;
          for (const model::TargetGroup& group : groups) {
            if (group.targets.empty()) {
              told[name].erase(group.source);
            } else {
              told[name][group.source] = group;
            }
          }
        });
  }
  ~World() {
    manager.reset();
    std::filesystem::remove_all(folder);
  }

  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder + "/" + name, std::ios::binary) << content;
  }
  void resolves(std::map<std::string, Result<std::string>> to) {
    const std::lock_guard lock(mutex);
    packets = std::move(to);
  }
  // Moves the clock and does what is due, with all that the workers add to it.
  void pass(std::chrono::milliseconds time) {
    clock.advance(time);
    settle();
  }
  void settle() {
    for (int i = 0; i < 3; ++i) {
      manager->run_due();
      // One worker, so that what was posted before this has been done after it.
      std::promise<void> done;
      while (!workers.try_post([&done] { done.set_value(); })) std::this_thread::yield();
      done.get_future().wait();
    }
    manager->run_due();
  }
  // What a subscriber knows: "{labels} of each target with the group's", sorted.
  std::vector<std::string> targets(const std::string& name) const {
    std::vector<std::string> out;
    const auto found = told.find(name);
    if (found == told.end()) return out;
    for (const auto& [source, group] : found->second) {
      for (const Labels& target : group.targets) {
        LabelsBuilder all(group.labels);
        for (const LabelView& label : target) all.set(label.name, label.value);
        out.push_back(all.build().to_string());
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  // The value behind a line of the exposition, "" if there is none.
  std::string metric(const std::string& series) const {
    const std::string text = metrics.render();
    const std::size_t at = text.find("\n" + series + " ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + series.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
  }

  Result<std::string> resolve(const std::string& name, DnsType) {
    const std::lock_guard lock(mutex);
    const auto found = packets.find(name);
    if (found == packets.end()) return std::string();
    return found->second;
  }

  std::string folder;
  base::FakeClock clock{1'700'000'000'000};
  std::vector<std::string> lines;
  base::Logger log{base::LogLevel::kInfo, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) { lines.emplace_back(line); }};
  base::MetricsRegistry metrics;
  fs::RealFs files;
  FakeClient client;
  base::ThreadPool workers{"discovery", 1, 1000};
  std::mutex mutex;  // guards packets
  std::map<std::string, Result<std::string>> packets;
  std::map<std::string, std::map<std::string, model::TargetGroup>> told;
  int deliveries = 0;
  std::unique_ptr<Manager> manager;
};

}  // namespace varve::discovery
