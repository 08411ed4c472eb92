// SPDX-License-Identifier: Apache-2.0
#include "wire/remote_write_content.h"

#include <fmt/format.h>

namespace varve::wire {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Result<RemoteWriteVersion> remote_write_version(std::string_view content_type) {
  const std::string_view whole = trim(content_type);
  if (whole.empty()) return RemoteWriteVersion::k1;
  auto semicolon = whole.find(';');
  if (trim(whole.substr(0, semicolon)) != "application/x-protobuf") {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("expected application/x-protobuf as the first (media) part, got {} "
                             "content-type",
                             whole));
  }
  for (std::string_view rest = whole; semicolon != std::string_view::npos;) {
    rest.remove_prefix(semicolon + 1);
    semicolon = rest.find(';');
    const std::string_view parameter = rest.substr(0, semicolon);
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        parameter.find('=', equals + 1) != std::string_view::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected "
                               "parameters to be key-values, got {} in {} content-type",
                               parameter, whole));
    }
    if (trim(parameter.substr(0, equals)) != "proto") continue;
    const std::string_view message = trim(parameter.substr(equals + 1));
    if (message == "prometheus.WriteRequest") return RemoteWriteVersion::k1;
    if (message == "io.prometheus.write.v2.Request") return RemoteWriteVersion::k2;
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("got {} content type; unknown type for remote write protobuf message "
                             "{}, supported: prometheus.WriteRequest, "
                             "io.prometheus.write.v2.Request",
                             whole, message));
  }
  return RemoteWriteVersion::k1;
}

}  // namespace varve::wire
