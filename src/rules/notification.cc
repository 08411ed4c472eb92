// SPDX-License-Identifier: Apache-2.0
// What Alertmanagers are told, and how it is written.
#include <fmt/format.h>

#include "base/log.h"
#include "base/percent_encode.h"
#include "rules/notifier.h"

namespace varve::rules {
namespace {

void append_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_text(out, name);
  out += ':';
  append_text(out, value);
}

void append_time(std::string& out, std::string_view name, Timestamp time_ms) {
  append_member(out, name,
                time_ms == kNever ? "0001-01-01T00:00:00.000Z" : base::format_utc(time_ms));
}

}  // namespace

std::vector<Notification> to_notifications(const std::vector<Alert>& alerts,
                                           std::string_view expression,
                                           std::string_view external_url) {
  const std::string link =
      fmt::format("{}/graph?g0.expr={}&g0.tab=1", external_url, base::query_escape(expression));
  std::vector<Notification> out;
  out.reserve(alerts.size());
  for (const Alert& alert : alerts) {
    const Timestamp end =
        alert.resolved_at_ms != kNever ? alert.resolved_at_ms : alert.valid_until_ms;
    out.push_back({alert.labels, alert.annotations, alert.fired_at_ms, end, link});
  }
  return out;
}

std::string to_json(std::span<const Notification> notifications) {
  std::string out = "[";
  for (const Notification& notification : notifications) {
    out += out.size() > 1 ? ",{\"annotations\":{" : "{\"annotations\":{";
    for (const auto& [name, value] : notification.annotations) append_member(out, name, value);
    out += '}';
    append_time(out, "endsAt", notification.ends_at_ms);
    append_time(out, "startsAt", notification.starts_at_ms);
    append_member(out, "generatorURL", notification.generator_url);
    out += ",\"labels\":{";
    for (const LabelView& label : notification.labels) append_member(out, label.name, label.value);
    out += "}}";
  }
  return out + ']';
}

}  // namespace varve::rules
