// SPDX-License-Identifier: Apache-2.0
#include "dashboards/store.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"

namespace varve::dashboards {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "varve-dashboard 1 ";
constexpr std::size_t kIdMax = 80;

// What stands in a document; parsed where it came in, so that nothing else is ever kept.
struct Parsed {
  json document;
  std::string title;
  std::vector<std::string> tags;
  std::uint64_t version = 0;
};

Result<Parsed> parse(std::string_view text) {
  if (text.size() > kDocumentBytesMax) {
    return Error(ErrorCode::kLimitExceeded, fmt::format("the dashboard has {} bytes, more than {}",
                                                        text.size(), kDocumentBytesMax));
  }
  bool too_deep = false;
  Parsed parsed;
  try {
    parsed.document = json::parse(text, [&too_deep](int depth, json::parse_event_t, json&) {
      too_deep = too_deep || depth > static_cast<int>(kDepthMax);
      return !too_deep;
    });
  } catch (const json::exception& error) {
    if (!too_deep) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("the dashboard is not JSON: {}", error.what()));
    }
  }
  if (too_deep) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the dashboard is nested deeper than {} levels", kDepthMax));
  }
  const json& document = parsed.document;
  if (!document.is_object()) {
    return Error(ErrorCode::kInvalidArgument, "a dashboard is a JSON object");
  }
  const auto title = document.find("title");
  if (title == document.end() || !title->is_string() ||
      title->get_ref<const std::string&>().empty()) {
    return Error(ErrorCode::kInvalidArgument, "the dashboard has no title");
  }
  parsed.title = title->get<std::string>();
  if (const auto tags = document.find("tags"); tags != document.end() && tags->is_array()) {
    for (const json& tag : *tags) {
      if (tag.is_string()) parsed.tags.push_back(tag.get<std::string>());
    }
  }
  if (const auto version = document.find("version");
      version != document.end() && version->is_number_unsigned()) {
    parsed.version = version->get<std::uint64_t>();
  }
  return parsed;
}

std::string with_identity(json document, std::string_view id, std::uint64_t version) {
  document["id"] = id;
  document["version"] = version;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string checksum(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

// The document in a version's file; kCorruption where it is not what was written.
Result<std::string> unwrap(std::string_view file) {
  const std::size_t line = file.find('\n');
  if (!file.starts_with(kMagic) || line != kMagic.size() + 16) {
    return Error(ErrorCode::kCorruption, "not a version of a dashboard");
  }
  const std::string_view document = file.substr(line + 1);
  if (file.substr(kMagic.size(), 16) != checksum(document)) {
    return Error(ErrorCode::kCorruption, "checksum mismatch");
  }
  return std::string(document);
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdMax && id != "." && id != ".." &&
         std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

Error not_found(std::string_view id) {
  return Error(ErrorCode::kNotFound, fmt::format("there is no dashboard {}", id));
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(fs::FileSystem& files, std::string directory,
                                           const base::Clock& clock, base::Logger& log) {
  std::unique_ptr<Store> store(new Store(files, std::move(directory), clock, log));
  VARVE_TRY(store->load());
  return store;
}

Status Store::load() {
  VARVE_TRY_ASSIGN(const bool exists, files_.exists(directory_));
  if (!exists) return {};
  VARVE_TRY_ASSIGN(const std::vector<std::string> ids, files_.list(directory_));
  for (const std::string& id : ids) {
    if (!is_id(id)) continue;
    if (Status status = load_one(id); !status.ok()) {
      log_.error("dashboards: left out", {{"id", id}, {"err", status.error().message()}});
    }
  }
  return {};
}

Status Store::load_one(const std::string& id) {
  const std::string folder = fs::join(directory_, id);
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files_.list(folder));
  Kept kept;
  for (const std::string& name : names) {
    std::uint64_t version = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
    if (error != std::errc() || std::string_view(end) != ".json" || version == 0) continue;
    const std::string path = fs::join(folder, name);
    Result<std::string> file = files_.read_file(path, kDocumentBytesMax + 4096);
    Result<std::string> document = file.ok() ? unwrap(*file) : std::move(file);
    if (!document.ok()) {
      log_.error("dashboards: a version cannot be read and is left out; the others stay",
                 {{"file", path}, {"err", document.error().message()}});
      continue;
    }
    kept.documents[version] = std::move(document).value();
  }
  if (kept.documents.empty()) return {};
  const std::string& newest = kept.documents.rbegin()->second;
  kept.deleted = newest.empty();
  if (!kept.deleted) {
    VARVE_TRY_ASSIGN(const Parsed parsed, parse(newest));
    kept.title = parsed.title;
    kept.tags = parsed.tags;
  }
  kept_[id] = std::move(kept);
  return {};
}

void Store::provision(std::span<const std::string> folders) {
  Dashboards found;
  for (const std::string& folder : folders) {
    Result<std::vector<std::string>> names = files_.list(folder);
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      if (!name.ends_with(".json")) continue;
      const std::string path = fs::join(folder, name);
      const std::string id = name.substr(0, name.size() - 5);
      Result<std::string> text = files_.read_file(path, kDocumentBytesMax);
      Result<Parsed> parsed = text.ok() ? parse(*text) : Result<Parsed>(text.error());
      if (!parsed.ok() || !is_id(id)) {
        log_.error("dashboards: a file is left out",
                   {{"file", path},
                    {"err", parsed.ok() ? "its name is no id" : parsed.error().message()}});
        continue;
      }
      Kept kept;
      kept.title = parsed->title;
      kept.tags = parsed->tags;
      kept.documents[1] = with_identity(std::move(parsed->document), id, 1);
      found.insert_or_assign(id, std::move(kept));
    }
  }
  const std::lock_guard lock(mutex_);
  provisioned_ = std::move(found);
}

const Store::Kept* Store::find(std::string_view id) const {
  if (const auto at = kept_.find(id); at != kept_.end() && !at->second.deleted) return &at->second;
  const auto at = provisioned_.find(id);
  return at == provisioned_.end() ? nullptr : &at->second;
}

std::vector<Listed> Store::list() const {
  std::vector<Listed> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, kept] : kept_) {
      if (kept.deleted) continue;
      all.push_back({id, kept.title, kept.tags, kept.documents.rbegin()->first, false});
    }
    for (const auto& [id, kept] : provisioned_) {
      const auto own = kept_.find(id);
      if (own == kept_.end() || own->second.deleted)
        all.push_back({id, kept.title, kept.tags, 1, true});
    }
  }
  std::sort(all.begin(), all.end(), [](const Listed& a, const Listed& b) {
    return std::tie(a.title, a.id) < std::tie(b.title, b.id);
  });
  return all;
}

