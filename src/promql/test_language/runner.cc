// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/memory_account.h"
#include "base/try.h"
#include "fs/file_system.h"
#include "model/duration.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "promql/test_language/at_rewrite.h"
#include "promql/test_language/compare.h"
#include "promql/test_language/custom_buckets.h"
#include "promql/test_language/memory_storage.h"
#include "promql/test_language/script.h"

namespace varve::promql::test_language {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

EngineOptions engine_options() {
  EngineOptions options;
  options.lookback_delta = std::chrono::minutes(5);
  options.default_subquery_step = std::chrono::minutes(1);
  options.samples_max = 10'000;
  options.features.experimental_functions = true;
  options.features.delayed_name_removal = true;
  options.features.extended_range_selectors = true;
  options.features.binop_fill_modifiers = true;
  options.features.use_start_timestamps = true;
  return options;
}

class ScriptRun {
 public:
  ScriptRun() : memory_("promql_test"), engine_(engine_options(), clock_, nullptr, &memory_) {}

  void load(const LoadCommand& command) {
    for (const SeriesLine& line : command.series) {
      for (std::size_t i = 0; i < line.values.size(); ++i) {
        const SequenceValue& value = line.values[i];
        const Timestamp time_ms = static_cast<std::int64_t>(i) * command.step_ms;
        Timestamp start_ms = 0;
        if (!line.start_offsets_ms.empty() && line.start_offsets_ms[i]) {
          start_ms = time_ms + *line.start_offsets_ms[i];
        }
        if (value.kind == SequenceValue::Kind::kFloat) {
          storage_.add(line.labels, time_ms, value.value, start_ms);
        } else if (value.kind == SequenceValue::Kind::kHistogram) {
          storage_.add(line.labels, time_ms, value.histogram, start_ms);
        }
      }
    }
    if (command.with_custom_buckets) load_custom_buckets(command.series, command.step_ms, storage_);
    storage_.detect_resets();
  }

  void clear() { storage_.clear(); }

  // The first check that fails.
  std::optional<CaseFailure> eval(const EvalCommand& command) const {
    const auto failure = [&](std::string check, std::string detail) {
      return CaseFailure{command.line, command.query, std::move(check), std::move(detail)};
    };
    if (command.is_range) {
      if (auto detail = check(command, range(command.query, command.range))) {
        return failure("as written", *detail);
      }
      return std::nullopt;
    }
    if (auto detail = check(command, instant(command.query, command.time_ms))) {
      return failure("as written", *detail);
    }
    const Result<ExprPtr> parsed = parse(command.query, engine_.options().features);
    if (!parsed.ok()) return std::nullopt;  // then failing was expected, and it did
    if (!depends_on_evaluation_time(**parsed)) {
      ExprPtr fixed = clone(**parsed);
      fix_to_time(*fixed, command.time_ms);
      const std::string query = to_string(*fixed);
      for (const Timestamp at : other_times(command.time_ms)) {
        if (auto detail = check(command, instant(query, at))) {
          return failure("as " + query + " at " + model::format_duration(at), *detail);
        }
      }
    }
    if (auto detail = check_as_range(command, **parsed)) {
      return failure("as a range query", *detail);
    }
    return std::nullopt;
  }

 private:
  Result<QueryResult> instant(const std::string& query, Timestamp time_ms) const {
    return engine_.instant(storage_, query, time_ms);
  }
  Result<QueryResult> range(const std::string& query, const StepRange& steps) const {
    return engine_.range(storage_, query, steps.start_ms, steps.end_ms, steps.step_ms);
  }

  static std::vector<Timestamp> other_times(Timestamp time_ms) {
    if (time_ms == 0) return {-1000, 0, 1000};
    return {-10 * time_ms, 0, time_ms / 5, time_ms, 10 * time_ms};
  }

  static std::optional<std::string> check(const EvalCommand& command,
                                          const Result<QueryResult>& result) {
    if (command.fail) {
      if (result.ok()) return "expected an error, got a result";
      return difference(*command.fail, result.error().message());
    }
    if (!result.ok()) {
      return "error " + std::string(to_string(result.error().code())) + ": " +
             result.error().message();
    }
    const Annotations& annotations = result->annotations;
    if (auto detail = difference(command.warnings, annotations.warnings, "warning")) return detail;
    if (auto detail = difference(command.infos, annotations.infos, "info")) return detail;
    return difference(command, result->value);
  }

