// SPDX-License-Identifier: Apache-2.0
#include "scrape/options.h"

#include <algorithm>

namespace varve::scrape {
namespace {

constexpr std::array<std::string_view, 5> kProtocolNames{
    "PrometheusProto", "OpenMetricsText0.0.1", "OpenMetricsText1.0.0", "PrometheusText0.0.4",
    "PrometheusText1.0.0"};
constexpr std::array<std::string_view, 4> kEscapingNames{"allow-utf-8", "underscores", "dots",
                                                         "values"};

template <typename Enum, std::size_t N>
std::optional<Enum> find(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_string(Protocol protocol) {
  return kProtocolNames[static_cast<std::size_t>(protocol)];
}
std::optional<Protocol> parse_protocol(std::string_view name) {
  return find<Protocol>(kProtocolNames, name);
}
std::string_view to_string(NameEscaping escaping) {
  return kEscapingNames[static_cast<std::size_t>(escaping)];
}
std::optional<NameEscaping> parse_name_escaping(std::string_view name) {
  return find<NameEscaping>(kEscapingNames, name);
}

}  // namespace varve::scrape
