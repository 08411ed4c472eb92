// SPDX-License-Identifier: Apache-2.0
// file_sd_configs. Files are read every few seconds and compared with what they said before: no
// notice of the system's can be missed (renames, symbolic links of mounted volumes), and what
// people write here is small. A file that is broken keeps its last good groups.
#include <fmt/format.h>

#include <map>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/try.h"
#include "discovery/read_groups.h"
#include "discovery/source.h"
#include "fs/file_system.h"
#include "fs/matching_files.h"

namespace varve::discovery {
namespace {

using model::TargetGroup;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery = std::chrono::seconds(3);
constexpr std::uint64_t kFileMaxBytes = std::uint64_t{64} << 20;

// What is known of the files, handed from look to look.
struct FileState {
  std::string content;     // as it was read last, good or bad
  std::size_t groups = 0;  // published
  bool failed = false;
};
using States = std::map<std::string, FileState>;

// What one look has found.
struct Look {
  States states;
  std::vector<TargetGroup> groups;
  std::vector<std::pair<std::string, Error>> errors;  // new ones only
};

Result<std::vector<TargetGroup>> read_groups(const std::string& path, const std::string& content,
                                             const ParseYaml& parse_yaml) {
  const std::string_view name(path);
  if (name.ends_with(".json") || name.ends_with(".JSON")) return read_json_groups(content);
  return parse_yaml(content, path);
}

// `path` is there.
void look_at(const std::string& path, const States& before, fs::FileSystem& files,
             const ParseYaml& parse_yaml, Look& look) {
  const auto known = before.find(path);
  FileState state = known == before.end() ? FileState{} : known->second;
  const bool is_new = known == before.end();
  const auto fail = [&](Error error) {
    if (!state.failed) look.errors.emplace_back(path, std::move(error));
    state.failed = true;
  };
  auto content = files.read_file(path, kFileMaxBytes);
  if (!content.ok()) {
    state.content.clear();
    fail(std::move(content).error());
  } else if (is_new || state.failed || *content != state.content) {
    if (*content != state.content) state.failed = false;  // another fault is worth saying
    state.content = *std::move(content);
    auto groups = read_groups(path, state.content, parse_yaml);
    if (groups.ok()) {
      state.failed = false;
      const std::size_t count = groups->size();
      mark_groups(*groups, path, "__meta_filepath");
      add_ended(*groups, path, count, state.groups);
      state.groups = count;
      for (TargetGroup& group : *groups) look.groups.push_back(std::move(group));
    } else {
      fail(std::move(groups).error());
    }
  }
  look.states[path] = std::move(state);
}

Look look_around(const std::vector<std::string>& patterns, const States& before,
                 fs::FileSystem& files, const ParseYaml& parse_yaml) {
  Look look;
  bool all_listed = true;
  for (const std::string& pattern : patterns) {
    const auto found = fs::matching_files(files, pattern);
    if (!found.ok()) {
      look.errors.emplace_back(pattern, found.error());
      all_listed = false;
      continue;
    }
    for (const std::string& path : *found) {
      if (!look.states.contains(path)) look_at(path, before, files, parse_yaml, look);
    }
  }
  for (const auto& [path, state] : before) {
    if (look.states.contains(path)) continue;
    if (all_listed) {
      add_ended(look.groups, path, 0, state.groups);
    } else {
      look.states[path] = state;  // nobody knows whether it has gone
    }
  }
  return look;
}

class FileSource final : public Source {
 public:
  FileSource(const FileOptions& options, Context& context)
      : options_(options),
        context_(context),
        read_errors_(context.metrics().counter("prometheus_sd_file_read_errors_total",
                                               "The number of File-SD read errors.")),
        states_(std::make_shared<const States>()) {
    context.metrics().counter("prometheus_sd_file_watcher_errors_total",
                              "The number of File-SD errors caused by filesystem watch failures.");
  }

  void start() override {
    const auto began = context_.clock().monotonic();
    context_.run_blocking([this, patterns = options_.files, before = states_,
                           files = &context_.files(), parse_yaml = context_.parse_yaml(), began] {
      auto look = std::make_shared<Look>(look_around(patterns, *before, *files, parse_yaml));
      return [this, look, began] { looked(std::move(*look), began); };
    });
  }

 private:
  void looked(Look look, std::chrono::nanoseconds began) {
    for (const auto& [path, error] : look.errors) {
      read_errors_.add();
      context_.log().error("Error reading file", {{"discovery", "file"},
                                                  {"path", path},
                                                  {"err", error.message()}});
    }
    states_ = std::make_shared<const States>(std::move(look.states));
    context_.refreshed(began, {});
    if (!look.groups.empty()) context_.publish(std::move(look.groups));
    context_.after(std::min(kLookEvery, options_.refresh_interval), [this] { start(); });
  }

  const FileOptions& options_;
  Context& context_;
  base::Counter& read_errors_;
  std::shared_ptr<const States> states_;
};

}  // namespace

std::unique_ptr<Source> create_file_source(const FileOptions& options, Context& context) {
  return std::make_unique<FileSource>(options, context);
}

}  // namespace varve::discovery
