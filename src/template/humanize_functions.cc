// SPDX-License-Identifier: Apache-2.0
// Numbers for people: humanize and its kin, and the conversions between numbers, times and
// durations.
#include <fmt/format.h>

#include <cmath>

#include "base/try.h"
#include "model/duration.h"
#include "model/number.h"
#include "template/format_number.h"
#include "template/functions.h"
#include "template/moment.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

Error failure(std::string message) { return {ErrorCode::kExecution, std::move(message)}; }

// %.4g
std::string short_number(double value) {
  FormatFlags flags;
  flags.precision = 4;
  return format_float(value, 'g', flags);
}

constexpr std::string_view kLarge[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::string_view kLargeBinary[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
constexpr std::string_view kSmall[] = {"m", "u", "n", "p", "f", "a", "z", "y"};

std::string scaled_down(double value, double unit, std::span<const std::string_view> prefixes) {
  std::string_view used;
  for (const std::string_view prefix : prefixes) {
    if (std::abs(value) < unit) break;
    used = prefix;
    value /= unit;
  }
  return short_number(value).append(used);
}

std::string scaled_up(double value) {
  std::string_view used;
  for (const std::string_view prefix : kSmall) {
    if (std::abs(value) >= 1) break;
    used = prefix;
    value *= 1000;
  }
  return short_number(value).append(used);
}

Result<Value> humanize(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  if (value == 0 || !std::isfinite(value)) return Value::of(short_number(value));
  return Value::of(std::abs(value) >= 1 ? scaled_down(value, 1000, kLarge) : scaled_up(value));
}

Result<Value> humanize1024(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  if (!std::isfinite(value) || std::abs(value) <= 1) return Value::of(short_number(value));
  return Value::of(scaled_down(value, 1024, kLargeBinary));
}

Result<Value> humanize_duration(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  if (!std::isfinite(value)) return Value::of(short_number(value));
  if (value == 0) return Value::of(short_number(value) + "s");
  if (std::abs(value) < 1) return Value::of(scaled_up(value) + "s");
  const std::string_view sign = value < 0 ? "-" : "";
  const double magnitude = std::abs(value);
  // Past the range the conversion gives the lowest integer, on the machines Prometheus runs on.
  const std::int64_t seconds = magnitude < 0x1p63 ? static_cast<std::int64_t>(magnitude)
                                                  : std::numeric_limits<std::int64_t>::min();
  const std::int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (days != 0) {
    return Value::of(
        fmt::format("{}{}d {}h {}m {}s", sign, days, hours % 24, minutes % 60, seconds % 60));
  }
  if (hours != 0) {
    return Value::of(fmt::format("{}{}h {}m {}s", sign, hours, minutes % 60, seconds % 60));
  }
  if (minutes != 0) return Value::of(fmt::format("{}{}m {}s", sign, minutes, seconds % 60));
  return Value::of(fmt::format("{}{}s", sign, short_number(magnitude)));
}

Result<Value> humanize_percentage(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  return Value::of(short_number(value * 100) + "%");
}

Result<Value> humanize_timestamp(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  if (!std::isfinite(value)) return Value::of(short_number(value));
  VARVE_TRY_ASSIGN(const std::int64_t time_ns, float_to_time(value));
  return Value::of(format_time(time_ns));
}

Result<Value> to_time(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  VARVE_TRY_ASSIGN(const std::int64_t time_ns, float_to_time(value));
  return Value::integer(time_ns, Type::kTimePointer);
}

Result<Value> to_duration(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const double value, convert_to_float(arguments[0]));
  const double ns = value * 1e9;
  const std::int64_t whole = ns >= -0x1p63 && ns < 0x1p63
                                 ? static_cast<std::int64_t>(ns)
                                 : std::numeric_limits<std::int64_t>::min();
  return Value::integer(whole, Type::kDurationPointer);
}

Result<Value> parse_duration(const CallContext&, Arguments arguments) {
  std::string_view text = arguments[0].text();
  const bool negative = text.starts_with('-');
  auto milliseconds = model::parse_duration(text.substr(negative ? 1 : 0));
  if (!milliseconds.ok()) return failure(milliseconds.error().message());
  const double seconds = static_cast<double>(*milliseconds) * 1e6 / 1e9;
  return Value::of(negative ? -seconds : seconds);
}

Result<Value> now(const CallContext& context, Arguments) {
  return Value::of(static_cast<double>(context.environment.time_ms) / 1000);
}

}  // namespace

Result<double> convert_to_float(const Value& value) {
  switch (value.type) {
    case Type::kFloat:
      return value.number();
    case Type::kInt:
    case Type::kInt64:
      return static_cast<double>(value.integer());
    case Type::kUint64:
      return static_cast<double>(value.natural());
    case Type::kDuration:
      return static_cast<double>(value.integer()) / 1e9;
    case Type::kString:
      break;
    default:
      return failure(fmt::format("can't convert {} to float",
                                 type_name(value.concrete() ? value.type : Type::kNone)));
  }
  if (const auto number = model::parse_float(value.text())) return *number;
  const bool too_large = model::parse_float_or_inf(value.text()).has_value();
  return failure(fmt::format("strconv.ParseFloat: parsing {}: {}", quote(value.text()),
                             too_large ? "value out of range" : "invalid syntax"));
}

Result<std::int64_t> float_to_time(double seconds) {
  if (!std::isfinite(seconds)) return failure("value is NaN or Inf");
  const double ns = seconds * 1e9;
  if (ns > 0x1p63 || ns < -0x1p63) {
    return failure(
        fmt::format("{} cannot be represented as a nanoseconds timestamp since it overflows int64",
                    model::format_float_g(seconds)));
  }
  const std::int64_t whole =
      ns >= 0x1p63 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(ns);
  return whole / 1'000'000 * 1'000'000;
}

std::span<const Function> humanize_functions() {
  constexpr auto kAny = Type::kAny;
  static const std::vector<Function> functions = {
      {"humanize", {kAny}, false, humanize},
      {"humanize1024", {kAny}, false, humanize1024},
      {"humanizeDuration", {kAny}, false, humanize_duration},
      {"humanizePercentage", {kAny}, false, humanize_percentage},
      {"humanizeTimestamp", {kAny}, false, humanize_timestamp},
      {"toTime", {kAny}, false, to_time},
      {"toDuration", {kAny}, false, to_duration},
      {"parseDuration", {Type::kString}, false, parse_duration},
      {"now", {}, false, now},
  };
  return functions;
}

}  // namespace varve::templates