  // The middle step of three must give what the instant query gave.
  std::optional<std::string> check_as_range(const EvalCommand& command, const Expr& expr) const {
    if (command.fail || command.ordered || command.range_vector || command.string ||
        depends_on_range(expr)) {
      return std::nullopt;
    }
    const StepRange steps{command.time_ms - kMinuteMs, command.time_ms + kMinuteMs, kMinuteMs};
    const Result<QueryResult> result = range(command.query, steps);
    if (!result.ok()) {
      return "error " + std::string(to_string(result.error().code())) + ": " +
             result.error().message();
    }
    const auto* matrix = std::get_if<Matrix>(&result->value);
    if (matrix == nullptr) return "expected a matrix";
    Vector middle;
    for (const Series& series : *matrix) {
      for (const Sample& sample : series.floats) {
        if (sample.timestamp_ms != command.time_ms) continue;
        middle.push_back({series.labels, sample.timestamp_ms, sample.value, nullptr});
      }
      for (const HistogramPoint& point : series.histograms) {
        if (point.timestamp_ms != command.time_ms) continue;
        middle.push_back({series.labels, point.timestamp_ms, 0, point.histogram});
      }
    }
    if (!command.scalar) return difference(command, QueryValue(std::move(middle)));
    if (middle.size() != 1) return "expected one series without labels for a scalar";
    return difference(command, QueryValue(ScalarValue{command.time_ms, middle.front().value}));
  }

  base::SystemClock clock_;
  base::MemoryAccount memory_;
  Engine engine_;
  MemoryStorage storage_;
};

bool is_script(const std::string& name) { return name.ends_with(".test"); }

// The scripts in a folder and below, or the path itself if it is no folder.
Status collect(fs::FileSystem& files, const std::string& path, std::vector<std::string>& out) {
  const Result<std::vector<std::string>> names = files.list(path);
  if (!names.ok()) {
    out.push_back(path);  // reading it will tell if it is not there
    return {};
  }
  for (const std::string& name : *names) {
    const std::string inner = fs::join(path, name);
    if (is_script(name)) {
      out.push_back(inner);
    } else if (name.find('.') == std::string::npos && files.list(inner).ok()) {
      VARVE_TRY(collect(files, inner, out));
    }
  }
  return {};
}

}  // namespace

Result<FileReport> run_script(std::string_view name, std::string_view text) {
  VARVE_TRY_ASSIGN(const std::vector<Command> commands, parse_script(text));
  FileReport report;
  report.name = name;
  ScriptRun run;
  for (const Command& command : commands) {
    if (const auto* load = std::get_if<LoadCommand>(&command)) {
      run.load(*load);
    } else if (const auto* eval = std::get_if<EvalCommand>(&command)) {
      if (std::optional<CaseFailure> failure = run.eval(*eval)) {
        ++report.cases_failed;
        report.failures.push_back(std::move(*failure));
      } else {
        ++report.cases_passed;
      }
    } else {
      run.clear();
    }
  }
  return report;
}

Result<FileReport> run_file(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, kScriptBytesMax));
  Result<FileReport> report = run_script(path, text);
  if (!report.ok()) return std::move(report).error().with(path);
  return report;
}

Result<std::vector<FileReport>> run_paths(fs::FileSystem& files,
                                          std::span<const std::string> paths) {
  std::vector<std::string> scripts;
  for (const std::string& path : paths) VARVE_TRY(collect(files, path, scripts));
  std::vector<FileReport> reports;
  for (const std::string& script : scripts) {
    VARVE_TRY_ASSIGN(FileReport report, run_file(files, script));
    reports.push_back(std::move(report));
  }
  return reports;
}

std::string render(std::span<const FileReport> reports, bool with_failures) {
  std::string out;
  std::size_t passed = 0;
  std::size_t failed = 0;
  for (const FileReport& report : reports) {
    if (with_failures) {
      for (const CaseFailure& failure : report.failures) {
        out += fmt::format("{}:{}: {}\n    {}: {}\n", report.name, failure.line, failure.query,
                           failure.check, failure.detail);
      }
    }
    passed += report.cases_passed;
    failed += report.cases_failed;
  }
  for (const FileReport& report : reports) {
    out += fmt::format("{:>5} passed {:>5} failed  {}\n", report.cases_passed, report.cases_failed,
                       report.name);
  }
  return out + fmt::format("{:>5} passed {:>5} failed  in all\n", passed, failed);
}

}  // namespace varve::promql::test_language
