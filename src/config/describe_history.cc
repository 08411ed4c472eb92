// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "config/config.h"
#include "model/duration.h"

namespace varve::config {
namespace {

std::string kept(std::chrono::milliseconds retention) {
  if (retention.count() == 0) return "for ever";
  return "for " + model::format_duration(retention.count());
}

}  // namespace

std::vector<std::string> describe_history(const StorageConfig& storage) {
  const storage::Ladder& ladder = storage.ladder;
  std::vector<std::string> lines;
  if (ladder.levels.empty() && ladder.policies.empty()) return lines;
  lines.push_back("samples are kept " + kept(storage.raw_retention));
  for (const storage::LevelOptions& level : ladder.levels) {
    std::string line = fmt::format("buckets of {} are kept {}",
                                   model::format_duration(level.resolution.count()),
                                   kept(level.retention));
    if (level.after.count() > 0) {
      line +=
          fmt::format(", written {} after their end", model::format_duration(level.after.count()));
    }
    if (level.sketch) {
      line += fmt::format(", with sketches (quantiles within {:g} %)",
                          ladder.sketch_relative_error * 100);
    }
    lines.push_back(std::move(line));
  }
  for (std::size_t i = 0; i < ladder.policies.size(); ++i) {
    const storage::RetentionPolicy& policy = ladder.policies[i];
    std::string line =
        fmt::format("of {}: samples {}", storage.policy_selectors[i], kept(policy.raw));
    for (const storage::RetentionPolicy::OfLevel& level : policy.levels) {
      line += fmt::format(", buckets of {} {}", model::format_duration(level.resolution.count()),
                          kept(level.retention));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace varve::config
