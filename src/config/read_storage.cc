// SPDX-License-Identifier: Apache-2.0
#include "config/read_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/duration.h"
#include "promql/parser.h"

namespace varve::config {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr milliseconds kDay = 24h;
constexpr milliseconds kResolutionMin = 1s;
constexpr milliseconds kResolutionMax = kDay;
constexpr std::size_t kLevelsMax = 8;
constexpr std::size_t kPoliciesMax = 1000;

constexpr LadderPreset kPresets[] = {
    {"15d-180d-2y", 15 * kDay, {{1min, 180 * kDay}, {1h, 730 * kDay}}},
    {"7d-30d-1y", 7 * kDay, {{1min, 30 * kDay}, {1h, 365 * kDay}}},
    {"15d-90d-2y", 15 * kDay, {{1h, 90 * kDay}, {kDay, 730 * kDay}}},
};

// A level as it stands in the file.
struct Rung {
  const Node* node = nullptr;
  storage::LevelOptions level;
  bool has_retention = false;
  bool has_sketch = false;
};

std::string text_of(milliseconds duration) { return model::format_duration(duration.count()); }
// A retention: 0 is no end.
std::string kept_text(milliseconds retention) {
  return retention.count() == 0 ? "for ever" : "for " + text_of(retention);
}
bool shorter(milliseconds a, milliseconds b) { return a.count() != 0 && (b.count() == 0 || a < b); }

Place place_of(const Node& node, std::string_view key) {
  const Node* const value = node.find(key);
  return value != nullptr ? value->place : node.place;
}

// Reads a duration and says that it was there.
ReadValue given_duration(milliseconds& out, bool& given) {
  return [&out, &given](const Source& source, const Node& node) -> Status {
    given = node.kind != Node::Kind::kNull;
    return duration(out)(source, node);
  };
}

// Everything under `tsdb`, checked as a whole when all of it is read.
class TsdbReader {
 public:
  TsdbReader(const Source& source, const RawRetention& raw, StorageConfig& out)
      : source_(source), raw_(raw), out_(out) {}

  Status read(const Node& node) {
    const Node* ladder = nullptr;
    const Node* levels = nullptr;
    const Node* sketch = nullptr;
    const Node* retention = nullptr;
    const auto keep = [](const Node*& at) {
      return [&at](const Source&, const Node& value) -> Status {
        if (value.kind != Node::Kind::kNull) at = &value;
        return {};
      };
    };
    VARVE_TRY(read_map(source_, node, "tsdb config",
                       {{"out_of_order_time_window", duration(out_.out_of_order_time_window)},
                        {"retention", keep(retention)},
                        {"ladder", keep(ladder)},
                        {"levels", keep(levels)},
                        {"sketch", keep(sketch)}}));
    const Node* series = nullptr;
    if (retention != nullptr) VARVE_TRY(read_retention(*retention, series));
    if (ladder != nullptr && levels != nullptr) {
      return source_.error(ladder->place,
                           "a ladder by name and levels of one's own cannot both be given: leave "
                           "out one of them");
    }
    if (ladder != nullptr) VARVE_TRY(read_preset(*ladder));
    if (levels != nullptr) VARVE_TRY(read_levels(*levels));
    if (sketch != nullptr) VARVE_TRY(read_sketch(*sketch));
    out_.raw_retention = out_.retention_time.value_or(
        raw_.given || !preset_raw_ ? raw_.value : *preset_raw_);
    VARVE_TRY(check_ladder(ladder));
    for (const Rung& rung : rungs_) out_.ladder.levels.push_back(rung.level);
    return series == nullptr ? Status() : read_policies(*series);
  }

 private:
  Status read_retention(const Node& node, const Node*& series) {
    const ReadValue size = [&](const Source& s, const Node& scalar) -> Status {
      if (scalar.kind == Node::Kind::kNull) return {};
      return bytes(out_.retention_bytes.emplace())(s, scalar);
    };
    const ReadValue keep_series = [&](const Source&, const Node& value) -> Status {
      if (value.kind != Node::Kind::kNull) series = &value;
      return {};
    };
    return read_map(
        source_, node, "retention config",
        {{"time", duration(out_.retention_time)}, {"size", size}, {"series", keep_series}});
  }

