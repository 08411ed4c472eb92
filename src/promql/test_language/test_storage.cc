// SPDX-License-Identifier: Apache-2.0
#include "promql/test_storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/try.h"
#include "promql/test_language/memory_storage.h"
#include "promql/test_language/series_notation.h"

namespace varve::promql {

using test_language::MemoryStorage;
using test_language::SequenceValue;
using test_language::SeriesLine;

struct TestStorage::Contents {
  Timestamp start_ms = 0;
  std::int64_t interval_ms = 0;
  std::vector<SeriesLine> lines;
  std::size_t loaded = 0;  // positions of every line that are visible
  MemoryStorage storage;
};

TestStorage::TestStorage(Timestamp start_ms, std::int64_t interval_ms)
    : contents_(std::make_unique<Contents>()) {
  contents_->start_ms = start_ms;
  contents_->interval_ms = interval_ms;
}
TestStorage::~TestStorage() = default;

Status TestStorage::add_series(std::string_view series, std::string_view values) {
  VARVE_TRY_ASSIGN(SeriesLine line,
                   test_language::parse_series_line(fmt::format("{} {}", series, values)));
  auto& lines = contents_->lines;
  const auto same = std::find_if(lines.begin(), lines.end(), [&](const SeriesLine& other) {
    return other.labels == line.labels;
  });
  if (same != lines.end()) {
    *same = std::move(line);
  } else {
    lines.push_back(std::move(line));
  }
  return {};
}

void TestStorage::load_until(Timestamp time_ms) {
  Contents& all = *contents_;
  if (time_ms < all.start_ms || all.interval_ms <= 0) return;
  const auto wanted = static_cast<std::size_t>((time_ms - all.start_ms) / all.interval_ms) + 1;
  bool histograms = false;
  for (const SeriesLine& line : all.lines) {
    for (std::size_t i = all.loaded; i < std::min(wanted, line.values.size()); ++i) {
      const SequenceValue& value = line.values[i];
      const Timestamp at = all.start_ms + static_cast<std::int64_t>(i) * all.interval_ms;
      if (value.kind == SequenceValue::Kind::kFloat) {
        all.storage.add(line.labels, at, value.value);
      } else if (value.kind == SequenceValue::Kind::kHistogram) {
        all.storage.add(line.labels, at, value.histogram);
        histograms = true;
      }
    }
  }
  all.loaded = std::max(all.loaded, wanted);
  if (histograms) all.storage.detect_resets();
}

TestStorage::Outcome TestStorage::append(const Labels& labels, Timestamp time_ms, double value,
                                         const HistogramPtr& histogram) {
  MemoryStorage& storage = contents_->storage;
  if (const auto found = storage.series().find(labels); found != storage.series().end()) {
    const auto& [floats, histograms, starts] = found->second;
    const bool newer = (!floats.empty() && floats.rbegin()->first > time_ms) ||
                       (!histograms.empty() && histograms.rbegin()->first > time_ms);
    if (newer) return Outcome::kOutOfOrder;
    if (const auto at = floats.find(time_ms); at != floats.end()) {
      const bool same = histogram == nullptr && std::bit_cast<std::uint64_t>(at->second) ==
                                                    std::bit_cast<std::uint64_t>(value);
      return same ? Outcome::kAppended : Outcome::kDuplicate;
    }
    if (histograms.contains(time_ms)) return Outcome::kDuplicate;
  }
  if (histogram == nullptr) {
    storage.add(labels, time_ms, value);
  } else {
    storage.add(labels, time_ms, histogram);
    storage.detect_resets();
  }
  return Outcome::kAppended;
}

const storage::Queryable& TestStorage::queryable() const { return contents_->storage; }

Result<Labels> parse_metric(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Labels();
  VARVE_TRY_ASSIGN(SeriesLine line, test_language::parse_series_line(fmt::format("{} 0", text)));
  return std::move(line.labels);
}

Result<HistogramPtr> parse_histogram(std::string_view text) {
  VARVE_TRY_ASSIGN(const SeriesLine line,
                   test_language::parse_series_line(fmt::format("{{}} {}", text)));
  if (line.values.size() != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("expected 1 value, got {}", line.values.size()));
  }
  if (line.values[0].kind != SequenceValue::Kind::kHistogram) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("expected histogram, got {}", text));
  }
  return line.values[0].histogram;
}

}  // namespace varve::promql
