// SPDX-License-Identifier: Apache-2.0
// The PromQL engine: expression text, a storage to read from, and a time or a range of steps in; a
// result out. Semantics: Prometheus 3.14.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "promql/features.h"
#include "varve/query.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class ThreadPool;
class MemoryAccount;
}  // namespace varve::base
namespace varve::storage {
class Queryable;
}

namespace varve::promql {

struct EngineOptions {
  std::chrono::milliseconds lookback_delta = std::chrono::minutes(5);
  std::chrono::milliseconds timeout = std::chrono::minutes(2);
  std::uint64_t samples_max = 50'000'000;
  // Most bytes that all queries together may hold in the engine's account; 0: no bound.
  std::int64_t memory_max_bytes = 0;
  // The step of subqueries that name none, and the interval rules are evaluated at.
  std::chrono::milliseconds default_subquery_step = std::chrono::minutes(1);
  Features features;
};

class RangeCache;

// Who asked: a request, or a group of rules.
struct QueryOrigin {
  std::string client_ip, method, path;
  std::string rule_file, rule_group;
};

// A query that has been evaluated, or failed to be, as a log of queries is told of it.
struct FinishedQuery {
  std::string_view expression;
  Timestamp start_ms = 0, end_ms = 0;
  std::int64_t step_ms = 0;           // 0: an instant query
  const QueryOrigin* origin;          // null: nobody knows
  const Error* error = nullptr;       // null: it succeeded
  const QueryStats* stats = nullptr;  // null with an error
  double total_s = 0;                 // with the time it has waited
};
// Called on the query's thread.
using QueryLog = std::function<void(const FinishedQuery&)>;

// What the steps of a query looked at (Prometheus's totalQueryableSamplesPerStep).
struct StepSamples {
  Timestamp start_ms = 0;
  std::int64_t step_ms = 0;
  std::vector<std::uint64_t> counts;
};

struct QueryParams {
  std::chrono::milliseconds lookback_delta{0};  // 0: the engine's
  // 0: the engine's; a longer one is cut to it. Below 0 it is over before anything is evaluated.
  std::chrono::milliseconds timeout{0};
  // What may answer where samples are gone: storage::kSourceRaw, kSourceAuto or the coarsest
  // resolution of buckets (see SelectHints). What runs for ever on its own, like rules, wants
  // samples.
  std::int64_t max_source_resolution_ms = 0;
  // How long the query has waited for its turn: counts against the timeout.
  std::chrono::nanoseconds queued{0};
  // Polled between tasks; true cancels the query (kCanceled). May be empty.
  std::function<bool()> canceled;
  // Where range queries look for steps that are known already, and leave what they compute. Must be
  // the cache of the storage the query reads. Null: everything is computed.
  RangeCache* cache = nullptr;
  const QueryOrigin* origin = nullptr;  // for the log of queries; null: not known
  // Gets how many samples each step looked at; null: nobody wants to know. Excludes `cache`.
  StepSamples* samples_per_step = nullptr;
};

// Thread-safe. Evaluates on the calling thread and on `pool`.
class Engine {
 public:
  // The references must outlive the engine; pool may be null (then everything runs on the caller).
  Engine(EngineOptions options, const base::Clock& clock, base::ThreadPool* pool,
         base::MemoryAccount* memory);
  ~Engine();

  // Errors: kInvalidArgument (parse and type errors, Prometheus's text with position), kExecution,
  // kTimeout, kCanceled, kLimitExceeded (samples, or more memory than all queries may have; the
  // text names the flag), kUnavailable (the memory is with other queries now), kUnimplemented.
  Result<QueryResult> instant(const storage::Queryable& storage, std::string_view expression,
                              Timestamp time_ms, const QueryParams& params = {}) const;
  // Steps start_ms, start_ms + step_ms, … up to and including end_ms if a step falls on it.
  // None if end_ms is before start_ms. Precondition: step_ms > 0.
  Result<QueryResult> range(const storage::Queryable& storage, std::string_view expression,
                            Timestamp start_ms, Timestamp end_ms, std::int64_t step_ms,
                            const QueryParams& params = {}) const;

  const EngineOptions& options() const { return options_; }
  // For queries that begin later; options() keeps the first.
  void set_default_subquery_step(std::chrono::milliseconds step) {
    default_subquery_step_ms_.store(step.count());
  }

  // Who is told of every query that could be parsed; null: nobody. Takes the place of the one
  // before.
  void set_query_log(std::shared_ptr<const QueryLog> log) { log_.store(std::move(log)); }

 private:
  Result<QueryResult> logged(Result<QueryResult> result, FinishedQuery query,
                             std::chrono::nanoseconds began, const QueryParams& params) const;

  EngineOptions options_;
  std::atomic<std::int64_t> default_subquery_step_ms_;
  const base::Clock& clock_;
  base::ThreadPool* pool_;
  base::MemoryAccount* memory_;
  std::atomic<std::shared_ptr<const QueryLog>> log_;
};

}  // namespace varve::promql
