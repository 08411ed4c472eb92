// SPDX-License-Identifier: Apache-2.0
// The dashboards that people keep: JSON documents with a title, every version of each. What a
// document means is the page's business. Files of a folder can be shown beside them (provisioned):
// these are read-only.
//
// On disk a dashboard is a folder <id> with a file for each version, <version>.json: a line with
// the checksum of the rest, then the document. A file is written whole, synced and renamed, so that
// a version is there or not; deleting adds a version without a document. See FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Logger;
}  // namespace varve::base

namespace varve::dashboards {

inline constexpr std::size_t kDocumentBytesMax = std::size_t{4} << 20;
inline constexpr std::size_t kDashboardsMax = 10'000;
inline constexpr unsigned kDepthMax = 64;  // of nested values in a document

struct Listed {
  std::string id;
  std::string title;
  std::vector<std::string> tags;
  std::uint64_t version = 0;
  bool provisioned = false;
};

struct Document {
  std::string json;  // with the right "id" and "version" in it
  std::uint64_t version = 0;
};

// Thread-safe. Errors of all writers: kInvalidArgument (not JSON, no title, too deep),
// kLimitExceeded (too large, too many, no space), kIo.
class Store {
 public:
  // Reads what is kept. A damaged version is left out and reported to the log; the one before it
  // counts. `directory` is made when something is first written. The references must outlive it.
  static Result<std::unique_ptr<Store>> open(fs::FileSystem& files, std::string directory,
                                             const base::Clock& clock, base::Logger& log);

  // Shows the *.json files of these folders, in place of those shown before; a missing folder has
  // none. The id of one is its file's name. A file that is no dashboard is reported to the log.
  void provision(std::span<const std::string> folders);

  std::vector<Listed> list() const;  // by title
  // kNotFound. version 0: the newest.
  Result<Document> get(std::string_view id, std::uint64_t version = 0) const;
  Result<std::vector<std::uint64_t>> versions(std::string_view id) const;  // ascending

  // Keeps a new one under a new id, made from its title.
  Result<Document> create(std::string_view json);
  // The document's "version" must be the newest, else kAlreadyExists: someone was faster.
  // kNotFound; kInvalidArgument for a provisioned one.
  Result<Document> update(std::string_view id, std::string_view json);
  // It is listed no more; its versions stay on disk.
  Status remove(std::string_view id);

 private:
  struct Kept {
    std::string title;
    std::vector<std::string> tags;
    std::map<std::uint64_t, std::string> documents;  // in memory: they are small and few
    bool deleted = false;
  };
  using Dashboards = std::map<std::string, Kept, std::less<>>;

  Store(fs::FileSystem& files, std::string directory, const base::Clock& clock, base::Logger& log)
      : files_(files), directory_(std::move(directory)), clock_(clock), log_(log) {}
  Status load();
  Status load_one(const std::string& id);
  Status write(const std::string& id, std::uint64_t version, std::string_view document);
  const Kept* find(std::string_view id) const;
  std::string fresh_id(std::string_view title) const;

  fs::FileSystem& files_;
  const std::string directory_;
  const base::Clock& clock_;
  base::Logger& log_;
  mutable std::mutex mutex_;  // guards what follows; held over the write of a version
  Dashboards kept_;
  Dashboards provisioned_;
};

}  // namespace varve::dashboards
