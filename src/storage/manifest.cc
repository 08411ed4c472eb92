// SPDX-License-Identifier: Apache-2.0
#include "storage/manifest.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/try.h"
#include "storage/ladder_json.h"

namespace varve::storage {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kFormat = 1;
constexpr std::size_t kHashDigits = 16;
// More than a million blocks; a file beyond it is no MANIFEST.
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;
constexpr std::size_t kSeqsMax = 4096;

std::string line_of(const std::string& json) {
  return fmt::format("{:016x} {}\n", XXH3_64bits(json.data(), json.size()), json);
}

std::string edit_line(const ManifestEdit& edit) {
  std::string json = "{";
  const auto begin = [&json](std::string_view name) {
    if (json.size() > 1) json += ',';
    json += fmt::format("\"{}\":", name);
  };
  if (!edit.added.empty()) {
    begin("add");
    json += '[';
    for (std::size_t i = 0; i < edit.added.size(); ++i) {
      if (i > 0) json += ',';
      json += block::to_json(edit.added[i]);
    }
    json += ']';
  }
  if (!edit.removed.empty()) {
    begin("remove");
    json += fmt::format("[\"{}\"]", fmt::join(edit.removed, "\",\""));
  }
  if (edit.cut) {
    begin("cut");
    json += fmt::format(R"({{"time_ms":{},"seqs":[{}]}})", edit.cut->time_ms,
                        fmt::join(edit.cut->seqs, ","));
  }
  if (edit.ladder) {
    begin("ladder");
    json += ladder_text(*edit.ladder);
  }
  if (!edit.deletes.empty()) {
    begin("deletes");
    for (char before = '['; const auto& [ulid, deletes] : edit.deletes) {
      json += fmt::format(R"({}{{"ulid":"{}","generation":{},"series":{}}})",
                          std::exchange(before, ','), ulid, deletes.generation, deletes.series);
    }
    json += ']';
  }
  return line_of(json + '}');
}

// The edit that makes `state` from nothing.
ManifestEdit everything(const ManifestState& state) {
  ManifestEdit edit;
  for (const auto& [ulid, meta] : state.blocks) edit.added.push_back(meta);
  edit.removed.assign(state.leaving.begin(), state.leaving.end());
  edit.cut = state.cut;
  if (state.ladder != LadderState()) edit.ladder = state.ladder;
  edit.deletes = state.deletes;
  return edit;
}

std::string text_of(const ManifestState& state) {
  return identity_line(state) + edit_line(everything(state));
}

Error corrupt(std::string what) { return Error(ErrorCode::kCorruption, std::move(what)); }

// The JSON of a line without its end, if the checksum is that of it.
Result<Json> parse_line(std::string_view line) {
  std::uint64_t stored = 0;
  if (line.size() < kHashDigits + 1 || line[kHashDigits] != ' ') return corrupt("no checksum");
  const auto [end, error] = std::from_chars(line.data(), line.data() + kHashDigits, stored, 16);
  if (error != std::errc() || end != line.data() + kHashDigits) return corrupt("no checksum");
  const std::string_view text = line.substr(kHashDigits + 1);
  const std::uint64_t computed = XXH3_64bits(text.data(), text.size());
  if (computed != stored) {
    return corrupt(
        fmt::format("checksum mismatch (stored {:016x}, computed {:016x})", stored, computed));
  }
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return corrupt("not a JSON object");
  return json;
}

// A last line without `\n`: whole but for that if the checksum is that of what ends with its last
// brace. Such an edit may have been synced (and its end damaged since), so it counts.
Result<Json> parse_unended(std::string_view line) {
  // The damaged byte may be a brace itself.
  std::size_t brace = line.rfind('}');
  for (int tries = 0; tries < 2 && brace != std::string_view::npos && brace > 0; ++tries) {
    Result<Json> json = parse_line(line.substr(0, brace + 1));
    if (json.ok()) return json;
    brace = line.rfind('}', brace - 1);
  }
  return corrupt("the line does not end");
}

// Whether a bad line is several whose ends were damaged.
bool holds_line(std::string_view line) {
  for (std::size_t at = line.find('}'); at != std::string_view::npos; at = line.find('}', at + 1)) {
    // Behind the end of one stands the checksum of the next.
    if (at + 2 + kHashDigits >= line.size() || line[at + 2 + kHashDigits] != ' ') continue;
    if (parse_line(line.substr(0, at + 1)).ok() || parse_line(line.substr(at + 2)).ok())
      return true;
  }
  return false;
}

Result<std::int64_t> integer(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) {
    return corrupt(fmt::format("no number \"{}\"", name));
  }
  return found->get<std::int64_t>();
}

// The array of that name, or an empty one.
Result<Json> array(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return Json(Json::array());
  if (!found->is_array()) return corrupt(fmt::format("\"{}\" is not an array", name));
  return *found;
}

