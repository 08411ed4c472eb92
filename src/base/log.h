// SPDX-License-Identifier: Apache-2.0
// Structured log lines in Prometheus 3's form, logfmt or JSON, one write(2) per line. No globals:
// whoever logs is given a Logger.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace varve::base {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
enum class LogFormat : std::uint8_t { kLogfmt, kJson };

// One key=value; the value is quoted by the logger where its format asks for it.
struct LogField {
  LogField(std::string_view field_key, std::string_view field_value)
      : key(field_key), value(field_value) {}
  LogField(std::string_view field_key, const char* field_value)
      : key(field_key), value(field_value) {}
  LogField(std::string_view field_key, const std::string& field_value)
      : key(field_key), value(field_value) {}
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  LogField(std::string_view field_key, Number number)
      : key(field_key), value(std::to_string(number)) {}

  std::string_view key;
  std::string value;
};

// Thread-safe. The sink gets whole lines, one at a time; the default writes to stderr.
class Logger {
 public:
  using Sink = std::function<void(std::string_view line)>;
  using Fields = std::initializer_list<LogField>;

  Logger(LogLevel level, LogFormat format, const Clock& clock, Sink sink = {});

  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

  void debug(std::string_view message, Fields fields = {},
             std::source_location where = std::source_location::current()) {
    write(LogLevel::kDebug, message, fields, where);
  }
  void info(std::string_view message, Fields fields = {},
            std::source_location where = std::source_location::current()) {
    write(LogLevel::kInfo, message, fields, where);
  }
  void warn(std::string_view message, Fields fields = {},
            std::source_location where = std::source_location::current()) {
    write(LogLevel::kWarn, message, fields, where);
  }
  void error(std::string_view message, Fields fields = {},
             std::source_location where = std::source_location::current()) {
    write(LogLevel::kError, message, fields, where);
  }

 private:
  void write(LogLevel level, std::string_view message, Fields fields,
             const std::source_location& where);

  std::atomic<LogLevel> level_;
  LogFormat format_;
  const Clock& clock_;
  Sink sink_;
};

// "2026-11-21T00:00:00.000Z", UTC.
std::string format_utc(Timestamp time_ms);

}  // namespace varve::base
