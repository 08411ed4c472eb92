// SPDX-License-Identifier: Apache-2.0
// Sections that are checked and kept: remote_write, remote_read, otlp, tracing.
#pragma once

#include "config/config.h"
#include "config/yaml_reader.h"

namespace varve::config {

// Each checks the section's keys and the types of their values. `scheme` is what label names of
// relabel rules must follow.
Status check_remote_write(const Source& source, const Node& node, model::NameScheme scheme);
Status check_remote_read(const Source& source, const Node& node);
Status check_otlp(const Source& source, const Node& node);
Status check_tracing(const Source& source, const Node& node);

}  // namespace varve::config
