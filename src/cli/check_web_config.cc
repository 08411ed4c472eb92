// SPDX-License-Identifier: Apache-2.0
#include "cli/check_web_config.h"

#include <ostream>

#include "base/try.h"
#include "cli/arguments.h"
#include "config/read_web_config.h"
#include "fs/real_fs.h"
#include "http/web_access.h"

namespace varve::cli {
namespace {

Status check_file(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const http::WebOptions options, config::read_web_config(files, path));
  return http::check(options, files);
}

}  // namespace

int check_web_config(const std::vector<std::string>& words, const Console& console) {
  const auto arguments = Arguments::parse(words, {});
  if (!arguments.ok() || arguments->positional().empty()) {
    console.err << "varve: error: "
                << (arguments.ok() ? "required argument 'web-config-files' not provided"
                                   : arguments.error().message())
                << "\n";
    return kExitFailure;
  }
  fs::RealFs files;
  bool good = true;
  for (const std::string& path : arguments->positional()) {
    const Status checked = check_file(files, path);
    console.err << path << (checked.ok() ? " SUCCESS" : " FAILED: " + checked.error().message())
                << "\n";
    good = good && checked.ok();
  }
  return good ? kExitOk : kExitFailure;
}

}  // namespace varve::cli
