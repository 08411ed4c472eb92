// SPDX-License-Identifier: Apache-2.0
// The file of --web.config.file: how clients of the HTTP server are let in.
#pragma once

#include <string>
#include <string_view>

#include "http/web_options.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::config {

// Relative paths are joined with `directory`. Whether certificates and hashes are good is
// http::check()'s to say. Errors as the other configuration's.
Result<http::WebOptions> parse_web_config(std::string_view text, const std::string& name,
                                          const std::string& directory);
Result<http::WebOptions> read_web_config(fs::FileSystem& files, const std::string& path);

}  // namespace varve::config
