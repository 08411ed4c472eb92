// SPDX-License-Identifier: Apache-2.0
// The request that a scrape sends: what it accepts, how it authenticates.
#pragma once

#include <memory>
#include <string>

#include "http/client.h"
#include "scrape/options.h"
#include "scrape/target.h"

namespace varve::scrape {

// The Accept header for a pool: its protocols in their order with falling weights, then anything.
std::string accept_header(const PoolOptions& pool);

// The request of one scrape. The client reads secrets that are kept in files.
http::ClientRequest scrape_request(const Target& target,
                                   const std::shared_ptr<const PoolOptions>& pool,
                                   std::size_t body_max_bytes);

// "404 Not Found"; the number alone for a status without a name.
std::string status_text(int status);

}  // namespace varve::scrape
