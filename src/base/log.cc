// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

namespace varve::base {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "DEBUG";
    case LogLevel::kInfo: return "INFO";
    case LogLevel::kWarn: return "WARN";
    case LogLevel::kError: return "ERROR";
  }
  return "INFO";
}

// Go's slog quotes what holds blanks, quotes, '=' or control bytes, and the empty string.
bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void append_quoted(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_field(std::string& out, LogFormat format, std::string_view key,
                  std::string_view value) {
  if (format == LogFormat::kJson) {
    out += out.empty() ? '{' : ',';
    append_quoted(out, key);
    out += ':';
    append_quoted(out, value);
    return;
  }
  if (!out.empty()) out += ' ';
  out += key;
  out += '=';
  if (needs_quotes(value)) {
    append_quoted(out, value);
  } else {
    out += value;
  }
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n <= 0) return;  // nowhere left to complain
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

std::string format_utc(Timestamp time_ms) {
  std::int64_t seconds = time_ms / 1000;
  std::int64_t millis = time_ms % 1000;
  if (millis < 0) {
    millis += 1000;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     millis);
}

Logger::Logger(LogLevel level, LogFormat format, const Clock& clock, Sink sink)
    : level_(level), format_(format), clock_(clock), sink_(std::move(sink)) {
  if (!sink_) sink_ = write_to_stderr;
  sink_ = [inner = std::move(sink_),
           mutex = std::make_shared<std::mutex>()](std::string_view line) {
    const std::lock_guard lock(*mutex);
    inner(line);
  };
}

void Logger::write(LogLevel level, std::string_view message, Fields fields,
                   const std::source_location& where) {
  if (!enabled(level)) return;
  std::string line;
  append_field(line, format_, "time", format_utc(clock_.now_ms()));
  append_field(line, format_, "level", level_name(level));
  append_field(line, format_, "source",
               fmt::format("{}:{}", base_name(where.file_name()), where.line()));
  append_field(line, format_, "msg", message);
  for (const LogField& field : fields) append_field(line, format_, field.key, field.value);
  line += format_ == LogFormat::kJson ? "}\n" : "\n";
  sink_(line);
}

}  // namespace varve::base
