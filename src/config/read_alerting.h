// SPDX-License-Identifier: Apache-2.0
// `alerting`: who is told of alerts, and how.
#pragma once

#include "config/yaml_reader.h"
#include "discovery/options.h"
#include "model/relabel.h"
#include "rules/options.h"

namespace varve::config {

// `scheme` is what label names of relabel rules must follow.
Status read_alerting(const Source& source, const Node& node, model::NameScheme scheme,
                     rules::AlertingOptions& out,
                     std::vector<std::vector<discovery::SourceOptions>>& discovery);

}  // namespace varve::config