  Status read_preset(const Node& node) {
    std::string name;
    VARVE_TRY(text(name)(source_, node));
    if (name == "none") return {};
    for (const LadderPreset& preset : kPresets) {
      if (preset.name != name) continue;
      out_.ladder_name = name;
      preset_raw_ = preset.raw_retention;
      for (const LadderPreset::Level& level : preset.levels) {
        Rung rung{&node, {}, true, false};
        rung.level.resolution = level.resolution;
        rung.level.retention = level.retention;
        rungs_.push_back(rung);
      }
      return {};
    }
    std::string known;
    std::vector<std::string_view> names{"none"};
    for (const LadderPreset& preset : kPresets) {
      known += fmt::format("{}{}", known.empty() ? "" : ", ", preset.name);
      names.push_back(preset.name);
    }
    const std::string_view near = nearest_name(name, names);
    return source_.error(
        node.place, fmt::format("there is no ladder \"{}\"{}{}{}; there are {} and none, and "
                                "`levels` for one of your own",
                                name, near.empty() ? "" : ", did you mean ", near,
                                near.empty() ? "" : "?", known));
  }

  Status read_levels(const Node& node) {
    const ReadValue read_level = [this](const Source& source, const Node& item) -> Status {
      Rung rung{&item, {}, false, false};
      const ReadValue sketch = [&rung](const Source& s, const Node& value) -> Status {
        rung.has_sketch = value.kind != Node::Kind::kNull;
        return boolean(rung.level.sketch)(s, value);
      };
      VARVE_TRY(read_map(source, item, "level",
                         {{"resolution", duration(rung.level.resolution)},
                          {"after", duration(rung.level.after)},
                          {"retention", given_duration(rung.level.retention, rung.has_retention)},
                          {"sketch", sketch}}));
      rungs_.push_back(rung);
      return {};
    };
    VARVE_TRY(read_list(source_, node, read_level));
    if (rungs_.size() > kLevelsMax) {
      return source_.error(node.place, fmt::format("{} levels are too many, {} is the most",
                                                   rungs_.size(), kLevelsMax));
    }
    return {};
  }

  // `sketch: true`, or with the error that quantiles may have; for all levels that do not say.
  Status read_sketch(const Node& node) {
    bool wanted = true;
    double error = out_.ladder.sketch_relative_error;
    if (node.kind == Node::Kind::kMap) {
      VARVE_TRY(read_map(source_, node, "sketch", {{"relative_error", number(error)}}));
    } else {
      VARVE_TRY(boolean(wanted)(source_, node));
    }
    if (!(error >= 0.001 && error <= 0.3)) {
      return source_.error(place_of(node, "relative_error"),
                           fmt::format("a relative error of {} cannot be: write one from 0.001 "
                                       "(0.1 %) to 0.3",
                                       error));
    }
    out_.ladder.sketch_relative_error = error;
    for (Rung& rung : rungs_) {
      if (!rung.has_sketch) rung.level.sketch = wanted;
    }
    if (rungs_.empty() && wanted) {
      return source_.error(node.place,
                           "sketches are kept in levels, and there are none: add `levels` or a "
                           "`ladder`");
    }
    return {};
  }

