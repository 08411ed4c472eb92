// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "config/config.h"
#include "config/read_alerting.h"
#include "config/read_scrape.h"
#include "config/read_sections.h"
#include "config/read_storage.h"
#include "config/yaml_writer.h"
#include "fs/file_system.h"
#include "fs/matching_files.h"

namespace varve::config {
namespace {

// Prometheus allows a star only in the last part of a path: ^[^*]*(\*[^/]*)?$
bool valid_glob(std::string_view pattern) {
  const std::size_t star = pattern.find('*');
  return star == std::string_view::npos || pattern.find('/', star) == std::string_view::npos;
}

ReadValue globs(std::vector<std::string>& out, std::string_view what) {
  return [&out, what = std::string(what)](const Source& source, const Node& node) -> Status {
    VARVE_TRY(texts(out)(source, node));
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (!valid_glob(out[i])) {
        return source.error(node.items[i]->place,
                            fmt::format("invalid {} file path \"{}\"", what, out[i]));
      }
      out[i] = source.joined(out[i]);
    }
    return {};
  };
}

std::string write_section(std::string_view key, const Node& node, bool mask) {
  YamlWriter writer;
  writer.tree(key, node, mask);
  return writer.take();
}

// Keeps a section after `check` has seen it.
using Check = std::function<Status(const Source&, const Node&)>;
ReadValue section(RawSection& out, std::string_view key, Check check) {
  return [&out, key = std::string(key), check = std::move(check)](const Source& source,
                                                                  const Node& node) -> Status {
    if (node.kind == Node::Kind::kNull) return {};
    VARVE_TRY(check(source, node));
    out.line = std::max(1, node.place.line);
    out.yaml = write_section(key, node, false);
    out.masked = write_section(key, node, true);
    return {};
  };
}

ReadValue keep(const Node*& out) {
  return [&out](const Source&, const Node& node) -> Status {
    out = &node;
    return {};
  };
}

Status read_runtime(const Source& source, const Node& node, Config& out) {
  return read_map(source, node, "runtime config", {{"gogc", integer(out.runtime_gogc)}});
}

struct Loaded {
  Config config;
  std::map<std::string, std::string> first_found;  // job name to file
};

Result<Loaded> read_main(const Source& source, const Node& root, const Environment& environment,
                         const Defaults& defaults) {
  Loaded loaded;
  Config& config = loaded.config;
  config.name = source.name;
  config.storage.raw_retention = defaults.raw.value;
  // What others inherit from is read first, wherever it stands.
  const Node* global = nullptr;
  const Node* jobs = nullptr;
  const Node* alerting = nullptr;
  const Node* remote_write = nullptr;
  VARVE_TRY(
      read_map(source, root, "config",
               {{"global", keep(global)},
                {"runtime",
                 [&](const Source& s, const Node& node) { return read_runtime(s, node, config); }},
                {"rule_files", globs(config.rule_files, "rule")},
                {"scrape_config_files", globs(config.scrape_config_files, "scrape config")},
                {"scrape_configs", keep(jobs)},
                {"alerting", keep(alerting)},
                {"remote_write", keep(remote_write)},
                {"remote_read", section(config.remote_read, "remote_read", check_remote_read)},
                {"otlp", section(config.otlp, "otlp", check_otlp)},
                {"tracing", section(config.tracing, "tracing", check_tracing)},
                {"storage", [&](const Source& s, const Node& node) {
                   return read_storage(s, node, defaults.raw, config.storage);
                 }}}));
  if (global != nullptr) {
    VARVE_TRY(read_global(source, *global, environment, config.global, config.warnings));
  }
  if (defaults.protobuf_first && config.global.scrape_protocols.empty()) {
    config.global.scrape_protocols.assign(scrape::kProtoFirstProtocols.begin(),
                                          scrape::kProtoFirstProtocols.end());
  }
  const auto scheme = config.global.name_scheme.value_or(model::NameScheme::kUtf8);
  if (jobs != nullptr) {
    VARVE_TRY(read_scrape_configs(source, *jobs, config.global, loaded.first_found,
                                  config.scrape_configs, config.scrape_discovery));
  }
  config.main_scrape_configs = config.scrape_configs.size();
  if (alerting != nullptr) {
    VARVE_TRY(section(config.alerting, "alerting", [&](const Source& s, const Node& node) {
      return read_alerting(s, node, scheme, config.alerting_options,
                           config.alertmanager_discovery);
    })(source, *alerting));
  }
  if (remote_write != nullptr) {
    VARVE_TRY(section(config.remote_write, "remote_write", [&](const Source& s, const Node& node) {
      return check_remote_write(s, node, scheme);
    })(source, *remote_write));
  }
  return loaded;
}

// Adds the jobs of one file of scrape_config_files.
Status read_jobs_file(const Source& source, std::string_view content, const GlobalConfig& global,
                      std::map<std::string, std::string>& first_found,
                      std::vector<scrape::PoolOptions>& out,
                      std::map<std::string, std::vector<discovery::SourceOptions>>& discovery) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(content, source.name));
  const ReadValue jobs = [&](const Source& s, const Node& node) {
    return read_scrape_configs(s, node, global, first_found, out, discovery);
  };
  return read_map(source, tree.root(), "scrape config file", {{"scrape_configs", jobs}});
}

}  // namespace

