// SPDX-License-Identifier: Apache-2.0
// Consul's answers as targets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "discovery/options.h"
#include "model/target_group.h"
#include "varve/result.h"

namespace varve::discovery {

struct ConsulService {
  std::string name;
  std::vector<std::string> tags;
};
// /v1/catalog/services. kInvalidArgument.
Result<std::vector<ConsulService>> read_consul_catalog(std::string_view text);

// Whether the options ask for a service.
bool wants(const ConsulOptions& options, const ConsulService& service);

// /v1/health/service/<name>: the group of a service. kInvalidArgument.
Result<model::TargetGroup> read_consul_health(std::string_view text, const std::string& service,
                                              const std::string& datacenter,
                                              const std::string& tag_separator);

}  // namespace varve::discovery
