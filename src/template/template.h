// SPDX-License-Identifier: Apache-2.0
// Templates in labels and annotations of alerts: Go's text/template with Prometheus 3.14's
// functions, so that the same text gives the same page, errors included. A template is input: every
// expansion is bounded in steps, depth, output and queries. (The namespace is not the folder's name
// because that is a word of C++.)
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "varve/labels.h"
#include "varve/query.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::templates {

// Passing one ends the expansion with kLimitExceeded.
struct Limits {
  std::size_t output_max_bytes = std::size_t{1} << 20;  // also of any text made on the way
  std::size_t steps_max = 1'000'000;                    // nodes executed
  std::size_t queries_max = 1000;
};

// What the alert says about itself: {{ $labels }}, {{ $externalLabels }}, {{ $externalURL }} and
// {{ $value }}.
struct AlertData {
  Labels labels;
  Labels external_labels;
  std::string external_url;
  double value = 0;
  HistogramPtr histogram;  // if set, it is $value
};

// What functions ask of the world; may be shared by many expansions, which copy nothing of it.
struct Environment {
  // Evaluates PromQL at time_ms; bounding its time is the caller's. Empty: `query` is an error.
  std::function<Result<Vector>(const std::string& expression)> query;
  Timestamp time_ms = 0;     // `now`
  std::string external_url;  // `externalURL` and, for its path, `pathPrefix`
  Limits limits;
};

class Program;

// A parsed template. Immutable, cheap to copy, thread-safe.
class Template {
 public:
  // `name` is what errors call it; Prometheus says "__alert_" and the alert's name. The variables
  // $labels, $externalLabels, $externalURL and $value are defined before the text begins.
  // kInvalidArgument: "template: <name>:<line>: <what>"; positions count those definitions, as in
  // Prometheus. kLimitExceeded for what nests too deep.
  static Result<Template> parse(std::string name, std::string_view text);

  // Errors: kExecution (or what `query` answered): "error executing template <name>: template: …".
  Result<std::string> expand(const AlertData& data, const Environment& environment) const;

 private:
  explicit Template(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

// What stands in the label or annotation whose expansion failed.
std::string error_text(const Error& error);

}  // namespace varve::templates
