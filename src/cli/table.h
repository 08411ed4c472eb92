// SPDX-License-Identifier: Apache-2.0
// What a command found out, as aligned text for people or as JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "varve/sample.h"

namespace varve::cli {

struct Bytes {
  std::uint64_t count = 0;  // "1.2 MiB"; in JSON the number
};
struct Moment {
  Timestamp ms = 0;  // RFC 3339; in JSON milliseconds
};
struct Fraction {
  double value = 0;  // three decimals; in JSON all
};
using Cell = std::variant<std::string, std::uint64_t, Bytes, Moment, Fraction>;

struct TableColumn {
  std::string_view title;
  std::string_view key;  // in JSON
};

struct Table {
  std::string_view title;
  std::string_view key;
  std::vector<TableColumn> columns;
  std::vector<std::vector<Cell>> rows;  // one cell per column
};

std::string cell_text(const Cell& cell);
// Tables without rows are left out. Text stands left, numbers right.
std::string to_text(const std::vector<Table>& tables);
// One object: a list of objects for each table.
std::string to_json(const std::vector<Table>& tables);

}  // namespace varve::cli
