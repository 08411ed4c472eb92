// SPDX-License-Identifier: Apache-2.0
#include "discovery/options.h"

#include <array>

namespace varve::discovery {

std::string_view to_string(DnsType type) {
  static constexpr std::array<std::string_view, 5> kNames{"SRV", "A", "AAAA", "MX", "NS"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string_view to_string(KubernetesRole role) {
  static constexpr std::array<std::string_view, 6> kNames{"node",      "pod",           "service",
                                                          "endpoints", "endpointslice", "ingress"};
  return kNames[static_cast<std::size_t>(role)];
}

std::string_view kind_of(const SourceOptions& options) {
  static constexpr std::array<std::string_view, 5> kKinds{"file", "http", "dns", "consul",
                                                          "kubernetes"};
  return kKinds[options.index()];
}

}  // namespace varve::discovery
