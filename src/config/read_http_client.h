// SPDX-License-Identifier: Apache-2.0
// The file of --http.config.file: how a command authenticates and connects. The keys are those of a
// scrape config's client.
#pragma once

#include <string>
#include <string_view>

#include "http/client_options.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::config {

// Relative paths are joined with `directory`. Errors as the other configuration's.
Result<http::ClientOptions> parse_http_client(std::string_view text, const std::string& name,
                                              const std::string& directory);
Result<http::ClientOptions> read_http_client(fs::FileSystem& files, const std::string& path);

}  // namespace varve::config
