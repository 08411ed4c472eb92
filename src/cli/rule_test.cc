// SPDX-License-Identifier: Apache-2.0
#include "cli/rule_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <tuple>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/try.h"
#include "model/duration.h"
#include "model/histogram.h"
#include "model/number.h"
#include "promql/engine.h"
#include "promql/parser.h"
#include "promql/test_storage.h"
#include "rules/group.h"
#include "storage/querier.h"
#include "storage/write_batch.h"
#include "template/moment.h"

namespace varve::cli {
namespace {

// Go's %g, with which Prometheus names the values of duplicates.
std::string shortest(double value) { return model::format_float_g(value); }

// Lets rules write beside the input series.
class Sink final : public storage::Appendable {
 public:
  explicit Sink(promql::TestStorage& storage) : storage_(storage) {}

  Result<storage::WriteOutcome> append(const storage::WriteBatch& batch,
                                       const storage::AppendOptions&) override {
    storage::WriteOutcome outcome;
    for (const storage::SeriesEntry& entry : batch.series) {
      for (std::uint32_t i = 0; i < entry.samples_count; ++i) {
        const Sample& sample = batch.samples[entry.samples_begin + i];
        note(storage_.append(*entry.labels, sample.timestamp_ms, sample.value, nullptr),
             sample.timestamp_ms, sample.value, outcome);
      }
      for (std::uint32_t i = 0; i < entry.histograms_count; ++i) {
        const auto& sample = batch.histograms[entry.histograms_begin + i];
        note(storage_.append(*entry.labels, sample.timestamp_ms, 0,
                             std::make_shared<const Histogram>(sample.histogram)),
             sample.timestamp_ms, 0, outcome);
      }
    }
    return outcome;
  }
  void when_durable(storage::Ticket, std::function<void(Status)> done) override { done({}); }

 private:
  static void note(promql::TestStorage::Outcome result, Timestamp time_ms, double value,
                   storage::WriteOutcome& outcome) {
    using Outcome = promql::TestStorage::Outcome;
    std::string text;
    if (result == Outcome::kAppended) {
      ++outcome.samples_appended;
    } else if (result == Outcome::kOutOfOrder) {
      ++outcome.out_of_order;
      text = "out of order sample";
    } else {
      ++outcome.duplicate;
      text = fmt::format("duplicate sample for timestamp {}; overrides not allowed: new value {}",
                         time_ms, shortest(value));
    }
    if (outcome.first_error.empty()) outcome.first_error = text;
  }

  promql::TestStorage& storage_;
};

// A label set in braces, as Prometheus prints one: {a="b", c="d"}.
template <typename Pairs>
std::string braced(const Pairs& pairs) {
  std::string out = "{";
  for (const auto& [name, value] : pairs) {
    if (out.size() > 1) out += ", ";
    const bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
                       std::all_of(name.begin(), name.end(), [](char c) {
                         return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9');
                       });
    out += plain ? std::string(name) : promql::quote(name);
    out += "=" + promql::quote(value);
  }
  return out + "}";
}

std::string braced_labels(const Labels& labels) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (const LabelView& label : labels) pairs.emplace_back(label.name, label.value);
  return braced(pairs);
}

std::string indented(std::string_view lines, std::string_view indent) {
  std::string out;
  for (const char c : lines) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

// An alert as tests see it.
struct SeenAlert {
  Labels labels;
  rules::TextMap annotations;
  friend bool operator==(const SeenAlert&, const SeenAlert&) = default;
  friend bool operator<(const SeenAlert& a, const SeenAlert& b) {
    return std::tie(a.labels, a.annotations) < std::tie(b.labels, b.annotations);
  }
};

std::string to_string(const std::vector<SeenAlert>& alerts) {
  if (alerts.empty()) return "[]";
  std::string out = "[";
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    const std::string text = "\nLabels:" + braced_labels(alerts[i].labels) +
                             "\nAnnotations:" + braced(alerts[i].annotations);
    out += fmt::format("{}\n{}:{}", i == 0 ? "" : ",", i, indented(text, "  "));
  }
  return out + "\n]";
}

struct SeenSample {
  Labels labels;
  double value = 0;
  std::string histogram;  // as the test language writes it
};

// 1.5E+00
std::string scientific(double value) {
  if (!std::isfinite(value)) return model::format_float(value);
  char buffer[64];
  const auto [end, status] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string text(buffer, end);
  std::replace(text.begin(), text.end(), 'e', 'E');
  return text;
}

std::string to_string(const std::vector<SeenSample>& samples) {
  if (samples.empty()) return "nil";
  std::string out;
  for (const SeenSample& sample : samples) {
    if (!out.empty()) out += ", ";
    out += braced_labels(sample.labels) + " ";
    out += sample.histogram.empty() ? scientific(sample.value) : sample.histogram;
  }
  return out;
}

class Run {
 public:
  Run(const TestGroup& test, std::vector<rules::RuleGroupOptions> groups,
      const RuleTestSettings& settings, const Console& console)
      : test_(test),
        settings_(settings),
        console_(console),
        storage_(test.start_ms, test.interval.count()),
        sink_(storage_),
        log_(base::LogLevel::kError, base::LogFormat::kLogfmt, clock_, [](std::string_view) {}),
        engine_(engine_options(settings), clock_, nullptr, &memory_),
        environment_{.engine = engine_,
                     .source = storage_.queryable(),
                     .sink = sink_,
                     .clock = clock_,
                     .log = log_,
                     .external_url = test.external_url},
        options_(std::move(groups)) {
    shared_.external_labels = test.external_labels;
  }

