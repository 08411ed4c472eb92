// SPDX-License-Identifier: Apache-2.0
// Methods of times, durations, months, weekdays and histograms.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "model/histogram.h"
#include "template/format.h"
#include "template/functions.h"
#include "template/moment.h"

namespace varve::templates {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Wraps, as Go's arithmetic does.
std::int64_t add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t multiply(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

Value whole(std::int64_t number) { return Value::integer(number); }
Value wide(std::int64_t number) { return Value::integer(number, Type::kInt64); }

// Methods are tables of a name, what they take, and what they do with the receiver's nanoseconds.
struct Method {
  std::string_view name;
  std::vector<Type> parameters;
  Value (*call)(std::int64_t receiver, Arguments arguments);
};

std::int64_t seconds_since_epoch(std::int64_t ns) { return floor_div(ns, kNanosPerSecond); }

Value add_date(std::int64_t t, Arguments a) {
  const Civil civil = civil_of(t);
  const std::int64_t days = days_from_civil(civil.year, civil.month, civil.day);
  const std::int64_t moved = days_from_civil(add(civil.year, a[0].integer()),
                                             add(civil.month, a[1].integer()), civil.day) +
                             a[2].integer();
  return Value::integer(add(t, multiply(moved - days, 86'400 * kNanosPerSecond)), Type::kTime);
}

// To a multiple of `unit`, halves away from zero.
std::int64_t rounded(std::int64_t ns, std::int64_t unit) {
  if (unit <= 0) return ns;
  const std::int64_t rest = ns % unit;
  const std::int64_t magnitude = rest < 0 ? -rest : rest;
  if (magnitude < unit - magnitude) return ns - rest;
  return add(ns, rest < 0 ? -(unit - magnitude) : unit - magnitude);
}

std::span<const Method> time_methods() {
  static const std::vector<Method> methods = {
      {"String", {}, [](std::int64_t t, Arguments) { return Value::of(format_time(t)); }},
      {"Format",
       {Type::kString},
       [](std::int64_t t, Arguments a) { return Value::of(format_time(t, a[0].text())); }},
      {"Unix", {}, [](std::int64_t t, Arguments) { return wide(seconds_since_epoch(t)); }},
      {"UnixMilli", {}, [](std::int64_t t, Arguments) { return wide(floor_div(t, 1'000'000)); }},
      {"UnixMicro", {}, [](std::int64_t t, Arguments) { return wide(floor_div(t, 1000)); }},
      {"UnixNano", {}, [](std::int64_t t, Arguments) { return wide(t); }},
      {"Year", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).year); }},
      {"Month",
       {},
       [](std::int64_t t, Arguments) { return Value::integer(civil_of(t).month, Type::kMonth); }},
      {"Day", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).day); }},
      {"YearDay", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).day_of_year); }},
      {"Weekday",
       {},
       [](std::int64_t t, Arguments) {
         return Value::integer(civil_of(t).weekday, Type::kWeekday);
       }},
      {"Hour", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).hour); }},
      {"Minute", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).minute); }},
      {"Second", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).second); }},
      {"Nanosecond", {}, [](std::int64_t t, Arguments) { return whole(civil_of(t).nanosecond); }},
      {"UTC", {}, [](std::int64_t t, Arguments) { return Value::integer(t, Type::kTime); }},
      {"IsZero", {}, [](std::int64_t, Arguments) { return Value::of(false); }},
      {"Add",
       {Type::kDuration},
       [](std::int64_t t, Arguments a) {
         return Value::integer(add(t, a[0].integer()), Type::kTime);
       }},
      {"AddDate", {Type::kInt, Type::kInt, Type::kInt}, add_date},
      {"Sub",
       {Type::kTime},
       [](std::int64_t t, Arguments a) {
         return Value::integer(add(t, multiply(a[0].integer(), -1)), Type::kDuration);
       }},
      {"Before",
       {Type::kTime},
       [](std::int64_t t, Arguments a) { return Value::of(t < a[0].integer()); }},
      {"After",
       {Type::kTime},
       [](std::int64_t t, Arguments a) { return Value::of(t > a[0].integer()); }},
      {"Equal",
       {Type::kTime},
       [](std::int64_t t, Arguments a) { return Value::of(t == a[0].integer()); }},
  };
  return methods;
}

std::span<const Method> duration_methods() {
  static const std::vector<Method> methods = {
      {"String", {}, [](std::int64_t d, Arguments) { return Value::of(format_duration(d)); }},
      {"Hours", {}, [](std::int64_t d, Arguments) { return Value::of(double(d) / 3.6e12); }},
      {"Minutes", {}, [](std::int64_t d, Arguments) { return Value::of(double(d) / 6e10); }},
      {"Seconds", {}, [](std::int64_t d, Arguments) { return Value::of(double(d) / 1e9); }},
      {"Milliseconds", {}, [](std::int64_t d, Arguments) { return wide(d / 1'000'000); }},
      {"Microseconds", {}, [](std::int64_t d, Arguments) { return wide(d / 1000); }},
      {"Nanoseconds", {}, [](std::int64_t d, Arguments) { return wide(d); }},
      {"Abs",
       {},
       [](std::int64_t d, Arguments) {
         const std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
         return Value::integer(d == lowest ? lowest + 1 : std::abs(d), Type::kDuration);
       }},
      {"Round",
       {Type::kDuration},
       [](std::int64_t d, Arguments a) {
         return Value::integer(rounded(d, a[0].integer()), Type::kDuration);
       }},
      {"Truncate",
       {Type::kDuration},
       [](std::int64_t d, Arguments a) {
         const std::int64_t unit = a[0].integer();
         return Value::integer(unit <= 0 ? d : d - d % unit, Type::kDuration);
       }},
  };
  return methods;
}

std::span<const Method> month_methods() {
  static const std::vector<Method> methods = {{"String", {}, [](std::int64_t m, Arguments) {
                                                 return Value::of(std::string(month_name(m)));
                                               }}};
  return methods;
}

std::span<const Method> weekday_methods() {
  static const std::vector<Method> methods = {{"String", {}, [](std::int64_t d, Arguments) {
                                                 return Value::of(std::string(weekday_name(d)));
                                               }}};
  return methods;
}

}  // namespace

Function find_method(const Value& receiver, std::string_view name) {
  if (receiver.type == Type::kHistogram && name == "String") {
    return {"String", {}, false, [histogram = receiver.histogram()](const CallContext&, Arguments) {
              return Result<Value>(Value::of(model::to_string(*histogram)));
            }};
  }
  std::span<const Method> methods;
  switch (receiver.type) {
    case Type::kTime:
    case Type::kTimePointer:
      methods = time_methods();
      break;
    case Type::kDuration:
    case Type::kDurationPointer:
      methods = duration_methods();
      break;
    case Type::kMonth:
      methods = month_methods();
      break;
    case Type::kWeekday:
      methods = weekday_methods();
      break;
    default:
      return {};
  }
  for (const Method& method : methods) {
    if (method.name != name) continue;
    return {method.name, method.parameters, false,
            [call = method.call, bound = receiver.integer()](const CallContext&, Arguments given) {
              return Result<Value>(call(bound, given));
            }};
  }
  return {};
}

}  // namespace varve::templates
