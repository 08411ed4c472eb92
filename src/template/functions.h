// SPDX-License-Identifier: Apache-2.0
// Every function a template can call, Go's and Prometheus's, and the methods of its values.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "template/template.h"
#include "template/value.h"
#include "varve/result.h"

namespace varve::templates {

// What one expansion may still use. Text made counts in total, so that no loop over large texts
// runs for minutes; output_max_bytes bounds one text.
class Budget {
 public:
  explicit Budget(const Limits& limits) : limits_(limits) {}
  Status step();
  Status text(std::size_t size_bytes);
  Status query();
  const Limits& limits() const { return limits_; }

 private:
  static constexpr std::size_t kTextTotalFactor = 64;
  const Limits& limits_;
  std::size_t steps_ = 0;
  std::size_t text_bytes_ = 0;
  std::size_t queries_ = 0;
};

struct CallContext {
  const Environment& environment;
  Budget& budget;
};

using Arguments = std::span<const Value>;

// A function's parameters; arguments have these types when it is called.
struct Function {
  std::string_view name;
  std::vector<Type> parameters;  // the last repeats (or is left out) if variadic
  bool variadic = false;
  std::function<Result<Value>(const CallContext&, Arguments)> call;
};

// Null if there is none. `and` and `or` have no call: the evaluator short-circuits them.
const Function* find_function(std::string_view name);

// A method of a time, duration or histogram, with its receiver bound; no call if there is none.
Function find_method(const Value& receiver, std::string_view name);

// The tables that find_function() joins.
std::span<const Function> go_functions();
std::span<const Function> comparison_functions();
std::span<const Function> prometheus_functions();
std::span<const Function> humanize_functions();

// Prometheus's reading of a number: numbers, and texts that hold one.
Result<double> convert_to_float(const Value& value);
// Nanoseconds since the epoch, to the millisecond. kInvalidArgument if out of range, "value is NaN
// or Inf".
Result<std::int64_t> float_to_time(double seconds);

}  // namespace varve::templates