  // Finest first, each with what its finer neighbour must hold for it.
  Status check_ladder(const Node* preset) {
    for (const Rung& rung : rungs_) {
      const milliseconds resolution = rung.level.resolution;
      if (resolution < kResolutionMin || resolution > kResolutionMax) {
        return source_.error(
            place_of(*rung.node, "resolution"),
            fmt::format("a level needs a resolution from {} to {}{}", text_of(kResolutionMin),
                        text_of(kResolutionMax),
                        resolution.count() == 0 ? "" : ", not " + text_of(resolution)));
      }
      if (!rung.has_retention) {
        return source_.error(rung.node->place,
                             fmt::format("the level of {} needs a retention; 0 is for ever",
                                         text_of(resolution)));
      }
    }
    std::stable_sort(rungs_.begin(), rungs_.end(), [](const Rung& a, const Rung& b) {
      return a.level.resolution < b.level.resolution;
    });
    std::string finer_name = "raw samples";
    milliseconds finer_resolution{0};
    milliseconds finer_retention = out_.raw_retention;
    for (const Rung& rung : rungs_) {
      const storage::LevelOptions& level = rung.level;
      const std::string name = "the level of " + text_of(level.resolution);
      if (level.resolution == finer_resolution) {
        return source_.error(place_of(*rung.node, "resolution"),
                             fmt::format("there is {} already", name));
      }
      if (finer_resolution.count() > 0 && level.resolution % finer_resolution != 0ms) {
        const milliseconds below = level.resolution / finer_resolution * finer_resolution;
        return source_.error(
            place_of(*rung.node, "resolution"),
            fmt::format("{} is no multiple of the finer level's {}: its buckets cannot be made of "
                        "whole ones; write {}{}",
                        text_of(level.resolution), text_of(finer_resolution),
                        below > finer_resolution ? text_of(below) + " or " : "",
                        text_of(below + finer_resolution)));
      }
      if (level.after + level.resolution > finer_retention && finer_retention.count() > 0) {
        return source_.error(
            place_of(*rung.node, "after"),
            fmt::format("{} is written {} after a bucket of {} ends, but {} are kept {}: keep them "
                        "at least for {}",
                        name, text_of(level.after), text_of(level.resolution), finer_name,
                        kept_text(finer_retention), text_of(level.after + level.resolution)));
      }
      if (shorter(level.retention, finer_retention)) {
        const std::string how =
            preset != nullptr || finer_resolution.count() == 0
                ? fmt::format("keep it at least {}, or write a shorter retention.time",
                              kept_text(finer_retention))
                : fmt::format("keep it at least {}, or leave it out", kept_text(finer_retention));
        return source_.error(place_of(*rung.node, "retention"),
                             fmt::format("{} is kept {}, but {}, which {} finer, {}: {}", name,
                                         kept_text(level.retention), finer_name,
                                         finer_resolution.count() == 0 ? "are" : "is",
                                         kept_text(finer_retention), how));
      }
      finer_name = name;
      finer_resolution = level.resolution;
      finer_retention = level.retention;
    }
    return {};
  }

  Status read_policies(const Node& node) {
    VARVE_TRY(read_list(source_, node, [this](const Source&, const Node& item) {
      return read_policy(item);
    }));
    if (out_.ladder.policies.size() > kPoliciesMax) {
      return source_.error(node.place,
                           fmt::format("{} retentions by series are too many, {} is the "
                                       "most",
                                       out_.ladder.policies.size(), kPoliciesMax));
    }
    return {};
  }

  Status read_policy(const Node& node) {
    std::vector<std::string> selectors;
    milliseconds raw = out_.raw_retention;
    const Node* levels = nullptr;
    const ReadValue match = [&selectors](const Source& s, const Node& value) -> Status {
      if (value.kind == Node::Kind::kSequence) return texts(selectors)(s, value);
      return text(selectors.emplace_back())(s, value);
    };
    const ReadValue keep_levels = [&levels](const Source&, const Node& value) -> Status {
      levels = &value;
      return {};
    };
    VARVE_TRY(read_map(source_, node, "retention of series",
                       {{"match", match}, {"retention", duration(raw)}, {"levels", keep_levels}}));
    if (selectors.empty() || selectors[0].empty()) {
      return source_.error(node.place,
                           "a retention of series needs `match`: a selector as "
                           "'{job=\"debug\"}', or a list of them");
    }
    storage::RetentionPolicy policy;
    policy.raw = raw;
    VARVE_TRY(read_policy_levels(node, levels, policy));
    const Node& match_node = *node.find("match");
    for (std::size_t i = 0; i < selectors.size(); ++i) {
      Result<model::Matchers> matchers = promql::parse_selector(selectors[i]);
      const Place place = match_node.items.empty() ? match_node.place : match_node.items[i]->place;
      if (!matchers.ok()) return source_.error(place, matchers.error());
      policy.matchers = *std::move(matchers);
      out_.ladder.policies.push_back(policy);
      out_.policy_selectors.push_back(selectors[i]);
    }
    return {};
  }

