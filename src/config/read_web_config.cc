// SPDX-License-Identifier: Apache-2.0
#include "config/read_web_config.h"

#include <fmt/format.h>

#include "base/try.h"
#include "config/config.h"
#include "config/yaml_reader.h"
#include "config/yaml_tree.h"
#include "fs/file_system.h"

namespace varve::config {
namespace {

Status read_tls(const Source& source, const Node& node, http::TlsServerOptions& out) {
  bool prefer_server_cipher_suites = true;  // always so
  return read_map(source, node, "tls_server_config",
                  {{"cert", text(out.cert)},
                   {"cert_file", path(out.cert_file)},
                   {"key", text(out.key)},
                   {"key_file", path(out.key_file)},
                   {"client_ca", text(out.client_ca)},
                   {"client_ca_file", path(out.client_ca_file)},
                   {"client_auth_type", text(out.client_auth_type)},
                   {"client_allowed_sans", texts(out.client_allowed_sans)},
                   {"min_version", text(out.min_version)},
                   {"max_version", text(out.max_version)},
                   {"cipher_suites", texts(out.cipher_suites)},
                   {"curve_preferences", texts(out.curve_preferences)},
                   {"prefer_server_cipher_suites", boolean(prefer_server_cipher_suites)}});
}

Status read_http(const Source& source, const Node& node, http::WebOptions& out) {
  bool http2 = true;  // HTTP/1.1 is what there is
  return read_map(source, node, "http_server_config",
                  {{"http2", boolean(http2)}, {"headers", text_map(out.headers)}});
}

Status read_rate_limit(const Source& source, const Node& node, http::WebOptions& out) {
  std::uint64_t burst = 0;
  VARVE_TRY(read_map(source, node, "rate_limit",
                     {{"burst", count(burst)}, {"interval", duration(out.rate_interval)}}));
  out.rate_burst = burst;
  return {};
}

}  // namespace

Result<http::WebOptions> parse_web_config(std::string_view content, const std::string& name,
                                          const std::string& directory) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(content, name));
  http::WebOptions out;
  const auto section = [&](auto read, auto& target) -> ReadValue {
    return [read, &target](const Source& source, const Node& node) {
      return read(source, node, target);
    };
  };
  VARVE_TRY(read_map(Source{name, directory}, tree.root(), "web config",
                     {{"tls_server_config", section(read_tls, out.tls)},
                      {"http_server_config", section(read_http, out)},
                      {"rate_limit", section(read_rate_limit, out)},
                      {"basic_auth_users", text_map(out.users)}}));
  return out;
}

Result<http::WebOptions> read_web_config(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::string content, files.read_file(path, kFileMaxBytes));
  return parse_web_config(content, path, fs::parent_of(path));
}

}  // namespace varve::config
