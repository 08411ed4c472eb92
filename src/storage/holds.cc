// SPDX-License-Identifier: Apache-2.0
// nlohmann/json throws on what it does not like; it is caught here.
#include "storage/holds.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/try.h"
#include "model/relabel.h"

namespace varve::storage {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kMagic = "varve-holds ";
constexpr std::string_view kFormat = "1 ";
constexpr std::size_t kHashDigits = 16;
// All holds there may be, with the longest comments and a kilobyte for each selector.
constexpr std::uint64_t kBytesMax = std::uint64_t{256} << 20;

std::string checksum(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

Error corrupt(std::string_view what) {
  return Error(ErrorCode::kCorruption, fmt::format("holds: {}", what));
}

Result<model::Matcher> matcher_of(const Json& json) {
  const auto type = json.at("type").get<std::string>();
  for (const model::MatchType each : {model::MatchType::kEqual, model::MatchType::kNotEqual,
                                      model::MatchType::kRegex, model::MatchType::kNotRegex}) {
    if (type != model::to_string(each)) continue;
    return model::Matcher::create(each, json.at("name").get<std::string>(),
                                  json.at("value").get<std::string>());
  }
  return corrupt(fmt::format("\"{}\" is no condition", type));
}

Result<HoldRecord> record_of(const Json& json, std::uint64_t& id) {
  HoldRecord record;
  json.at("id").get_to(id);
  record.hold.id = std::to_string(id);
  json.at("min_ms").get_to(record.hold.range.min_ms);
  json.at("max_ms").get_to(record.hold.range.max_ms);
  json.at("created_ms").get_to(record.created_ms);
  json.at("comment").get_to(record.comment);
  for (const Json& selector : json.at("selectors")) {
    model::Matchers& matchers = record.hold.selectors.emplace_back();
    for (const Json& each : selector) {
      Result<model::Matcher> matcher = matcher_of(each);
      if (!matcher.ok()) return corrupt(matcher.error().message());
      matchers.push_back(*std::move(matcher));
    }
    if (matchers.empty()) return corrupt("a selector is empty");
  }
  if (record.hold.selectors.empty()) return corrupt("a hold has no selectors");
  return record;
}

}  // namespace

std::string selector_text(const model::Matchers& matchers) {
  std::string text = "{";
  for (const model::Matcher& matcher : matchers) {
    if (text.size() > 1) text += ", ";
    text += matcher.to_string();
  }
  return text + '}';
}

std::string holds_text(const HoldsState& state) {
  Json holds = Json::array();
  for (const HoldRecord& record : state.records) {
    Json selectors = Json::array();
    for (const model::Matchers& matchers : record.hold.selectors) {
      Json selector = Json::array();
      for (const model::Matcher& matcher : matchers) {
        selector.push_back({{"type", model::to_string(matcher.type())},
                            {"name", matcher.name()},
                            {"value", matcher.value()}});
      }
      selectors.push_back(std::move(selector));
    }
    holds.push_back({{"id", std::stoull(record.hold.id)},
                     {"min_ms", record.hold.range.min_ms},
                     {"max_ms", record.hold.range.max_ms},
                     {"created_ms", record.created_ms},
                     {"comment", record.comment},
                     {"selectors", std::move(selectors)}});
  }
  const std::string body =
      Json{{"next_id", state.next_id}, {"holds", std::move(holds)}}.dump(
          1, ' ', false, Json::error_handler_t::replace) +
      "\n";
  return fmt::format("{}{}{}\n{}", kMagic, kFormat, checksum(body), body);
}

Result<HoldsState> parse_holds(std::string_view text) {
  if (!text.starts_with(kMagic)) return corrupt("not a file of holds");
  std::string_view rest = text.substr(kMagic.size());
  if (!rest.starts_with(kFormat)) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("holds: the file has format {}, this Varve reads format 1; use the Varve "
                    "that wrote it or a newer one",
                    rest.substr(0, std::min<std::size_t>(rest.find(' '), 8))));
  }
  rest.remove_prefix(kFormat.size());
  if (rest.size() <= kHashDigits || rest[kHashDigits] != '\n') return corrupt("no checksum");
  const std::string_view stored = rest.substr(0, kHashDigits);
  const std::string_view body = rest.substr(kHashDigits + 1);
  if (const std::string computed = checksum(body); stored != computed) {
    return corrupt(fmt::format("checksum mismatch (stored {}, computed {})", stored, computed));
  }
  HoldsState state;
  try {
    const Json json = Json::parse(body);
    json.at("next_id").get_to(state.next_id);
    std::uint64_t last = 0;
    for (const Json& each : json.at("holds")) {
      std::uint64_t id = 0;
      VARVE_TRY_ASSIGN(HoldRecord record, record_of(each, id));
      if (id <= last || id >= state.next_id) return corrupt("the ids are out of order");
      last = id;
      state.records.push_back(std::move(record));
    }
  } catch (const nlohmann::json::exception& problem) {
    return corrupt(problem.what());
  }
  return state;
}

