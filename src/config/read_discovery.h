// SPDX-License-Identifier: Apache-2.0
// The *_sd_configs of jobs and of alertmanagers.
#pragma once

#include <vector>

#include "config/yaml_reader.h"
#include "discovery/options.h"

namespace varve::config {

// The keys that Varve acts on; what they hold is appended to `out`.
std::vector<Field> discovery_fields(std::vector<discovery::SourceOptions>& out);

// For read_map: refuses Prometheus's other `*_sd_configs` and says which are supported.
ReadUnknown refuse_discovery(const Source& source);

}  // namespace varve::config