Result<ManifestState> parse_first(const Json& json, const std::string& path) {
  ManifestState state;
  VARVE_TRY_ASSIGN(const std::int64_t format, integer(json, "format"));
  if (format != static_cast<std::int64_t>(kFormat)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: the MANIFEST has format {}, this Varve reads format {}; use the "
                             "Varve that wrote it or a newer one",
                             path, format, kFormat));
  }
  VARVE_TRY_ASSIGN(state.created_ms, integer(json, "created_ms"));
  const auto secret = json.find("hash_secret");
  if (secret == json.end() || !secret->is_string()) return corrupt("no \"hash_secret\"");
  state.hash_secret = secret->get<std::string>();
  VARVE_TRY(index::SeriesHasher::from_hex(state.hash_secret));
  return state;
}

Result<ManifestEdit> parse_edit(const Json& json) {
  ManifestEdit edit;
  VARVE_TRY_ASSIGN(const Json added, array(json, "add"));
  for (const Json& meta : added) {
    VARVE_TRY_ASSIGN(block::BlockMeta parsed, block::meta_from_json(meta.dump(
                                                  -1, ' ', false, Json::error_handler_t::replace)));
    edit.added.push_back(std::move(parsed));
  }
  VARVE_TRY_ASSIGN(const Json removed, array(json, "remove"));
  for (const Json& ulid : removed) {
    if (!ulid.is_string() || !block::is_ulid(ulid.get_ref<const std::string&>())) {
      return corrupt("\"remove\" names something that is no ULID");
    }
    edit.removed.push_back(ulid.get<std::string>());
  }
  if (const auto cut = json.find("cut"); cut != json.end()) {
    if (!cut->is_object()) return corrupt("\"cut\" is not an object");
    edit.cut.emplace();
    VARVE_TRY_ASSIGN(edit.cut->time_ms, integer(*cut, "time_ms"));
    VARVE_TRY_ASSIGN(const Json seqs, array(*cut, "seqs"));
    if (seqs.size() > kSeqsMax) return corrupt("\"seqs\" is too long");
    for (const Json& seq : seqs) {
      if (!seq.is_number_unsigned()) return corrupt("\"seqs\" has something that is no number");
      edit.cut->seqs.push_back(seq.get<std::uint64_t>());
    }
  }
  if (const auto ladder = json.find("ladder"); ladder != json.end()) {
    VARVE_TRY_ASSIGN(edit.ladder,
                     ladder_of(ladder->dump(-1, ' ', false, Json::error_handler_t::replace)));
  }
  VARVE_TRY_ASSIGN(const Json deletes, array(json, "deletes"));
  for (const Json& one : deletes) {
    if (!one.is_object()) return corrupt("\"deletes\" has something that is no object");
    const auto ulid = one.find("ulid");
    if (ulid == one.end() || !ulid->is_string()) return corrupt("\"deletes\" of no block");
    VARVE_TRY_ASSIGN(const std::int64_t generation, integer(one, "generation"));
    VARVE_TRY_ASSIGN(const std::int64_t series, integer(one, "series"));
    if (generation < 1 || series < 0) return corrupt("\"deletes\" with a number below 0");
    edit.deletes[ulid->get<std::string>()] = {static_cast<std::uint64_t>(generation),
                                              static_cast<std::uint64_t>(series)};
  }
  return edit;
}

}  // namespace

void ManifestState::apply(const ManifestEdit& edit) {
  for (const std::string& ulid : edit.removed) {
    blocks.erase(ulid);
    deletes.erase(ulid);
    leaving.insert(ulid);
  }
  for (const block::BlockMeta& meta : edit.added) {
    blocks.insert_or_assign(meta.ulid, meta);
    leaving.erase(meta.ulid);
  }
  if (edit.cut) cut = edit.cut;
  if (edit.ladder) ladder = *edit.ladder;
  for (const auto& [ulid, of_block] : edit.deletes) {
    // A block that is not listed may be one whose line is lost.
    if (leaving.count(ulid) == 0) deletes.insert_or_assign(ulid, of_block);
  }
}

std::string identity_line(const ManifestState& state) {
  return line_of(fmt::format(R"({{"format":{},"created_ms":{},"hash_secret":"{}"}})", kFormat,
                             state.created_ms, state.hash_secret));
}

std::string identity_text(const ManifestState& state) {
  ManifestEdit edit = everything(state);
  edit.added.clear();
  edit.removed.clear();
  return identity_line(state) + edit_line(edit);
}

Result<ManifestState> parse_identity(std::string_view line, const std::string& path, bool checked) {
  // No brace stands within it, so it ends with the first.
  line = line.substr(0, std::min(line.find('}'), line.size() - 1) + 1);
  if (checked) {
    VARVE_TRY_ASSIGN(const Json json, parse_line(line));
    return parse_first(json, path);
  }
  const Json json = Json::parse(line.substr(std::min(line.find('{'), line.size())), nullptr, false);
  if (!json.is_object()) return corrupt("not a JSON object");
  return parse_first(json, path);
}

