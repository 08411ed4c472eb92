// SPDX-License-Identifier: Apache-2.0
#include "config/read_http_client.h"

#include <vector>

#include "base/try.h"
#include "config/config.h"
#include "config/read_client.h"
#include "config/yaml_reader.h"
#include "fs/file_system.h"

namespace varve::config {

Result<http::ClientOptions> parse_http_client(std::string_view text, const std::string& name,
                                              const std::string& directory) {
  VARVE_TRY_ASSIGN(const Tree tree, Tree::parse(text, name));
  const Source source{name, directory};
  http::ClientOptions out;
  ClientReader client(out);
  const std::vector<Field> fields = client.fields();
  VARVE_TRY(read_map(source, tree.root(), "HTTP client config", fields));
  VARVE_TRY(client.finish(source, tree.root().place));
  return out;
}

Result<http::ClientOptions> read_http_client(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, kFileMaxBytes));
  return parse_http_client(text, path, fs::parent_of(path));
}

}  // namespace varve::config
