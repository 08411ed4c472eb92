// SPDX-License-Identifier: Apache-2.0
// Block metadata as JSON, and ULIDs. nlohmann/json throws on what it does not like; it is caught
// here.
#include "storage/block/meta.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <random>
#include <tuple>

namespace varve::storage::block {
namespace {

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidCharacters = 26;
constexpr std::size_t kUlidTimeCharacters = 10;  // 48 bits of milliseconds in 50

const std::string& oldest_source(const BlockMeta& meta) {
  const auto oldest = std::min_element(meta.sources.begin(), meta.sources.end());
  return oldest == meta.sources.end() ? meta.ulid : *oldest;
}

}  // namespace

bool counts_before(const BlockMeta& a, const BlockMeta& b) {
  if (a.out_of_order != b.out_of_order) return b.out_of_order;
  return std::tie(oldest_source(a), a.ulid) < std::tie(oldest_source(b), b.ulid);
}

std::string to_json(const BlockMeta& meta) {
  nlohmann::ordered_json json;
  json["ulid"] = meta.ulid;
  json["min_ms"] = meta.range.min_ms;
  json["max_ms"] = meta.range.max_ms;
  json["window_begin_ms"] = meta.window_begin_ms;
  json["window_end_ms"] = meta.window_end_ms;
  json["level"] = meta.level;
  json["out_of_order"] = meta.out_of_order;
  json["sources"] = meta.sources;
  json["series"] = meta.series;
  json["chunks"] = meta.chunks;
  json["floats"] = meta.floats;
  json["histograms"] = meta.histograms;
  json["bytes"] = meta.bytes;
  json["hash_fingerprint"] = meta.hash_fingerprint;
  if (meta.resolution_ms != 0) json["resolution_ms"] = meta.resolution_ms;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<BlockMeta> meta_from_json(std::string_view text) {
  BlockMeta meta;
  try {
    const auto json = nlohmann::json::parse(text);
    json.at("ulid").get_to(meta.ulid);
    json.at("min_ms").get_to(meta.range.min_ms);
    json.at("max_ms").get_to(meta.range.max_ms);
    json.at("window_begin_ms").get_to(meta.window_begin_ms);
    json.at("window_end_ms").get_to(meta.window_end_ms);
    json.at("level").get_to(meta.level);
    json.at("out_of_order").get_to(meta.out_of_order);
    json.at("sources").get_to(meta.sources);
    json.at("series").get_to(meta.series);
    json.at("chunks").get_to(meta.chunks);
    json.at("floats").get_to(meta.floats);
    json.at("histograms").get_to(meta.histograms);
    json.at("bytes").get_to(meta.bytes);
    json.at("hash_fingerprint").get_to(meta.hash_fingerprint);
    if (json.contains("resolution_ms")) json.at("resolution_ms").get_to(meta.resolution_ms);
  } catch (const nlohmann::json::exception& problem) {
    return Error(ErrorCode::kCorruption, std::string("block metadata: ") + problem.what());
  }
  if (meta.resolution_ms < 0) {
    return Error(ErrorCode::kCorruption, "block metadata: a resolution below 0");
  }
  // It becomes the name of a folder: nothing that could lead out of its parent.
  if (!is_ulid(meta.ulid)) {
    return Error(ErrorCode::kCorruption, "block metadata: \"ulid\" is no ULID");
  }
  return meta;
}

std::string make_ulid(Timestamp now_ms) {
  std::string ulid(kUlidCharacters, '0');
  auto time = static_cast<std::uint64_t>(std::max<Timestamp>(now_ms, 0)) & 0xffff'ffff'ffffULL;
  for (std::size_t i = kUlidTimeCharacters; i-- > 0; time >>= 5) ulid[i] = kCrockford[time & 31];
  std::random_device device;
  for (std::size_t i = kUlidTimeCharacters; i < kUlidCharacters; ++i) {
    ulid[i] = kCrockford[device() & 31];
  }
  return ulid;
}

bool is_ulid(std::string_view name) {
  // 26 characters hold 130 bits: the first is at most 7.
  return name.size() == kUlidCharacters && name[0] <= '7' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return kCrockford.find(c) != std::string_view::npos; });
}

}  // namespace varve::storage::block
