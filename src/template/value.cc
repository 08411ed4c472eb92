// SPDX-License-Identifier: Apache-2.0
#include "template/value.h"

namespace varve::templates {

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kNone:
      return "<nil>";
    case Type::kNil:
    case Type::kAny:
      return "interface {}";
    case Type::kBool:
      return "bool";
    case Type::kInt:
      return "int";
    case Type::kInt32:
      return "int32";
    case Type::kInt64:
      return "int64";
    case Type::kUint8:
      return "uint8";
    case Type::kUint64:
      return "uint64";
    case Type::kFloat:
      return "float64";
    case Type::kString:
      return "string";
    case Type::kHtml:
      return "template.HTML";
    case Type::kLabels:
      return "map[string]string";
    case Type::kMap:
      return "map[string]interface {}";
    case Type::kSamples:
      return "template.queryResult";
    case Type::kSample:
      return "*template.sample";
    case Type::kTime:
      return "time.Time";
    case Type::kTimePointer:
      return "*time.Time";
    case Type::kDuration:
      return "time.Duration";
    case Type::kDurationPointer:
      return "*time.Duration";
    case Type::kMonth:
      return "time.Month";
    case Type::kWeekday:
      return "time.Weekday";
    case Type::kHistogram:
      return "*histogram.FloatHistogram";
    case Type::kAlertData:
      return "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL "
             "string; Value interface {} }";
    case Type::kReflect:
      return "reflect.Value";
  }
  return "";
}

Value Value::of(ValueMap values) {
  return {Type::kMap, std::make_shared<const ValueMap>(std::move(values))};
}

Value to_value(const Labels& labels) {
  LabelMap map;
  for (const LabelView& label : labels) map.emplace(label.name, label.value);
  return Value::of(std::move(map));
}

Value to_value(const AlertData& data) {
  AlertView view{to_value(data.labels), to_value(data.external_labels),
                 Value::of(data.external_url),
                 data.histogram ? Value::of(data.histogram) : Value::of(data.value)};
  return {Type::kAlertData, std::make_shared<const AlertView>(std::move(view))};
}

Value to_value(const Vector& vector) {
  Samples samples;
  samples.reserve(vector.size());
  for (const VectorSample& sample : vector) {
    samples.push_back(std::make_shared<const QuerySample>(
        QuerySample{to_value(sample.labels),
                    sample.histogram ? Value::of(sample.histogram) : Value::of(sample.value)}));
  }
  return Value::of(std::move(samples));
}

Kind kind_of(Type type) {
  switch (type) {
    case Type::kNone:
      return Kind::kInvalid;
    case Type::kNil:
    case Type::kAny:
      return Kind::kInterface;
    case Type::kBool:
      return Kind::kBool;
    case Type::kInt:
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDuration:
    case Type::kMonth:
    case Type::kWeekday:
      return Kind::kInteger;
    case Type::kUint8:
    case Type::kUint64:
      return Kind::kUnsigned;
    case Type::kFloat:
      return Kind::kFloat;
    case Type::kString:
    case Type::kHtml:
      return Kind::kString;
    case Type::kLabels:
    case Type::kMap:
      return Kind::kMap;
    case Type::kSamples:
      return Kind::kSlice;
    case Type::kSample:
    case Type::kTimePointer:
    case Type::kDurationPointer:
    case Type::kHistogram:
      return Kind::kPointer;
    case Type::kTime:
    case Type::kAlertData:
    case Type::kReflect:
      return Kind::kStruct;
  }
  return Kind::kInvalid;
}

bool is_true(const Value& value) {
  switch (kind_of(value.type)) {
    case Kind::kInvalid:
    case Kind::kInterface:
      return false;
    case Kind::kBool:
      return value.truth();
    case Kind::kInteger:
      return value.integer() != 0;
    case Kind::kUnsigned:
      return value.natural() != 0;
    case Kind::kFloat:
      return value.number() != 0;
    case Kind::kString:
      return !value.text().empty();
    case Kind::kMap:
      return value.type == Type::kLabels ? !value.labels().empty() : !value.map().empty();
    case Kind::kSlice:
      return !value.samples().empty();
    case Kind::kPointer:
      return value.type != Type::kSample || value.sample() != nullptr;
    case Kind::kStruct:
      return true;
  }
  return false;
}

Value dereferenced(const Value& value) {
  if (value.type == Type::kTimePointer) return {Type::kTime, value.payload};
  if (value.type == Type::kDurationPointer) return {Type::kDuration, value.payload};
  return value;
}

}  // namespace varve::templates
