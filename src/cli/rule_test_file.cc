// SPDX-License-Identifier: Apache-2.0
#include "cli/rule_test_file.h"

#include <fmt/format.h>

#include <limits>

#include "api/moment.h"
#include "base/try.h"
#include "config/yaml_reader.h"
#include "config/yaml_tree.h"

namespace varve::cli {
namespace {

using config::Node;
using config::ReadValue;
using config::Source;

// A float, also one of YAML's words for what has no digits.
ReadValue number(double& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    const bool negative = node.text.starts_with('-');
    const std::string_view magnitude =
        std::string_view(node.text).substr(negative || node.text.starts_with('+') ? 1 : 0);
    if (magnitude == ".inf" || magnitude == ".Inf" || magnitude == ".INF") {
      const double infinity = std::numeric_limits<double>::infinity();
      out = negative ? -infinity : infinity;
    } else if (node.text == ".nan" || node.text == ".NaN" || node.text == ".NAN") {
      out = std::numeric_limits<double>::quiet_NaN();
    } else {
      return config::number(out)(source, node);
    }
    return {};
  };
}

class Reader {
 public:
  explicit Reader(bool ignore_unknown) {
    if (ignore_unknown) {
      unknown_ = [](const Node::Entry&) { return std::optional<Status>(Status()); };
    }
  }

  ReadValue file(RuleTestFile& out) const {
    return map("unit test file",
               {{"rule_files", config::paths(out.rule_files)},
                {"evaluation_interval", config::duration(out.evaluation_interval)},
                {"group_eval_order", config::texts(out.group_eval_order)},
                {"tests", list(out.groups, &Reader::group)},
                {"fuzzy_compare", config::boolean(out.fuzzy_compare)}});
  }

 private:
  ReadValue map(std::string what, std::vector<config::Field> fields) const {
    return [this, what = std::move(what), fields = std::move(fields)](const Source& source,
                                                                      const Node& node) {
      return config::read_map(source, node, what, fields, unknown_);
    };
  }

  template <typename Item>
  ReadValue list(std::vector<Item>& out, ReadValue (Reader::*read)(Item&) const) const {
    return [this, &out, read](const Source& source, const Node& node) {
      return config::read_list(source, node, [&](const Source& each, const Node& item) {
        return (this->*read)(out.emplace_back())(each, item);
      });
    };
  }

  static ReadValue text_map(rules::TextMap& out) {
    return [&out](const Source& source, const Node& node) -> Status {
      std::map<std::string, std::string> read;
      VARVE_TRY(config::text_map(read)(source, node));
      out = rules::TextMap(read.begin(), read.end());
      return {};
    };
  }

  ReadValue group(TestGroup& out) const {
    const ReadValue start = [&out](const Source& source, const Node& node) -> Status {
      std::string written;
      VARVE_TRY(config::text(written)(source, node));
      const auto moment = api::parse_moment(written);
      if (!moment) {
        return source.error(node.place,
                            fmt::format("cannot parse \"{}\" to a valid timestamp", written));
      }
      out.start_ms = moment->ms();
      return {};
    };
    return map("test group",
               {{"name", config::text(out.name)},
                {"interval", config::duration(out.interval)},
                {"input_series", list(out.input_series, &Reader::series)},
                {"alert_rule_test", list(out.alert_tests, &Reader::alert_test)},
                {"promql_expr_test", list(out.expression_tests, &Reader::expression_test)},
                {"external_labels", config::labels(out.external_labels)},
                {"external_url", config::text(out.external_url)},
                {"start_timestamp", start}});
  }

  ReadValue series(InputSeries& out) const {
    return map("series",
               {{"series", config::text(out.series)}, {"values", config::text(out.values)}});
  }

  ReadValue alert_test(AlertTest& out) const {
    return map("alert test case", {{"eval_time", config::duration(out.eval_time)},
                                   {"alertname", config::text(out.alertname)},
                                   {"exp_alerts", list(out.alerts, &Reader::alert)}});
  }

  ReadValue alert(ExpectedAlert& out) const {
    return map("alert", {{"exp_labels", text_map(out.labels)},
                         {"exp_annotations", text_map(out.annotations)}});
  }

  ReadValue expression_test(ExpressionTest& out) const {
    return map("promql test case", {{"expr", config::text(out.expression)},
                                    {"eval_time", config::duration(out.eval_time)},
                                    {"exp_samples", list(out.samples, &Reader::sample)}});
  }

  ReadValue sample(ExpectedSample& out) const {
    return map("sample", {{"labels", config::text(out.labels)},
                          {"value", number(out.value)},
                          {"histogram", config::text(out.histogram)}});
  }

  config::ReadUnknown unknown_;
};

}  // namespace

Result<RuleTestFile> parse_rule_test_file(std::string_view text, const std::string& name,
                                          const std::string& directory, bool ignore_unknown) {
  VARVE_TRY_ASSIGN(const config::Tree tree, config::Tree::parse(text, name));
  RuleTestFile out;
  const Reader reader(ignore_unknown);
  VARVE_TRY(reader.file(out)(Source{name, directory}, tree.root()));
  if (out.evaluation_interval.count() == 0) out.evaluation_interval = std::chrono::minutes(1);
  for (TestGroup& group : out.groups) {
    if (group.interval.count() == 0) group.interval = out.evaluation_interval;
  }
  return out;
}

}  // namespace varve::cli
