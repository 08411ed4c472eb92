// SPDX-License-Identifier: Apache-2.0
// The request that a scrape sends: what it accepts, how it authenticates.
#pragma once

#include <string>

#include "http/client.h"
#include "scrape/options.h"
#include "scrape/target.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::scrape {

// The Accept header for a pool: its protocols in their order with falling weights, then anything.
// Protobuf is not asked for, since Varve does not read it yet.
std::string accept_header(const PoolOptions& pool);

// Reads secrets kept in files, so it may fail (kNotFound, kIo), and anew for each scrape.
// kUnimplemented for settings that Varve does not act on yet and that a target could not do without.
Result<http::ClientRequest> scrape_request(const Target& target, const PoolOptions& pool,
                                           std::size_t body_max_bytes, fs::FileSystem& files);

// "404 Not Found"; the number alone for a status without a name.
std::string status_text(int status);

}  // namespace varve::scrape