  std::vector<std::string> run() {
    if (const Status prepared = prepare(); !prepared.ok()) return {prepared.error().message()};
    const Timestamp end_ms = test_.start_ms + last_eval_time().count();
    const auto step = settings_.evaluation_interval;
    for (Timestamp now = test_.start_ms; now <= end_ms; now += step.count()) {
      storage_.load_until(now);
      if (!evaluate(now)) return std::move(errors_);
      const std::chrono::milliseconds since(now - test_.start_ms);
      for (auto at = alert_times_.lower_bound(since);
           at != alert_times_.end() && *at < since + step; ++at) {
        check_alerts(*at);
      }
    }
    for (const ExpressionTest& test : test_.expression_tests) check_expression(test);
    if (settings_.debug) dump();
    return std::move(errors_);
  }

 private:
  static promql::EngineOptions engine_options(const RuleTestSettings& settings) {
    promql::EngineOptions options;
    options.default_subquery_step = settings.evaluation_interval;
    options.features = settings.features;
    return options;
  }

  Status prepare() {
    for (const InputSeries& series : test_.input_series) {
      if (auto added = storage_.add_series(series.series, series.values); !added.ok()) {
        return std::move(added).error().with("series \"" + series.series + "\"");
      }
    }
    std::map<std::string_view, std::size_t> order;
    for (const std::string& name : settings_.group_eval_order) order.emplace(name, order.size());
    const auto place = [&](const rules::RuleGroupOptions& group) {
      const auto at = order.find(group.name);
      return at == order.end() ? 0 : at->second;
    };
    std::stable_sort(options_.begin(), options_.end(),
                     [&](const auto& a, const auto& b) { return place(a) < place(b); });
    for (rules::RuleGroupOptions& options : options_) {
      VARVE_TRY_ASSIGN(auto group, rules::Group::create(std::move(options), environment_, true));
      groups_.push_back(std::move(group));
    }
    for (const AlertTest& test : test_.alert_tests) {
      if (test.alertname.empty()) {
        return Error(ErrorCode::kInvalidArgument,
                     fmt::format("an item under alert_rule_test misses required attribute "
                                 "alertname at eval_time {}{}",
                                 text_of(test.eval_time),
                                 test_.name.empty() ? "" : " (in TestGroup " + test_.name + ")"));
      }
      alert_times_.insert(test.eval_time);
    }
    return {};
  }

  static std::string text_of(std::chrono::milliseconds duration) {
    return model::format_duration(duration.count());
  }

  std::chrono::milliseconds last_eval_time() const {
    std::chrono::milliseconds last{};
    for (const AlertTest& test : test_.alert_tests) last = std::max(last, test.eval_time);
    for (const ExpressionTest& test : test_.expression_tests) last = std::max(last, test.eval_time);
    return last;
  }

  // False if a rule failed: then the test ends.
  bool evaluate(Timestamp now) {
    bool good = true;
    for (const auto& group : groups_) {
      group->evaluate(now, shared_);
      for (const rules::RuleStatus& rule : group->status(false).rules) {
        if (rule.last_error.empty()) continue;
        errors_.push_back(fmt::format("    rule: {}, time: {}, err: {}", rule.name,
                                      templates::format_duration(now * 1'000'000),
                                      rule.last_error));
        good = false;
      }
    }
    return good;
  }