Result<Document> Store::get(std::string_view id, std::uint64_t version) const {
  const std::lock_guard lock(mutex_);
  const Kept* kept = find(id);
  if (kept == nullptr) return not_found(id);
  const auto at = version == 0 ? std::prev(kept->documents.end()) : kept->documents.find(version);
  if (at == kept->documents.end() || at->second.empty()) {
    return Error(ErrorCode::kNotFound, fmt::format("dashboard {} has no version {}", id, version));
  }
  return Document{at->second, at->first};
}

Result<std::vector<std::uint64_t>> Store::versions(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const Kept* kept = find(id);
  if (kept == nullptr) return not_found(id);
  std::vector<std::uint64_t> all;
  for (const auto& [version, document] : kept->documents) {
    if (!document.empty()) all.push_back(version);
  }
  return all;
}

// The title's letters, and where others have them already, the time.
std::string Store::fresh_id(std::string_view title) const {
  std::string id;
  for (const char c : title) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (upper || plain) {
      id += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
    if (id.size() >= 48) break;
  }
  while (!id.empty() && id.back() == '-') id.pop_back();
  if (id.empty()) id = "dashboard";
  std::string candidate = id;
  for (Timestamp t = clock_.now_ms(); kept_.contains(candidate) || provisioned_.contains(candidate);
       ++t) {
    candidate = fmt::format("{}-{:x}", id, t);
  }
  return candidate;
}

Status Store::write(const std::string& id, std::uint64_t version, std::string_view document) {
  const std::string folder = fs::join(directory_, id);
  VARVE_TRY(files_.create_directories(folder));
  return files_.write_file_atomically(
      fs::join(folder, fmt::format("{:08}.json", version)),
      fmt::format("{}{}\n{}", kMagic, checksum(document), document));
}

Result<Document> Store::create(std::string_view text) {
  VARVE_TRY_ASSIGN(Parsed parsed, parse(text));
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kDashboardsMax) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("there are {} dashboards already", kDashboardsMax));
  }
  const std::string id = fresh_id(parsed.title);
  Document document{with_identity(std::move(parsed.document), id, 1), 1};
  VARVE_TRY(write(id, document.version, document.json));
  Kept kept;
  kept.title = std::move(parsed.title);
  kept.tags = std::move(parsed.tags);
  kept.documents[document.version] = document.json;
  kept_[id] = std::move(kept);
  return document;
}

Result<Document> Store::update(std::string_view id, std::string_view text) {
  VARVE_TRY_ASSIGN(Parsed parsed, parse(text));
  const std::lock_guard lock(mutex_);
  const auto at = kept_.find(id);
  if (at == kept_.end() || at->second.deleted) {
    if (provisioned_.contains(id)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("dashboard {} comes from a file: change that, or save a copy", id));
    }
    return not_found(id);
  }
  Kept& kept = at->second;
  const std::uint64_t newest = kept.documents.rbegin()->first;
  if (parsed.version != newest) {
    return Error(ErrorCode::kAlreadyExists,
                 fmt::format("dashboard {} is at version {}, this change was made to version {}",
                             id, newest, parsed.version));
  }
  Document document{with_identity(std::move(parsed.document), id, newest + 1), newest + 1};
  VARVE_TRY(write(at->first, document.version, document.json));
  kept.title = std::move(parsed.title);
  kept.tags = std::move(parsed.tags);
  kept.documents[document.version] = document.json;
  return document;
}

Status Store::remove(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto at = kept_.find(id);
  if (at == kept_.end() || at->second.deleted) {
    if (provisioned_.contains(id)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("dashboard {} comes from a file: remove that", id));
    }
    return not_found(id);
  }
  Kept& kept = at->second;
  const std::uint64_t version = kept.documents.rbegin()->first + 1;
  VARVE_TRY(write(at->first, version, ""));
  kept.documents[version].clear();
  kept.deleted = true;
  return {};
}

}  // namespace varve::dashboards
