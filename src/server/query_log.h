// SPDX-License-Identifier: Apache-2.0
// query_log_file: every query that was evaluated, a JSON object a line, as Prometheus writes them.
#pragma once

#include <memory>
#include <string>

#include "promql/engine.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Counter;
}  // namespace varve::base
namespace varve::fs {
class FileSystem;
}

namespace varve::server {

// Appends to what is there. A line that cannot be written is lost and counted in `failures`: the
// query goes on. The clock and the counter must outlive the log. kIo.
Result<std::shared_ptr<const promql::QueryLog>> open_query_log(fs::FileSystem& files,
                                                               const std::string& path,
                                                               const base::Clock& clock,
                                                               base::Counter& failures);

// The line of a query that ended at `now_ms`, with its newline.
std::string query_log_line(const promql::FinishedQuery& query, Timestamp now_ms);

}  // namespace varve::server