Result<Config> parse(std::string_view text, std::string name, const Environment& environment,
                     const Defaults& defaults) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(text, name));
  const Source source{std::move(name), {}};
  VARVE_TRY_ASSIGN(Loaded loaded, read_main(source, tree.root(), environment, defaults));
  return std::move(loaded.config);
}

Result<std::vector<scrape::PoolOptions>> parse_scrape_configs(std::string_view text,
                                                              std::string name,
                                                              const GlobalConfig& global) {
  std::map<std::string, std::string> first_found;
  std::vector<scrape::PoolOptions> out;
  std::map<std::string, std::vector<discovery::SourceOptions>> discovery;
  VARVE_TRY(read_jobs_file(Source{std::move(name), {}}, text, global, first_found, out, discovery));
  return out;
}

Result<Config> load_file(fs::FileSystem& files, const std::string& path,
                         const Environment& environment, const Defaults& defaults) {
  VARVE_TRY_ASSIGN(const std::string content, files.read_file(path, kFileMaxBytes));
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(content, path));
  const Source source{path, fs::parent_of(path)};
  VARVE_TRY_ASSIGN(Loaded loaded, read_main(source, tree.root(), environment, defaults));
  for (const std::string& pattern : loaded.config.scrape_config_files) {
    VARVE_TRY_ASSIGN(const std::vector<std::string> found, fs::matching_files(files, pattern));
    for (const std::string& file : found) {
      VARVE_TRY_ASSIGN(const std::string jobs, files.read_file(file, kFileMaxBytes));
      VARVE_TRY(read_jobs_file(Source{file, fs::parent_of(file)}, jobs, loaded.config.global,
                               loaded.first_found, loaded.config.scrape_configs,
                               loaded.config.scrape_discovery));
    }
  }
  return std::move(loaded.config);
}

Status check_files(fs::FileSystem& files, const Config& config) {
  for (const scrape::PoolOptions& job : config.scrape_configs) {
    const http::ClientOptions& client = job.client;
    const auto need = [&](std::string_view what, const std::string& path) -> Status {
      if (path.empty()) return {};
      VARVE_TRY_ASSIGN(const bool there, files.exists(path));
      if (there) return {};
      return Error(ErrorCode::kNotFound,
                   fmt::format("scrape config \"{}\": error checking {} file \"{}\": no such file "
                               "or directory",
                               job.job_name, what, path));
    };
    if (client.authorization) {
      VARVE_TRY(need("authorization credentials or bearer token",
                     client.authorization->credentials.file));
    }
    if (client.basic_auth) {
      VARVE_TRY(need("basic auth username", client.basic_auth->username_file));
      VARVE_TRY(need("basic auth password", client.basic_auth->password.file));
    }
    VARVE_TRY(need("CA", client.tls.ca_file));
    VARVE_TRY(need("client cert", client.tls.cert_file));
    VARVE_TRY(need("client key", client.tls.key_file));
  }
  return {};
}

}  // namespace varve::config
