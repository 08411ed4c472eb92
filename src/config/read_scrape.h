// SPDX-License-Identifier: Apache-2.0
// `global` and `scrape_configs`.
#pragma once

#include "config/config.h"
#include "config/yaml_reader.h"

namespace varve::config {

Status read_global(const Source& source, const Node& node, const Environment& environment,
                   GlobalConfig& out, std::vector<std::string>& warnings);

// Adds the jobs of a list to `out`, each with what it inherits filled in. `first_found` says in
// which file each job name of `out` stands, for the message about a second one.
Status read_scrape_configs(const Source& source, const Node& node, const GlobalConfig& global,
                           std::map<std::string, std::string>& first_found,
                           std::vector<scrape::PoolOptions>& out,
                           std::map<std::string, std::vector<discovery::SourceOptions>>& discovery);

// `$name`, `${name}` and `$$` as Go's os.Expand reads them.
std::string expand_environment(std::string_view text, const Environment& environment,
                               std::vector<std::string>& warnings);

}  // namespace varve::config