  // An alert of one name may stand in several groups.
  std::vector<SeenAlert> firing(const std::string& name) const {
    std::vector<SeenAlert> out;
    for (const auto& group : groups_) {
      for (const rules::RuleStatus& rule : group->status().rules) {
        if (rule.kind != rules::RuleKind::kAlerting || rule.name != name) continue;
        for (const rules::Alert& alert : rule.alerts) {
          if (alert.state != rules::AlertState::kFiring) continue;
          out.push_back({alert.labels, alert.annotations});
        }
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  void check_alerts(std::chrono::milliseconds eval_time) {
    for (const AlertTest& test : test_.alert_tests) {
      if (test.eval_time != eval_time) continue;
      std::vector<SeenAlert> expected;
      for (const ExpectedAlert& alert : test.alerts) {
        LabelsBuilder labels;
        for (const auto& [name, value] : alert.labels) labels.set(name, value);
        labels.set("alertname", test.alertname);
        expected.push_back({labels.build(), alert.annotations});
      }
      std::sort(expected.begin(), expected.end());
      const std::vector<SeenAlert> got = firing(test.alertname);
      if (got == expected) continue;
      errors_.push_back(fmt::format(
          "{}    alertname: {}, time: {}, \n        exp:{}, \n        got:{}",
          test_.name.empty() ? "" : fmt::format("    name: {},\n", test_.name), test.alertname,
          text_of(eval_time), indented(to_string(expected), "            "),
          indented(to_string(got), "            ")));
    }
  }

  bool same(double a, double b) const {
    if (a == b) return true;
    const double infinity = std::numeric_limits<double>::infinity();
    return settings_.fuzzy_compare &&
           (std::nextafter(a, -infinity) == b || std::nextafter(a, infinity) == b);
  }

  void check_expression(const ExpressionTest& test) {
    const std::string head = fmt::format("    expr: {}, time: {},", promql::quote(test.expression),
                                         text_of(test.eval_time));
    auto got = query(test);
    if (!got.ok()) {
      errors_.push_back(fmt::format("{} err: {}", head, got.error().message()));
      return;
    }
    std::vector<SeenSample> expected;
    for (const ExpectedSample& sample : test.samples) {
      auto parsed = parse(sample);
      if (!parsed.ok()) {
        errors_.push_back(fmt::format("{} err: labels {}: {}", head, promql::quote(sample.labels),
                                      parsed.error().message()));
        return;
      }
      expected.push_back(*std::move(parsed));
    }
    const auto by_labels = [](const SeenSample& a, const SeenSample& b) {
      return a.labels < b.labels;
    };
    std::stable_sort(expected.begin(), expected.end(), by_labels);
    std::stable_sort(got->begin(), got->end(), by_labels);
    const bool equal = std::equal(expected.begin(), expected.end(), got->begin(), got->end(),
                                  [&](const SeenSample& a, const SeenSample& b) {
                                    return a.labels == b.labels && a.histogram == b.histogram &&
                                           same(a.value, b.value);
                                  });
    if (equal) return;
    errors_.push_back(fmt::format("{}\n        exp: {}\n        got: {}", head, to_string(expected),
                                  to_string(*got)));
  }

  Result<std::vector<SeenSample>> query(const ExpressionTest& test) {
    VARVE_TRY_ASSIGN(const QueryResult result,
                     engine_.instant(storage_.queryable(), test.expression,
                                     test_.start_ms + test.eval_time.count()));
    std::vector<SeenSample> out;
    if (const auto* scalar = std::get_if<ScalarValue>(&result.value)) {
      out.push_back({{}, scalar->value, ""});
      return out;
    }
    const auto* vector = std::get_if<Vector>(&result.value);
    if (vector == nullptr) {
      return Error(ErrorCode::kExecution, "rule result is not a vector or scalar");
    }
    for (const VectorSample& sample : *vector) {
      out.push_back({sample.labels, sample.histogram ? 0 : sample.value,
                     sample.histogram ? model::to_test_expression(*sample.histogram) : ""});
    }
    return out;
  }

  static Result<SeenSample> parse(const ExpectedSample& sample) {
    SeenSample out;
    VARVE_TRY_ASSIGN(out.labels, promql::parse_metric(sample.labels));
    if (sample.histogram.empty()) {
      out.value = sample.value;
      return out;
    }
    VARVE_TRY_ASSIGN(const HistogramPtr histogram, promql::parse_histogram(sample.histogram));
    out.histogram = model::to_test_expression(*histogram);
    return out;
  }

  // --debug: all series, input and recorded.
  void dump() {
    const auto until = last_eval_time() + std::chrono::seconds(1);
    const std::string seconds = std::to_string(until.count() / 1000);
    const auto result =
        engine_.instant(storage_.queryable(), "{__name__=~\".+\"}[" + seconds + "s]",
                        test_.start_ms + until.count() / 1000 * 1000);
    console_.err << "DEBUG: Dump of all data (input_series and rules) at " << seconds << "s:\n";
    if (!result.ok()) {
      console_.err << "DEBUG: " << result.error().message() << "\n";
      return;
    }
    for (const Series& series : std::get<Matrix>(result->value)) {
      console_.err << series.labels.to_string() << " =>\n";
      for (const Sample& sample : series.floats) {
        console_.err << model::format_float(sample.value) << " @[" << sample.timestamp_ms << "]\n";
      }
      for (const HistogramPoint& point : series.histograms) {
        console_.err << model::to_string(*point.histogram) << " @[" << point.timestamp_ms << "]\n";
      }
    }
  }

  const TestGroup& test_;
  const RuleTestSettings& settings_;
  const Console& console_;
  base::SystemClock clock_;
  promql::TestStorage storage_;
  Sink sink_;
  base::Logger log_;
  base::MemoryAccount memory_{"query"};
  promql::Engine engine_;
  rules::Environment environment_;
  rules::SharedSettings shared_;
  std::vector<rules::RuleGroupOptions> options_;
  std::vector<std::unique_ptr<rules::Group>> groups_;
  std::set<std::chrono::milliseconds> alert_times_;
  std::vector<std::string> errors_;
};

}  // namespace

std::vector<std::string> run_test_group(const TestGroup& test,
                                        std::vector<rules::RuleGroupOptions> groups,
                                        const RuleTestSettings& settings, const Console& console) {
  return Run(test, std::move(groups), settings, console).run();
}

}  // namespace varve::cli
