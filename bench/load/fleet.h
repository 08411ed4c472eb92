// SPDX-License-Identifier: Apache-2.0
// A made-up fleet of exporters whose every sample is a function of series and step, so that whoever
// reads one back can tell whether it is right without having kept it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve::load {

// An instance has kSeriesOfInstance series: counters of CPU seconds and bytes, idle counters,
// constants, gauges in pages, gauges with decimals, and request histograms of twelve series.
inline constexpr std::size_t kSeriesOfInstance = 250;

class Fleet {
 public:
  // Series are rounded up to whole instances. A generation above 0 gives all instances new names.
  Fleet(std::size_t series, std::uint64_t seed, std::uint32_t generation = 0);

  std::size_t instances() const { return instances_; }
  std::size_t size() const { return instances_ * kSeriesOfInstance; }

  std::string instance_name(std::size_t instance) const;
  // The metric of a series of any instance.
  std::string_view metric(std::size_t series_of_instance) const;
  // A selector that picks exactly this series.
  std::string selector(std::size_t instance, std::size_t series_of_instance) const;
  // Counters never fall. Steps count from 0.
  double value(std::size_t instance, std::size_t series_of_instance, std::uint64_t step) const;

  // Appends an uncompressed remote write 1.0 request with one sample of every series of the
  // instances [begin, end).
  void append_request(std::size_t begin, std::size_t end, std::uint64_t step,
                      std::int64_t timestamp_ms, std::string& out) const;

 private:
  enum class Shape : std::uint8_t {
    kCpu,
    kBytes,
    kIdle,
    kConstant,
    kPages,
    kDecimal,
    kBucket,
    kSum
  };
  struct Kind {
    std::string metric;
    std::vector<std::pair<std::string, std::string>> labels;  // sorted, without instance and job
    Shape shape = Shape::kConstant;
    std::uint32_t place = 0;  // buckets: which; else what tells apart series of one shape
    std::uint32_t back =
        0;  // buckets: how many series before this one the first of its histogram is
  };

  void add(std::string metric, Shape shape, std::vector<std::pair<std::string, std::string>> labels,
           std::uint32_t place = 0, std::uint32_t back = 0);
  std::uint64_t hash(std::size_t instance, std::size_t series, std::uint64_t step) const;
  // In [0, 1), changing slowly with the step.
  double drift(std::size_t instance, std::size_t series, std::uint64_t step) const;
  std::string encode_labels(std::size_t instance, const Kind& kind) const;

  std::size_t instances_;
  std::uint64_t seed_;
  std::uint32_t generation_;
  std::vector<Kind> kinds_;
  std::vector<std::string> encoded_;  // labels of every series, as in a TimeSeries message
};

}  // namespace varve::load
