// SPDX-License-Identifier: Apache-2.0
// Which message of the remote write protocols a request says it has.
#pragma once

#include <cstdint>
#include <string_view>

#include "varve/result.h"

namespace varve::wire {

enum class RemoteWriteVersion : std::uint8_t {
  k1,  // prometheus.WriteRequest
  k2,  // io.prometheus.write.v2.Request
};

// From the request's Content-Type: "application/x-protobuf" with an optional proto parameter; an
// absent header or parameter means version 1. kInvalidArgument, in Prometheus's words, for anything
// else: answer 415.
Result<RemoteWriteVersion> remote_write_version(std::string_view content_type);

}  // namespace varve::wire