Result<ManifestReading> parse_manifest(std::string_view text, const std::string& path) {
  ManifestReading reading;
  reading.bytes = text.size();
  bool first = true;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    ++number;
    std::size_t end = text.find('\n', at);
    // The end of the first line may be damaged: without it the next one would be lost as well.
    const std::size_t brace = first ? text.find('}') : std::string_view::npos;
    if (brace != std::string_view::npos && brace + 2 < text.size() && text[brace + 1] != '\n' &&
        parse_line(text.substr(0, brace + 1)).ok()) {
      end = brace + 1;
      reading.damage.push_back(
          corrupt(fmt::format("{} at line 1 (byte {}): the line does not end", path, end)));
    }
    const bool last = end == std::string_view::npos || end + 1 == text.size();
    const auto where = [&](Error error) {
      return std::move(error).with(fmt::format("{} at line {} (byte {})", path, number, at));
    };
    const std::string_view line = text.substr(at, end == std::string_view::npos ? end : end - at);
    // A crash leaves a last line that is short, or has holes where nothing was written. One that is
    // whole and does not fit its checksum was written once: dropping it could drop what counts.
    const bool torn = last && (end == std::string_view::npos || line.find('\0') != line.npos);
    Result<Json> json = end != std::string_view::npos ? parse_line(line)
                        : first ? Result<Json>(corrupt("the line does not end"))
                                : parse_unended(line);
    // Whatever stands there instead of its end, the next line must not be appended to it.
    if (end == std::string_view::npos && json.ok()) reading.torn = true;
    if (first) {
      if (!json.ok()) return where(std::move(json).error());
      auto state = parse_first(*json, path);
      if (!state.ok()) {
        return state.error().code() == ErrorCode::kCorruption ? where(std::move(state).error())
                                                              : std::move(state).error();
      }
      reading.state = std::move(*state);
      first = false;
    } else if (!json.ok()) {
      if (torn && !holds_line(line)) {
        reading.torn = true;
      } else {
        reading.damage.push_back(where(std::move(json).error()));
      }
    } else {
      auto edit = parse_edit(*json);
      if (edit.ok()) {
        reading.state.apply(*edit);
        ++reading.edits;
      } else {
        reading.damage.push_back(where(std::move(edit).error()));
      }
    }
    at = end == std::string_view::npos ? text.size() : end + 1;
  }
  if (first) return corrupt(fmt::format("{} at line 1 (byte 0): the file is empty", path));
  return reading;
}

Result<ManifestReading> read_manifest(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, kBytesMax));
  return parse_manifest(text, path);
}

Result<Manifest> Manifest::create(fs::FileSystem& files, std::string path,
                                  const index::SeriesHasher& hasher, Timestamp now_ms,
                                  const ManifestEdit& first) {
  ManifestState state;
  state.hash_secret = hasher.to_hex();
  state.created_ms = now_ms;
  state.apply(first);
  Manifest manifest(files, std::move(path), std::move(state));
  VARVE_TRY(manifest.rewrite());
  return manifest;
}

Result<Manifest> Manifest::open(fs::FileSystem& files, std::string path, ManifestReading reading) {
  Manifest manifest(files, std::move(path), std::move(reading.state));
  manifest.bytes_ = reading.bytes;
  if (reading.torn || !reading.damage.empty() || manifest.too_long()) {
    VARVE_TRY(manifest.rewrite());
  } else {
    manifest.checked_bytes_ = manifest.bytes_;
    VARVE_TRY_ASSIGN(manifest.file_, files.open(manifest.path_, fs::OpenMode::kExisting));
  }
  return manifest;
}

bool Manifest::too_long() const { return bytes_ > 2 * text_of(state_).size() + kSlackBytes; }

Status Manifest::rewrite() {
  file_ = nullptr;
  const std::string text = text_of(state_);
  VARVE_TRY(files_->write_file_atomically(path_, text));
  VARVE_TRY_ASSIGN(file_, files_->open(path_, fs::OpenMode::kExisting));
  bytes_ = checked_bytes_ = text.size();
  return {};
}

Status Manifest::settle() { return certain() ? Status() : rewrite(); }

Status Manifest::commit(const ManifestEdit& edit) {
  VARVE_TRY(settle());
  if (bytes_ > checked_bytes_ + kSlackBytes) {
    if (too_long()) VARVE_TRY(rewrite());
    checked_bytes_ = bytes_;
  }
  const std::string line = edit_line(edit);
  Status written = file_->append(line);
  if (written.ok()) written = file_->sync_data();
  if (!written.ok()) {
    // The line may be there, in part or whole, and may have reached the disk.
    (void)rewrite().ok();
    return written;
  }
  state_.apply(edit);
  bytes_ += line.size();
  return {};
}

}  // namespace varve::storage
