// SPDX-License-Identifier: Apache-2.0
// How does a running server take a fleet's samples, give them back, and answer its dashboards?
// Three commands; each prints one line of JSON.
//
//   varve_load write --url http://localhost:9090/api/v1/write --series 100000 --steps 240 …
//   varve_load check --url http://localhost:9090 …            reads samples back and recomputes
//   them varve_load query --url http://localhost:9090 --queries F  one query a line, by 1 or many
//   clients
//
// The process itself costs about 0.15 µs per sample on one core, so a server is the bound if it has
// the other one. tools/bench runs all this against several servers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "fleet.h"
#include "fs/real_fs.h"
#include "http/client.h"
#include "traffic.h"
#include "wire/compression.h"

namespace varve::load {
namespace {

using nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::string url;
  std::size_t series = 100'000;
  std::uint64_t seed = 1;
  std::uint32_t generation = 0;
  std::int64_t start_ms = 0;
  std::int64_t interval_ms = 15'000;
  std::uint64_t first_step = 0;
  std::uint64_t steps = 1;
  std::size_t in_flight = 4;
  std::size_t instances_of_request = 8;
  double rate = 0;        // samples per second; 0: as fast as accepted
  double seconds_max = 0;  // 0: until all steps are written
  std::size_t checked = 200;
  std::string queries;
  std::size_t runs = 20;
  std::size_t clients = 1;
  double seconds = 0;

