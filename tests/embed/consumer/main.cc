// SPDX-License-Identifier: Apache-2.0
// Opens a database, writes, closes, opens again, asks. Argument: an empty directory.
#include <varve/db.h>

#include <cstdio>

namespace {

int fail(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage", "consumer DIRECTORY");
  constexpr varve::Timestamp kStart = 1'700'000'000'000;
  varve::DatabaseOptions options;
  options.retention = std::chrono::milliseconds(0);
  {
    auto db = varve::Database::open(argv[1], options);
    if (!db.ok()) return fail("open", db.error().message());
    varve::SeriesData series;
    series.labels = {{"__name__", "temperature"}, {"room", "lab"}};
    for (int i = 0; i < 100; ++i) series.samples.push_back({kStart + i * 15'000, 20.0 + i});
    const auto report = (*db)->append({series});
    if (!report.ok()) return fail("append", report.error().message());
    if (report->accepted != 100) return fail("append", report->first_refusal);
    if (const auto closed = (*db)->close(); !closed.ok()) {
      return fail("close", closed.error().message());
    }
  }
  auto db = varve::Database::open(argv[1], options);
  if (!db.ok()) return fail("reopen", db.error().message());
  const auto result =
      (*db)->query("max_over_time(temperature{room=\"lab\"}[1h])", kStart + 99 * 15'000);
  if (!result.ok()) return fail("query", result.error().message());
  const auto* vector = std::get_if<varve::Vector>(&result->value);
  if (vector == nullptr || vector->size() != 1 || (*vector)[0].value != 119.0) {
    return fail("query", "not the answer that was written");
  }
  const auto broken = (*db)->query("sum(", kStart);
  if (broken.ok()) return fail("query", "a broken expression was accepted");
  std::printf("%s = %g\n", (*vector)[0].labels.to_string().c_str(), (*vector)[0].value);
  return 0;
}
