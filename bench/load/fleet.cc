// SPDX-License-Identifier: Apache-2.0
#include "fleet.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <protozero/pbf_writer.hpp>
#include <utility>

namespace varve::load {
namespace {

constexpr std::uint64_t mix(std::uint64_t x) {  // the finalizer of SplitMix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double unit(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-53; }

double round_to(double value, double places) { return std::round(value * places) / places; }

constexpr std::array<std::string_view, 10> kBounds{"0.005", "0.01", "0.025", "0.05", "0.1",
                                                   "0.25",  "0.5",  "1",     "5",    "+Inf"};

}  // namespace

void Fleet::add(std::string metric, Shape shape,
                std::vector<std::pair<std::string, std::string>> labels, std::uint32_t place,
                std::uint32_t back) {
  if (kinds_.size() < kSeriesOfInstance) {
    kinds_.push_back({std::move(metric), std::move(labels), shape, place, back});
  }
}

Fleet::Fleet(std::size_t series, std::uint64_t seed, std::uint32_t generation)
    : instances_(std::max<std::size_t>(1, (series + kSeriesOfInstance - 1) / kSeriesOfInstance)),
      seed_(seed),
      generation_(generation) {
  for (const char* mode : {"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"}) {
    for (int cpu = 0; cpu < 8; ++cpu) {
      add("host_cpu_seconds_total", Shape::kCpu, {{"cpu", std::to_string(cpu)}, {"mode", mode}});
    }
  }
  for (const char* way : {"receive", "transmit"}) {
    for (const char* unit_of : {"bytes", "packets", "errors", "drops"}) {
      for (const char* device : {"eth0", "eth1", "lo"}) {
        const bool idle =
            std::string_view(unit_of) == "errors" || std::string_view(unit_of) == "drops";
        add(std::string("host_network_") + way + '_' + unit_of + "_total",
            idle ? Shape::kIdle : Shape::kBytes, {{"device", device}});
      }
    }
  }
  for (int i = 0; i < 30; ++i) {
    add("host_memory_area_" + std::to_string(i) + "_bytes", Shape::kPages, {});
  }
  for (const char* zone : {"a", "b", "c", "d", "e", "f"}) {
    add("host_temperature_celsius", Shape::kDecimal, {{"zone", zone}});
    add("host_pressure_ratio", Shape::kDecimal, {{"zone", zone}}, 1);
  }
  for (const char* path : {"/", "/login", "/cart", "/search", "/items"}) {
    for (std::uint32_t bucket = 0; bucket < kBounds.size(); ++bucket) {
      add("http_request_duration_seconds_bucket", Shape::kBucket,
          {{"le", std::string(kBounds[bucket])}, {"path", path}}, bucket, bucket);
    }
    add("http_request_duration_seconds_count", Shape::kBucket, {{"path", path}}, kBounds.size() - 1,
        kBounds.size());
    add("http_request_duration_seconds_sum", Shape::kSum, {{"path", path}});
  }
  for (std::uint32_t i = 0; kinds_.size() < kSeriesOfInstance; ++i) {
    if (i % 2 == 0) {
      add("host_setting_" + std::to_string(i), Shape::kConstant, {});
    } else {
      add("host_events_total", Shape::kIdle, {{"kind", "k" + std::to_string(i)}});
    }
  }
  encoded_.reserve(size());
  for (std::size_t instance = 0; instance < instances_; ++instance) {
    for (const Kind& kind : kinds_) encoded_.push_back(encode_labels(instance, kind));
  }
}

std::string Fleet::instance_name(std::size_t instance) const {
  return "host-" + std::to_string(generation_) + '-' + std::to_string(instance) + ":9100";
}

std::string_view Fleet::metric(std::size_t series) const { return kinds_[series].metric; }

std::string Fleet::selector(std::size_t instance, std::size_t series) const {
  const Kind& kind = kinds_[series];
  std::string text = kind.metric + "{instance=\"" + instance_name(instance) + '"';
  for (const auto& [name, value] : kind.labels) text += ',' + name + "=\"" + value + '"';
  return text + '}';
}

std::uint64_t Fleet::hash(std::size_t instance, std::size_t series, std::uint64_t step) const {
  return mix(mix(seed_ + generation_ * 0x9e3779b97f4a7c15 + instance * kSeriesOfInstance + series) +
             step);
}

double Fleet::drift(std::size_t instance, std::size_t series, std::uint64_t step) const {
  constexpr std::uint64_t kKnot = 40;
  const std::uint64_t knot = step / kKnot;
  const double from = unit(hash(instance, series, knot));
  const double to = unit(hash(instance, series, knot + 1));
  return from + (to - from) * static_cast<double>(step % kKnot) / static_cast<double>(kKnot);
}

double Fleet::value(std::size_t instance, std::size_t series, std::uint64_t step) const {
  const Kind& kind = kinds_[series];
  const double own = unit(hash(instance, series, ~std::uint64_t{0}));  // of the series, for ever
  const auto steps = static_cast<double>(step);
  const double noise = unit(hash(instance, series, step));
  switch (kind.shape) {
    case Shape::kCpu: {
      const double rate = own < 0.4 ? 0 : own * 15;  // some modes are never in use
      return round_to(rate * (steps + 0.9 * noise), 100);
    }
    case Shape::kBytes:
      return std::floor(std::pow(10, 2 + 5 * own) * (steps + 0.9 * noise));
    case Shape::kIdle:
      return own < 0.7 ? 0 : std::floor(steps * own / 50);
    case Shape::kConstant:
      return std::floor(own * 1e6);
    case Shape::kPages:
      return 4096 * std::floor(1e4 + 1e6 * own + 1e4 * drift(instance, series, step) + 50 * noise);
    case Shape::kDecimal: {
      const double wave = drift(instance, series, step) * 40 + noise;
      return kind.place == 0 ? round_to(wave, 10) : round_to(wave / 41, 1e6);
    }
    case Shape::kBucket: {
      // All buckets of a path see the same requests; its first series gives their number.
      const std::size_t first = series - kind.back;
      const double rate = 1 + 400 * unit(hash(instance, first, ~std::uint64_t{0}));
      const double requests = std::floor(rate * (steps + 0.9 * unit(hash(instance, first, step))));
      const auto last = static_cast<double>(kBounds.size() - 1);
      return std::floor(requests * std::pow(static_cast<double>(kind.place + 1) / (last + 1), 0.5));
    }
    case Shape::kSum:
      return (1 + 400 * own) * (steps + 0.9 * noise) * 0.0371;
  }
  return 0;
}

std::string Fleet::encode_labels(std::size_t instance, const Kind& kind) const {
  std::vector<std::pair<std::string, std::string>> labels = kind.labels;
  labels.emplace_back("__name__", kind.metric);
  labels.emplace_back("instance", instance_name(instance));
  labels.emplace_back("job", "fleet-" + std::to_string(instance % 5));
  labels.emplace_back("region", instance % 3 == 0 ? "eu-central-1" : "us-east-2");
  std::sort(labels.begin(), labels.end());
  std::string bytes;
  protozero::pbf_writer series(bytes);
  for (const auto& [name, value] : labels) {
    protozero::pbf_writer label(series, 1);
    label.add_string(1, name);
    label.add_string(2, value);
  }
  return bytes;
}

void Fleet::append_request(std::size_t begin, std::size_t end, std::uint64_t step,
                           std::int64_t timestamp_ms, std::string& out) const {
  const auto varint = [&out](std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
    out += static_cast<char>(number);
  };
  // A Sample: tag and double, tag and varint. Written by hand, as it is most of what a load costs.
  std::size_t time_bytes = 1;
  for (auto rest = static_cast<std::uint64_t>(timestamp_ms); rest >= 0x80; rest >>= 7) ++time_bytes;
  const std::size_t sample_bytes = 1 + 8 + 1 + time_bytes;
  for (std::size_t instance = begin; instance < end; ++instance) {
    for (std::size_t series = 0; series < kSeriesOfInstance; ++series) {
      const std::string& labels = encoded_[instance * kSeriesOfInstance + series];
      out += '\x0a';  // WriteRequest.timeseries
      varint(labels.size() + 2 + sample_bytes);
      out += labels;
      out += '\x12';  // TimeSeries.samples
      varint(sample_bytes);
      out += '\x09';
      const auto bits = std::bit_cast<std::uint64_t>(value(instance, series, step));
      for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(bits >> shift);
      out += '\x10';
      varint(static_cast<std::uint64_t>(timestamp_ms));
    }
  }
}

}  // namespace varve::load