  std::int64_t time_of(std::uint64_t step) const {
    return start_ms + static_cast<std::int64_t>(step) * interval_ms;
  }
};

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

json write(const Settings& settings, http::Client& client) {
  const Fleet fleet(settings.series, settings.seed, settings.generation);
  Traffic traffic(client, settings.in_flight);
  std::atomic<std::uint64_t> acknowledged{0};
  std::uint64_t sent = 0;
  std::uint64_t step = settings.first_step;
  const auto start = SteadyClock::now();
  const auto over = [&] {
    return settings.seconds_max > 0 && seconds_since(start) >= settings.seconds_max;
  };
  std::string plain;
  std::string packed;
  for (; step < settings.first_step + settings.steps && !over(); ++step) {
    for (std::size_t begin = 0; begin < fleet.instances();
         begin += settings.instances_of_request) {
      const std::size_t end = std::min(fleet.instances(), begin + settings.instances_of_request);
      plain.clear();
      fleet.append_request(begin, end, step, settings.time_of(step), plain);
      wire::snappy_compress(plain, packed);
      const std::uint64_t samples = (end - begin) * kSeriesOfInstance;
      if (settings.rate > 0) {
        const std::chrono::duration<double> due(static_cast<double>(sent) / settings.rate);
        std::this_thread::sleep_until(start +
                                      std::chrono::duration_cast<SteadyClock::duration>(due));
      }
      http::ClientRequest request;
      request.method = "POST";
      request.url = settings.url;
      request.headers = {{"Content-Type", "application/x-protobuf"},
                         {"Content-Encoding", "snappy"},
                         {"X-Prometheus-Remote-Write-Version", "0.1.0"}};
      request.body = packed;
      request.timeout = std::chrono::seconds(60);
      traffic.send(std::move(request),
                   [&acknowledged, samples](const auto&) { acknowledged += samples; });
      sent += samples;
    }
    // Steps stay in order: a series is never in two requests at once.
    traffic.drain();
    if (traffic.failed() > 0) break;
  }
  traffic.drain();
  return {{"series", fleet.size()},
          {"next_step", step},
          {"samples", acknowledged.load()},
          {"seconds", seconds_since(start)},
          {"ack_p50", traffic.latency(0.5)},
          {"ack_p99", traffic.latency(0.99)},
          {"ack_max", traffic.latency(1)},
          {"failed", traffic.failed()},
          {"failure", traffic.first_failure()}};
}

http::ClientRequest query_request(const Settings& settings, const std::string& path_and_query) {
  http::ClientRequest request;
  request.url = settings.url + path_and_query;
  request.timeout = std::chrono::seconds(120);
  request.encoded_body = true;  // what a client takes to unpack it is not the server's time
  return request;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// The JSON of an answer; discarded if it is none.
json unpacked(http::ClientResponse answer) {
  if (!http::decode_body(answer, 0).ok()) return json(json::value_t::discarded);
  return json::parse(answer.body, nullptr, false);
}

// Whole series, spread over the fleet, sample by sample.
json check(const Settings& settings, http::Client& client) {
  const Fleet fleet(settings.series, settings.seed, settings.generation);
  Traffic traffic(client, 2);
  std::atomic<std::uint64_t> samples{0};
  std::atomic<std::uint64_t> missing{0};
  std::atomic<std::uint64_t> wrong{0};
  const std::uint64_t end = settings.first_step + settings.steps;
  const std::string at =
      fmt::format("{:.3f}", static_cast<double>(settings.time_of(end - 1)) / 1000);
  const auto range_ms = static_cast<std::int64_t>(settings.steps) * settings.interval_ms;
  for (std::size_t i = 0; i < settings.checked; ++i) {
    const std::size_t number = i * fleet.size() / settings.checked;
    const std::size_t instance = number / kSeriesOfInstance;
    const std::size_t series = (number + i) % kSeriesOfInstance;
    const std::string query = fmt::format("{}[{}ms]", fleet.selector(instance, series), range_ms);
    traffic.send(query_request(settings, "/api/v1/query?time=" + at + "&query=" + escaped(query)),
                 [&, instance, series](const http::ClientResponse& answer) {
                   const json body = unpacked(answer);
                   std::uint64_t found = 0;
                   if (!body.is_discarded() && !body["data"]["result"].empty()) {
                     for (const auto& point : body["data"]["result"][0]["values"]) {
                       const auto time = std::llround(point[0].get<double>() * 1000);
                       const auto step = static_cast<std::uint64_t>((time - settings.start_ms) /
                                                                    settings.interval_ms);
                       const double value = std::stod(point[1].get<std::string>());
                       if (value != fleet.value(instance, series, step)) ++wrong;
                       ++found;
                     }
                   }
                   samples += found;
                   missing += settings.steps - std::min(found, settings.steps);
                 });
  }
  traffic.drain();
  return {{"samples", samples.load()}, {"missing", missing.load()},
          {"wrong", wrong.load()},     {"failed", traffic.failed()},
          {"failure", traffic.first_failure()}};
}

// Lines are "name<TAB>path and query". With one client each is run `runs` times by itself; with
// more they go round for `seconds`.
json query(const Settings& settings, http::Client& client) {
  std::vector<std::pair<std::string, std::string>> lines;
  std::ifstream file(settings.queries);
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (tab != std::string::npos) lines.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  if (lines.empty()) return {{"failure", "no queries in " + settings.queries}};
  if (settings.clients > 1) {
    Traffic traffic(client, settings.clients);
    std::uint64_t answered = 0;
    const auto start = SteadyClock::now();
    for (; seconds_since(start) < settings.seconds; ++answered) {
      traffic.send(query_request(settings, lines[answered % lines.size()].second), {});
    }
    traffic.drain();
    return {{"queries_per_second", static_cast<double>(answered) / seconds_since(start)},
            {"p50", traffic.latency(0.5)},
            {"p99", traffic.latency(0.99)},
            {"failed", traffic.failed()},
            {"failure", traffic.first_failure()}};
  }
  json results = json::object();
  for (const auto& [name, path] : lines) {
    Traffic traffic(client, 1);
    http::ClientResponse last;
    double cold = 0;
    for (std::size_t run = 0; run <= settings.runs; ++run) {
      const auto start = SteadyClock::now();
      traffic.send(query_request(settings, path),
                   [&last](const http::ClientResponse& answer) { last = answer; });
      traffic.drain();
      if (run == 0) cold = seconds_since(start);
    }
    results[name] = {{"cold", cold},
                     {"median", traffic.latency(0.5)},
                     {"min", traffic.latency(0)},
                     {"failed", traffic.failed()},
                     {"answer", unpacked(last)}};
  }
  return results;
}

int run(int argc, char** argv) {
  Settings settings;
  CLI::App app("Load for servers that speak Prometheus's remote write and HTTP API");
  app.require_subcommand(1);
  const auto common = [&settings](CLI::App* command) {
    command->add_option("--url", settings.url)->required();
    command->add_option("--series", settings.series);
    command->add_option("--seed", settings.seed);
    command->add_option("--generation", settings.generation);
    command->add_option("--start-ms", settings.start_ms);
    command->add_option("--interval-ms", settings.interval_ms);
    command->add_option("--first-step", settings.first_step);
    command->add_option("--steps", settings.steps);
    return command;
  };
  auto* write_command = common(app.add_subcommand("write", "send samples"));
  write_command->add_option("--in-flight", settings.in_flight);
  write_command->add_option("--instances", settings.instances_of_request);
  write_command->add_option("--rate", settings.rate);
  write_command->add_option("--seconds", settings.seconds_max);
  auto* check_command = common(app.add_subcommand("check", "read samples back"));
  check_command->add_option("--checked", settings.checked);
  auto* query_command = common(app.add_subcommand("query", "time queries"));
  query_command->add_option("--queries", settings.queries)->required();
  query_command->add_option("--runs", settings.runs);
  query_command->add_option("--clients", settings.clients);
  query_command->add_option("--seconds", settings.seconds);
  CLI11_PARSE(app, argc, argv);

  fs::RealFs files;
  auto client = http::Client::create(files);
  if (!client.ok()) {
    std::cerr << client.error().message() << '\n';
    return 1;
  }
  const json result = *write_command   ? write(settings, **client)
                      : *check_command ? check(settings, **client)
                                       : query(settings, **client);
  std::cout << result.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace varve::load

int main(int argc, char** argv) { return varve::load::run(argc, argv); }
