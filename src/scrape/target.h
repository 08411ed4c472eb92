// SPDX-License-Identifier: Apache-2.0
// From a discovered label set to something that can be scraped: relabelling, checks, URL. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "scrape/options.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::scrape {

struct Target {
  Labels discovered;  // before relabelling, with what the pool adds (__scheme__, job, …)
  Labels labels;      // what every sample of the target gets; no name begins with "__"
  std::string url;
  std::chrono::milliseconds interval{};
  std::chrono::milliseconds timeout{};

  // Equal for what is the same target in the sense of keeping its state: pool aside, its labels
  // and URL.
  std::string identity() const;
  // Where in its interval a target is scraped; even over all targets, the same after a restart.
  std::chrono::milliseconds offset(std::uint64_t seed) const;
};

// `target` over `shared`, then the pool's relabelling. `dropped` says that relabelling dropped it:
// then only `discovered` is set. kInvalidArgument in Prometheus's words for what cannot be scraped.
struct Populated {
  Target target;
  bool dropped = false;
};
Result<Populated> populate(const Labels& target, const Labels& shared, const PoolOptions& pool);

// The labels of a scraped series: those of the sample and of the target, where the sample's win
// (honor) or move aside to exported_<name>; then the pool's metric relabelling. nullopt: dropped.
std::optional<Labels> sample_labels(const Labels& sample, const Labels& target,
                                    const PoolOptions& pool);

// Prometheus's rewriting for people who look from elsewhere: a host on the loopback becomes the
// server's own name (and port, if it is this server's).
std::string global_url(const std::string& url, std::string_view external_scheme,
                       std::string_view external_host, std::string_view own_port);

}  // namespace varve::scrape