  // Without `levels` the series keep those of the ladder: what is not said takes nothing away.
  Status read_policy_levels(const Node& node, const Node* levels,
                            storage::RetentionPolicy& policy) {
    if (levels == nullptr) {
      for (const storage::LevelOptions& level : out_.ladder.levels) {
        policy.levels.push_back({level.resolution, level.retention});
      }
    } else {
      const ReadValue read_level = [&](const Source& s, const Node& item) -> Status {
        storage::RetentionPolicy::OfLevel of;
        bool given = false;
        VARVE_TRY(read_map(s, item, "level of a retention of series",
                           {{"resolution", duration(of.resolution)},
                            {"retention", given_duration(of.retention, given)}}));
        const auto known = std::find_if(out_.ladder.levels.begin(), out_.ladder.levels.end(),
                                        [&of](const storage::LevelOptions& level) {
                                          return level.resolution == of.resolution;
                                        });
        if (known == out_.ladder.levels.end()) {
          std::string there;
          for (const storage::LevelOptions& level : out_.ladder.levels) {
            there += fmt::format("{}{}", there.empty() ? "" : ", ", text_of(level.resolution));
          }
          return s.error(place_of(item, "resolution"),
                         fmt::format("there is no level of {}; {}", text_of(of.resolution),
                                     there.empty() ? "add it to `levels` or name a `ladder` first"
                                                   : "there are " + there));
        }
        if (!given) of.retention = known->retention;
        policy.levels.push_back(of);
        return {};
      };
      VARVE_TRY(read_list(source_, *levels, read_level));
    }
    std::stable_sort(policy.levels.begin(), policy.levels.end(), [](const auto& a, const auto& b) {
      return a.resolution < b.resolution;
    });
    // What `retention` alone makes longer than a level, it makes longer there too.
    milliseconds finer = policy.raw;
    milliseconds finer_resolution{0};
    for (storage::RetentionPolicy::OfLevel& level : policy.levels) {
      if (level.resolution == finer_resolution) {
        return source_.error(levels->place, fmt::format("the level of {} stands here twice",
                                                        text_of(level.resolution)));
      }
      if (shorter(level.retention, finer)) {
        if (levels == nullptr) {
          level.retention = finer;
        } else {
          return source_.error(
              place_of(node, "levels"),
              fmt::format("the level of {} is kept {} for these series, but what is finer {}: keep "
                          "it at least {}",
                          text_of(level.resolution), kept_text(level.retention), kept_text(finer),
                          kept_text(finer)));
        }
      }
      finer = level.retention;
      finer_resolution = level.resolution;
    }
    return {};
  }

  const Source& source_;
  const RawRetention& raw_;
  StorageConfig& out_;
  std::vector<Rung> rungs_;
  std::optional<milliseconds> preset_raw_;
};

}  // namespace

std::span<const LadderPreset> ladder_presets() { return kPresets; }

Status read_storage(const Source& source, const Node& node, const RawRetention& raw,
                    StorageConfig& out) {
  const ReadValue tsdb = [&](const Source& from, const Node& value) {
    return TsdbReader(from, raw, out).read(value);
  };
  const ReadValue exemplars = [&](const Source& from, const Node& value) {
    return read_map(from, value, "exemplars config",
                    {{"max_exemplars", integer(out.exemplars_max)}});
  };
  return read_map(source, node, "storage config", {{"tsdb", tsdb}, {"exemplars", exemplars}});
}

}  // namespace varve::config
