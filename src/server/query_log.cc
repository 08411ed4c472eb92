// SPDX-License-Identifier: Apache-2.0
#include "server/query_log.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/json.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/try.h"
#include "fs/file_system.h"

namespace varve::server {
namespace {

using nlohmann::ordered_json;

std::string time_text(Timestamp time_ms) {
  std::string quoted;
  api::append_json_rfc3339(quoted, time_ms);
  return quoted.substr(1, quoted.size() - 2);
}

ordered_json stats_of(const promql::FinishedQuery& query) {
  const QueryStats none;
  const QueryStats& stats = query.stats == nullptr ? none : *query.stats;
  return {{"timings",
           {{"evalTotalTime", stats.parse_s + stats.eval_s},
            {"resultSortTime", 0},
            {"queryPreparationTime", stats.parse_s},
            {"innerEvalTime", stats.eval_s},
            {"execQueueTime", stats.queue_s},
            {"execTotalTime", query.total_s}}},
          {"samples",
           {{"totalQueryableSamples", stats.samples_total}, {"peakSamples", stats.samples_peak}}}};
}

// Thread-safe.
class LogFile {
 public:
  explicit LogFile(std::unique_ptr<fs::File> file) : file_(std::move(file)) {}
  Status append(std::string_view line) {
    const std::lock_guard lock(mutex_);
    return file_->append(line);
  }

 private:
  std::mutex mutex_;  // guards file_
  const std::unique_ptr<fs::File> file_;
};

}  // namespace

std::string query_log_line(const promql::FinishedQuery& query, Timestamp now_ms) {
  ordered_json line{{"time", time_text(now_ms)}, {"level", "INFO"}, {"msg", "promql query logged"}};
  line["params"] = {{"end", time_text(query.end_ms)},
                    {"query", query.expression},
                    {"start", time_text(query.start_ms)},
                    {"step", query.step_ms / 1000}};
  if (query.error != nullptr) line["error"] = query.error->message();
  line["stats"] = stats_of(query);
  if (const promql::QueryOrigin* const origin = query.origin; origin != nullptr) {
    if (!origin->rule_file.empty()) {
      line["ruleGroup"] = {{"file", origin->rule_file}, {"name", origin->rule_group}};
    } else {
      line["httpRequest"] = {
          {"clientIP", origin->client_ip}, {"method", origin->method}, {"path", origin->path}};
    }
  }
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

Result<std::shared_ptr<const promql::QueryLog>> open_query_log(fs::FileSystem& files,
                                                               const std::string& path,
                                                               const base::Clock& clock,
                                                               base::Counter& failures) {
  VARVE_TRY_ASSIGN(const bool there, files.exists(path));
  VARVE_TRY_ASSIGN(std::unique_ptr<fs::File> file,
                   files.open(path, there ? fs::OpenMode::kExisting : fs::OpenMode::kCreate));
  auto log = std::make_shared<LogFile>(std::move(file));
  return std::make_shared<const promql::QueryLog>(
      [log, &clock, &failures](const promql::FinishedQuery& query) {
        if (!log->append(query_log_line(query, clock.now_ms())).ok()) failures.add();
      });
}

}  // namespace varve::server
