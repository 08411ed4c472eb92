// SPDX-License-Identifier: Apache-2.0
// What expressions in a template evaluate to: the few Go types that Prometheus's data and functions
// can produce. Values are immutable and cheap to copy.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "template/template.h"
#include "varve/sample.h"

namespace varve::templates {

// Also the types of parameters, which is what kAny and kReflect are for.
enum class Type : std::uint8_t {
  kNone,  // no value at all: Go's zero reflect.Value, printed "<no value>"
  kNil,   // a nil interface
  kBool,
  kInt,
  kInt32,
  kInt64,
  kUint8,
  kUint64,
  kFloat,
  kString,
  kHtml,
  kLabels,   // map[string]string
  kMap,      // map[string]interface {}
  kSamples,  // what `query` answers
  kSample,   // a pointer
  kTime,     // nanoseconds since the epoch, UTC
  kTimePointer,
  kDuration,  // nanoseconds
  kDurationPointer,
  kMonth,
  kWeekday,
  kHistogram,  // a pointer
  kAlertData,
  kAny,
  kReflect,  // as kAny, but nil stays nothing
};

std::string_view type_name(Type type);

struct Value;
using LabelMap = std::map<std::string, std::string>;
using ValueMap = std::map<std::string, Value>;
struct QuerySample;
using SamplePtr = std::shared_ptr<const QuerySample>;
using Samples = std::vector<SamplePtr>;
struct AlertView;

struct Value {
  using Payload = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double,
                               std::shared_ptr<const std::string>, std::shared_ptr<const LabelMap>,
                               std::shared_ptr<const ValueMap>, std::shared_ptr<const Samples>,
                               SamplePtr, HistogramPtr, std::shared_ptr<const AlertView>>;
  Type type = Type::kNone;
  Payload payload;

  static Value none() { return {}; }
  static Value nil() { return {Type::kNil, {}}; }
  static Value of(bool truth) { return {Type::kBool, truth}; }
  static Value of(double number) { return {Type::kFloat, number}; }
  static Value integer(std::int64_t number, Type type = Type::kInt) { return {type, number}; }
  static Value natural(std::uint64_t number) { return {Type::kUint64, number}; }
  static Value of(std::string text, Type type = Type::kString) {
    return {type, std::make_shared<const std::string>(std::move(text))};
  }
  static Value of(LabelMap labels) {
    return {Type::kLabels, std::make_shared<const LabelMap>(std::move(labels))};
  }
  static Value of(ValueMap values);
  static Value of(Samples samples) {
    return {Type::kSamples, std::make_shared<const Samples>(std::move(samples))};
  }
  static Value of(SamplePtr sample) { return {Type::kSample, std::move(sample)}; }
  static Value of(HistogramPtr histogram) { return {Type::kHistogram, std::move(histogram)}; }

  // Whether it is there and has a type: neither nothing nor a nil interface.
  bool concrete() const { return type != Type::kNone && type != Type::kNil; }

  // Preconditions: the type. Views live as long as the value.
  bool truth() const { return std::get<bool>(payload); }
  std::int64_t integer() const { return std::get<std::int64_t>(payload); }
  std::uint64_t natural() const { return std::get<std::uint64_t>(payload); }
  double number() const { return std::get<double>(payload); }
  const std::string& text() const { return *std::get<std::shared_ptr<const std::string>>(payload); }
  const LabelMap& labels() const { return *std::get<std::shared_ptr<const LabelMap>>(payload); }
  const ValueMap& map() const { return *std::get<std::shared_ptr<const ValueMap>>(payload); }
  const Samples& samples() const { return *std::get<std::shared_ptr<const Samples>>(payload); }
  const SamplePtr& sample() const { return std::get<SamplePtr>(payload); }  // may be null
  const HistogramPtr& histogram() const { return std::get<HistogramPtr>(payload); }
  const AlertView& alert() const { return *std::get<std::shared_ptr<const AlertView>>(payload); }
};

// One element of a query's answer.
struct QuerySample {
  Value labels;  // kLabels
  Value value;   // kFloat or kHistogram
};

// The dot of an alert's template.
struct AlertView {
  Value labels, external_labels, external_url, value;
};

Value to_value(const Labels& labels);
Value to_value(const AlertData& data);
Value to_value(const Vector& vector);

// Go's kinds, of which several types may share one.
enum class Kind : std::uint8_t {
  kInvalid,
  kInterface,
  kBool,
  kInteger,
  kUnsigned,
  kFloat,
  kString,
  kMap,
  kSlice,
  kPointer,
  kStruct,
};
Kind kind_of(Type type);

// Whether `if` takes it for true.
bool is_true(const Value& value);

// What a pointer points at: times and durations. Samples and histograms stay pointers.
Value dereferenced(const Value& value);

}  // namespace varve::templates
