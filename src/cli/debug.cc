// SPDX-License-Identifier: Apache-2.0
#include "cli/debug.h"

#include <fmt/format.h>

#include <ostream>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/try.h"
#include "cli/arguments.h"
#include "cli/http_call.h"
#include "cli/tar.h"
#include "fs/real_fs.h"

namespace varve::cli {
namespace {

constexpr std::string_view kArchive = "debug.tar.gz";

struct Page {
  std::string_view path;
  std::string_view file;
};

constexpr Page kMetrics[] = {{"/metrics", "metrics.txt"}};
constexpr Page kAll[] = {{"/metrics", "metrics.txt"},
                         {"/api/v1/status/config", "config.json"},
                         {"/api/v1/status/flags", "flags.json"},
                         {"/api/v1/status/buildinfo", "buildinfo.json"},
                         {"/api/v1/status/runtimeinfo", "runtimeinfo.json"},
                         {"/api/v1/status/tsdb", "tsdb.json"},
                         {"/api/v1/status/walreplay", "walreplay.json"},
                         {"/api/v1/targets", "targets.json"},
                         {"/api/v1/rules", "rules.json"},
                         {"/api/v1/alerts", "alerts.json"},
                         {"/api/v1/alertmanagers", "alertmanagers.json"}};

Status collect(const Arguments& arguments, std::span<const Page> pages, const Console& console) {
  fs::RealFs files;
  const std::string server = server_url(arguments.positional()[0]);
  VARVE_TRY_ASSIGN(auto options, client_options(files, arguments));
  VARVE_TRY_ASSIGN(Caller caller, Caller::create(files, std::move(options), {}));
  std::vector<std::pair<std::string, std::string>> contents;
  for (const Page& page : pages) {
    const std::string url = server + std::string(page.path);
    console.out << "collecting: " << url << "\n" << std::flush;
    auto response = caller.get(url);
    if (!response.ok()) {
      return std::move(response).error().with("error executing HTTP request");
    }
    if (response->status != 200) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{}: unexpected status code {}", url, response->status));
    }
    contents.emplace_back(page.file, std::move(response->body));
  }
  VARVE_TRY_ASSIGN(const std::string archive,
                   gzip(tar_archive(contents, base::SystemClock().now_ms())));
  return files.write_file_atomically(std::string(kArchive), archive);
}

int debug(const std::vector<std::string>& words, std::span<const Page> pages,
          const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"http.config.file"}};
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok() || arguments->positional().size() != 1) {
    console.err << "varve: error: "
                << (arguments.ok() ? "required argument 'server' not provided"
                                   : arguments.error().message())
                << "\n";
    return kExitFailure;
  }
  const Status collected = collect(*arguments, pages, console);
  if (!collected.ok()) {
    console.err << "error completing debug command: " << collected.error().message() << "\n";
    return kExitFailure;
  }
  console.out << "Compiling debug information complete, all files written in \"" << kArchive
              << "\".\n";
  return kExitOk;
}

}  // namespace

int debug_metrics(const std::vector<std::string>& words, const Console& console) {
  return debug(words, kMetrics, console);
}

int debug_all(const std::vector<std::string>& words, const Console& console) {
  return debug(words, kAll, console);
}

}  // namespace varve::cli
