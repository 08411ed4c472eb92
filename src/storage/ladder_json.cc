// SPDX-License-Identifier: Apache-2.0
// nlohmann/json throws only where a type is not the one asked for, which is looked at before.
#include "storage/ladder_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/try.h"
#include "model/histogram.h"

namespace varve::storage {
namespace {

using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;

// As many as a list of policies may have, and a level its dirty stretches.
constexpr std::size_t kCountMax = 100'000;

Error corrupt(std::string what) { return Error(ErrorCode::kCorruption, std::move(what)); }

Ordered json_of(const Stretches& ranges) {
  Ordered json = Ordered::array();
  for (const TimeRange& one : ranges) json.push_back({one.min_ms, one.max_ms});
  return json;
}

Ordered json_of(const std::vector<GoneOf>& of) {
  Ordered json = Ordered::array();
  for (const GoneOf& list : of) {
    Ordered policies = Ordered::array();
    for (const model::Matchers& matchers : *list.policies) {
      Ordered policy = Ordered::array();
      for (const model::Matcher& matcher : matchers) {
        policy.push_back({{"type", model::to_string(matcher.type())},
                          {"name", matcher.name()},
                          {"value", matcher.value()}});
      }
      policies.push_back(std::move(policy));
    }
    Ordered marks = Ordered::array();
    for (const auto& [resolution_ms, classes] : list.marks) {
      Ordered own = Ordered::array();
      for (const Stretches& one : classes) own.push_back(json_of(one));
      marks.push_back({{"resolution_ms", resolution_ms}, {"classes", std::move(own)}});
    }
    json.push_back({{"policies", std::move(policies)}, {"marks", std::move(marks)}});
  }
  return json;
}

Result<const Json*> member(const Json& object, const char* name) {
  if (!object.is_object()) return corrupt(fmt::format("\"{}\" is asked of no object", name));
  const auto found = object.find(name);
  if (found == object.end()) return corrupt(fmt::format("no \"{}\"", name));
  return &*found;
}

Result<std::int64_t> integer(const Json& object, const char* name) {
  VARVE_TRY_ASSIGN(const Json* const found, member(object, name));
  if (!found->is_number_integer()) return corrupt(fmt::format("\"{}\" is no number", name));
  return found->get<std::int64_t>();
}

Result<std::string> text(const Json& object, const char* name) {
  VARVE_TRY_ASSIGN(const Json* const found, member(object, name));
  if (!found->is_string()) return corrupt(fmt::format("\"{}\" is no text", name));
  return found->get<std::string>();
}

// The array of that name, or an empty one.
Result<Json> array(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return Json(Json::array());
  if (!found->is_array() || found->size() > kCountMax) {
    return corrupt(fmt::format("\"{}\" is not an array, or too long", name));
  }
  return *found;
}

Result<std::pair<std::int64_t, std::int64_t>> pair_of(const Json& json) {
  if (!json.is_array() || json.size() != 2 || !json[0].is_number_integer() ||
      !json[1].is_number_integer()) {
    return corrupt("something is no pair of numbers");
  }
  return std::pair(json[0].get<std::int64_t>(), json[1].get<std::int64_t>());
}

Result<LevelState> level_of(const Json& json) {
  if (!json.is_object()) return corrupt("a level is not an object");
  LevelState level;
  VARVE_TRY_ASSIGN(level.resolution_ms, integer(json, "resolution_ms"));
  VARVE_TRY_ASSIGN(level.covered_ms, integer(json, "covered_ms"));
  VARVE_TRY_ASSIGN(level.gone_ms, integer(json, "gone_ms"));
  VARVE_TRY_ASSIGN(level.retention_ms, integer(json, "retention_ms"));
  if (level.resolution_ms <= 0 || level.resolution_ms > kResolutionMaxMs) {
    return corrupt("a level without a resolution");
  }
  if (json.contains("sketch_schema")) {
    VARVE_TRY_ASSIGN(const std::int64_t schema, integer(json, "sketch_schema"));
    if (schema < 0 || schema > model::kExponentialSchemaMax)
      return corrupt("sketches of no schema");
    level.sketch_schema = static_cast<std::int32_t>(schema);
  }
  VARVE_TRY_ASSIGN(const Json dirty, array(json, "dirty"));
  for (const Json& ends : dirty) {
    VARVE_TRY_ASSIGN(const auto range, pair_of(ends));
    if (range.first > range.second || range.first < kFirstDirtyMs) {
      return corrupt("\"dirty\" is no time");
    }
    add_dirty(level, {range.first, range.second});
  }
  return level;
}

Result<model::Matcher> matcher_of(const Json& json) {
  VARVE_TRY_ASSIGN(const std::string type, text(json, "type"));
  VARVE_TRY_ASSIGN(std::string name, text(json, "name"));
  VARVE_TRY_ASSIGN(std::string value, text(json, "value"));
  for (const model::MatchType each : {model::MatchType::kEqual, model::MatchType::kNotEqual,
                                      model::MatchType::kRegex, model::MatchType::kNotRegex}) {
    if (type != model::to_string(each)) continue;
    Result<model::Matcher> matcher =
        model::Matcher::create(each, std::move(name), std::move(value));
    if (!matcher.ok()) return corrupt(matcher.error().message());
    return matcher;
  }
  return corrupt(fmt::format("\"{}\" is no condition", type));
}

Result<std::vector<GoneOf>> gone_of(const Json& json, const char* name) {
  std::vector<GoneOf> all;
  VARVE_TRY_ASSIGN(const Json lists, array(json, name));
  for (const Json& list : lists) {
    if (!list.is_object()) return corrupt("what has gone is not an object");
    Policies policies;
    VARVE_TRY_ASSIGN(const Json picks, array(list, "policies"));
    for (const Json& pick : picks) {
      if (!pick.is_array()) return corrupt("a policy is not an array");
      model::Matchers& matchers = policies.emplace_back();
      for (const Json& one : pick) {
        VARVE_TRY_ASSIGN(model::Matcher matcher, matcher_of(one));
        matchers.push_back(std::move(matcher));
      }
    }
    GoneOf gone;
    VARVE_TRY_ASSIGN(const Json marks, array(list, "marks"));
    for (const Json& mark : marks) {
      VARVE_TRY_ASSIGN(const std::int64_t resolution_ms, integer(mark, "resolution_ms"));
      VARVE_TRY_ASSIGN(const Json classes, array(mark, "classes"));
      if (classes.size() != policies.size() + 1) return corrupt("marks are of other policies");
      std::vector<Stretches>& own = gone.marks[resolution_ms];
      for (const Json& of_class : classes) {
        Stretches& stretches = own.emplace_back();
        if (!of_class.is_array()) return corrupt("marks are not an array");
        for (const Json& one : of_class) {
          VARVE_TRY_ASSIGN(const auto range, pair_of(one));
          add_stretch(stretches, {range.first, range.second});
        }
      }
    }
    gone.policies = std::make_shared<const Policies>(std::move(policies));
    all.push_back(std::move(gone));
  }
  return all;
}

Result<HeldSince> held_of(const Json& json) {
  HeldSince held;
  VARVE_TRY_ASSIGN(held.id, text(json, "id"));
  VARVE_TRY_ASSIGN(const Json before, array(json, "before"));
  for (const Json& one : before) {
    VARVE_TRY_ASSIGN(const auto at, pair_of(one));
    held.gone.before.insert_or_assign(at.first, at.second);
  }
  VARVE_TRY_ASSIGN(held.gone.of, gone_of(json, "gone"));
  return held;
}

}  // namespace

std::string ladder_text(const LadderState& ladder) {
  Ordered json{{"raw_gone_ms", ladder.raw_gone_ms}, {"levels", Ordered::array()}};
  for (const LevelState& level : ladder.levels) {
    Ordered one{{"resolution_ms", level.resolution_ms},
                {"covered_ms", level.covered_ms},
                {"gone_ms", level.gone_ms},
                {"retention_ms", level.retention_ms},
                {"dirty", json_of(level.dirty)}};
    if (level.sketch_schema) one["sketch_schema"] = *level.sketch_schema;
    json["levels"].push_back(std::move(one));
  }
  if (!ladder.gone_of.empty()) json["gone"] = json_of(ladder.gone_of);
  for (const HeldSince& held : ladder.holds) {
    Ordered before = Ordered::array();
    for (const auto& [resolution_ms, until_ms] : held.gone.before) {
      before.push_back({resolution_ms, until_ms});
    }
    json["holds"].push_back(
        {{"id", held.id}, {"before", std::move(before)}, {"gone", json_of(held.gone.of)}});
  }
  if (!ladder.aside.empty()) json["aside"] = ladder.aside;
  return json.dump(-1, ' ', false, Ordered::error_handler_t::replace);
}

Result<LadderState> ladder_of(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return corrupt("\"ladder\" is not an object");
  LadderState ladder;
  VARVE_TRY_ASSIGN(ladder.raw_gone_ms, integer(json, "raw_gone_ms"));
  VARVE_TRY_ASSIGN(const Json levels, array(json, "levels"));
  for (const Json& one : levels) {
    VARVE_TRY_ASSIGN(LevelState level, level_of(one));
    ladder.levels.push_back(std::move(level));
  }
  VARVE_TRY_ASSIGN(ladder.gone_of, gone_of(json, "gone"));
  VARVE_TRY_ASSIGN(const Json holds, array(json, "holds"));
  for (const Json& one : holds) {
    VARVE_TRY_ASSIGN(HeldSince held, held_of(one));
    ladder.holds.push_back(std::move(held));
  }
  VARVE_TRY_ASSIGN(const Json aside, array(json, "aside"));
  for (const Json& ulid : aside) {
    if (!ulid.is_string()) return corrupt("\"aside\" has something that is no ULID");
    ladder.aside.push_back(ulid.get<std::string>());
  }
  return ladder;
}

}  // namespace varve::storage
