// SPDX-License-Identifier: Apache-2.0
// What flags and configuration together say to the rooms that are told by both.
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"
#include "promql/engine.h"
#include "server/flags.h"
#include "storage/db.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::server {

std::string host_name();
// Where people reach this server: what they said, or else this machine and the port. No slash
// at its end.
std::string external_url(const Flags& flags, std::uint16_t port);

storage::Options storage_options(const Flags& flags, const config::StorageConfig& config);
promql::EngineOptions engine_options(const Flags& flags, const config::Config& config,
                                     fs::FileSystem& files);

}  // namespace varve::server
