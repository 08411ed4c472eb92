// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace varve::cli {
namespace {

template <typename... Forms>
struct Overloaded : Forms... {
  using Forms::operator()...;
};
template <typename... Forms>
Overloaded(Forms...) -> Overloaded<Forms...>;

// Years that gmtime can do; beyond, plain milliseconds.
constexpr Timestamp kTextMaxMs = 253'402'300'799'000;  // the end of 9999
constexpr Timestamp kTextMinMs = -62'135'596'800'000;  // the beginning of 1

std::string moment_text(Timestamp ms) {
  if (ms > kTextMaxMs || ms < kTextMinMs) return std::to_string(ms);
  const Timestamp millis = ((ms % 1000) + 1000) % 1000;
  const std::time_t seconds = (ms - millis) / 1000;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return std::to_string(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", parts, millis);
}

std::string bytes_text(std::uint64_t count) {
  static constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(count);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", count) : fmt::format("{:.2f} {}", value, kUnits[unit]);
}

bool is_text(const Cell& cell) {
  return std::holds_alternative<std::string>(cell) || std::holds_alternative<Moment>(cell);
}

}  // namespace

std::string cell_text(const Cell& cell) {
  return std::visit(
      Overloaded{[](const std::string& text) { return text; },
                 [](std::uint64_t number) { return std::to_string(number); },
                 [](Bytes bytes) { return bytes_text(bytes.count); },
                 [](Moment moment) { return moment_text(moment.ms); },
                 [](Fraction fraction) { return fmt::format("{:.3f}", fraction.value); }},
      cell);
}

std::string to_text(const std::vector<Table>& tables) {
  std::string out;
  for (const Table& table : tables) {
    if (table.rows.empty()) continue;
    if (!out.empty()) out += '\n';
    if (!table.title.empty()) out += fmt::format("{}\n", table.title);
    std::vector<std::vector<std::string>> lines;
    std::vector<std::size_t> widths;
    lines.emplace_back();
    for (const TableColumn& column : table.columns) {
      lines.back().emplace_back(column.title);
      widths.push_back(column.title.size());
    }
    for (const std::vector<Cell>& row : table.rows) {
      lines.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) {
        lines.back().push_back(cell_text(row[i]));
        widths[i] = std::max(widths[i], lines.back().back().size());
      }
    }
    for (const std::vector<std::string>& line : lines) {
      std::string text;
      for (std::size_t i = 0; i < line.size(); ++i) {
        if (i > 0) text += "  ";
        text += is_text(table.rows.front()[i]) ? fmt::format("{:<{}}", line[i], widths[i])
                                               : fmt::format("{:>{}}", line[i], widths[i]);
      }
      text.erase(text.find_last_not_of(' ') + 1);
      out += text + "\n";
    }
  }
  return out;
}

std::string to_json(const std::vector<Table>& tables) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Table& table : tables) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const std::vector<Cell>& row : table.rows) {
      nlohmann::ordered_json object;
      for (std::size_t i = 0; i < row.size(); ++i) {
        nlohmann::ordered_json& field = object[std::string(table.columns[i].key)];
        std::visit(Overloaded{[&](const std::string& text) { field = text; },
                              [&](std::uint64_t number) { field = number; },
                              [&](Bytes bytes) { field = bytes.count; },
                              [&](Moment moment) { field = moment.ms; },
                              [&](Fraction fraction) { field = fraction.value; }},
                   row[i]);
      }
      list.push_back(std::move(object));
    }
    json[std::string(table.key)] = std::move(list);
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace varve::cli
