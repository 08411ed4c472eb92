// SPDX-License-Identifier: Apache-2.0
#include "cli/check_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <istream>
#include <iterator>
#include <map>
#include <ostream>
#include <utility>

#include "cli/arguments.h"
#include "cli/metrics_lint.h"

namespace varve::cli {
namespace {

std::size_t cardinality(const MetricFamily& family) {
  const bool composed = family.type == "histogram" || family.type == "summary";
  return family.metrics.size() * (composed ? 2 + family.first_parts : 1);
}

// Cells padded to their column and four spaces more.
void print_table(const std::vector<std::array<std::string, 3>>& rows, const Console& console) {
  std::array<std::size_t, 3> width{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size() + 4);
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      console.out << row[i] << std::string(width[i] - row[i].size(), ' ');
    }
    console.out << "\n";
  }
}

void print_cardinality(const std::map<std::string, MetricFamily>& families,
                       const Console& console) {
  std::vector<const MetricFamily*> sorted;
  std::size_t total = 0;
  for (const auto& [name, family] : families) {
    if (family.metrics.empty()) continue;
    sorted.push_back(&family);
    total += cardinality(family);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const MetricFamily* a, const MetricFamily* b) {
    return cardinality(*a) > cardinality(*b);
  });
  std::vector<std::array<std::string, 3>> rows{{"Metric", "Cardinality", "Percentage"}};
  for (const MetricFamily* family : sorted) {
    const std::size_t count = cardinality(*family);
    rows.push_back(
        {family->name, std::to_string(count),
         fmt::format("{:.2f}%", 100 * static_cast<double>(count) / static_cast<double>(total))});
  }
  rows.push_back({"Total", std::to_string(total), "100%"});
  print_table(rows, console);
}

}  // namespace

int check_metrics(const std::vector<std::string>& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"extended", false}, {"lint"}};
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok()) {
    console.err << "varve: error: " << arguments.error().message() << "\n";
    return kExitFailure;
  }
  const bool linting = arguments->text("lint", "all") != "none";
  const bool extended = arguments->on("extended");
  if (!linting && !extended) {
    console.err << "error: at least one of --extended or linting must be enabled\n"
                   "Use --extended for cardinality analysis, or remove --lint=none to enable "
                   "linting\n";
    return kExitFailure;
  }
  const std::string page{std::istreambuf_iterator<char>(console.in), {}};
  const auto families = read_families(page);
  if (!families.ok()) {
    console.err << (linting ? "error while linting: "
                            : "error while parsing text to metric families: ")
                << families.error().message() << "\n";
    return kExitFailure;
  }
  bool clean = true;
  for (const auto& [name, family] : *families) {
    std::vector<std::string> remarks = linting ? lint(family) : std::vector<std::string>();
    std::sort(remarks.begin(), remarks.end());
    for (const std::string& remark : remarks) console.err << name << " " << remark << "\n";
    clean = clean && remarks.empty();
  }
  if (extended) print_cardinality(*families, console);
  return clean ? kExitOk : kExitLint;
}

}  // namespace varve::cli