Result<HoldsState> read_holds(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return HoldsState();
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, kBytesMax));
  Result<HoldsState> state = parse_holds(text);
  if (!state.ok()) return std::move(state).error().with(path);
  return state;
}

Result<HoldStore> HoldStore::open(fs::FileSystem& files, std::string path, bool repair,
                                  std::string& damage) {
  Result<HoldsState> state = read_holds(files, path);
  if (!state.ok() && state.error().code() == ErrorCode::kCorruption) {
    if (!repair) {
      return Error(
          ErrorCode::kCorruption,
          fmt::format("{}; put it back from a copy, or start once with --repair to give up "
                      "what it holds",
                      state.error().message()));
    }
    damage = state.error().message();
    VARVE_TRY(files.rename(path, path + ".corrupt"));
    VARVE_TRY(files.sync_directory(fs::parent_of(path)));
    state = HoldsState();
  }
  if (!state.ok()) return std::move(state).error();
  return HoldStore(files, std::move(path), *std::move(state));
}

Result<HoldRecord> HoldStore::add(TimeRange range, std::span<const model::Matchers> selectors,
                                  std::string comment, Timestamp now_ms) {
  if (range.empty()) {
    return Error(ErrorCode::kInvalidArgument, "the range of a hold ends before it begins");
  }
  if (selectors.empty() ||
      std::any_of(selectors.begin(), selectors.end(), [](const auto& s) { return s.empty(); })) {
    return Error(ErrorCode::kInvalidArgument, "a hold needs selectors");
  }
  bool utf8 = model::valid_utf8(comment);
  for (const model::Matchers& matchers : selectors) {
    for (const model::Matcher& matcher : matchers) {
      utf8 = utf8 && model::valid_utf8(matcher.name()) && model::valid_utf8(matcher.value());
    }
  }
  if (!utf8) return Error(ErrorCode::kInvalidArgument, "a hold is not valid UTF-8");
  if (comment.size() > kHoldCommentBytesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the comment of a hold has {} bytes, the limit is {}", comment.size(),
                             kHoldCommentBytesMax));
  }
  if (state_.records.size() >= kHoldsMax || selectors.size() > kHoldSelectorsMax) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("there may be {} holds of {} selectors each", kHoldsMax,
                             kHoldSelectorsMax));
  }
  HoldsState next = state_;
  HoldRecord record;
  record.hold.id = std::to_string(next.next_id++);
  record.hold.range = range;
  record.hold.selectors.assign(selectors.begin(), selectors.end());
  record.created_ms = now_ms;
  record.comment = std::move(comment);
  next.records.push_back(record);
  VARVE_TRY(write(std::move(next)));
  return record;
}

Status HoldStore::release(std::string_view id) {
  HoldsState next = state_;
  if (std::erase_if(next.records,
                    [id](const HoldRecord& record) { return record.hold.id == id; }) == 0) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no hold {}", id));
  }
  return write(std::move(next));
}

Status HoldStore::write(HoldsState next) {
  const std::string text = holds_text(next);
  // What could not be read at the next start is not written.
  if (text.size() > kBytesMax) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("all holds together would take {} bytes, the limit is {}", text.size(),
                             kBytesMax));
  }
  if (Status written = files_->write_file_atomically(path_, text); !written.ok()) {
    // It may have got as far as its new name: what the file says now is what a start would find.
    if (Result<HoldsState> now = read_holds(*files_, path_); now.ok()) state_ = *std::move(now);
    return written;
  }
  state_ = std::move(next);
  return {};
}

}  // namespace varve::storage
