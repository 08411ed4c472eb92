// SPDX-License-Identifier: Apache-2.0
// `varve tsdb plan`: the disk that a number of series will take, from what a sample takes in a data
// directory, or from assumptions that are said to be some.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <ostream>
#include <string_view>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/disk_plan.h"
#include "cli/table.h"
#include "cli/tsdb.h"
#include "config/config.h"
#include "fs/real_fs.h"
#include "model/duration.h"
#include "storage/inspect.h"

namespace varve::cli {
namespace {

using Words = std::vector<std::string>;
using std::chrono::milliseconds;

// Raw blocks of the longest window there is: most of a long history will be as dense as they are.
struct Measured {
  std::uint64_t blocks = 0, samples = 0, bytes = 0;
  milliseconds window{0};
  std::uint64_t series = 0;       // of the newest block
  milliseconds interval{0};       // between samples of a series in it
  Timestamp newest_ms = TimeRange::all().min_ms;
};

Measured measure(const storage::DirectoryListing& listing) {
  Measured out;
  for (const storage::BlockListing& one : listing.blocks) {
    const storage::block::BlockMeta& meta = one.meta;
    const std::uint64_t samples = meta.floats + meta.histograms;
    if (!one.problem.empty() || meta.resolution_ms != 0 || meta.out_of_order || samples == 0)
      continue;
    const milliseconds window{meta.window_end_ms - meta.window_begin_ms};
    if (window > out.window) {
      out.window = window;
      out.blocks = out.samples = out.bytes = 0;
    }
    if (window == out.window) {
      ++out.blocks;
      out.samples += samples;
      out.bytes += meta.bytes;
    }
    if (meta.range.max_ms <= out.newest_ms || meta.series == 0) continue;
    out.newest_ms = meta.range.max_ms;
    out.series = meta.series;
    const std::uint64_t each = samples / meta.series;
    out.interval = each < 2 ? milliseconds(0)
                            : milliseconds((meta.range.max_ms - meta.range.min_ms) /
                                           static_cast<std::int64_t>(each - 1));
  }
  return out;
}

Result<milliseconds> duration_flag(const Arguments& arguments, std::string_view flag) {
  const auto parsed = model::parse_duration(arguments.text(flag));
  if (!parsed.ok()) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("--{}: {}", flag, parsed.error().message()));
  }
  return milliseconds(*parsed);
}

// What is kept how long: of a configuration file, or of the flags, which are read as if they stood
// in one.
Result<config::StorageConfig> history(const Arguments& arguments, fs::FileSystem& files) {
  config::RawRetention raw;
  if (arguments.given("retention")) {
    VARVE_TRY_ASSIGN(raw.value, duration_flag(arguments, "retention"));
    raw.given = true;
  }
  const auto environment = [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::string() : std::string(value);
  };
  if (arguments.given("config")) {
    if (arguments.given("ladder")) {
      return Error(ErrorCode::kInvalidArgument, "--config and --ladder cannot both be given");
    }
    VARVE_TRY_ASSIGN(config::Config config,
                     config::load_file(files, arguments.text("config"), environment, {raw}));
    return std::move(config.storage);
  }
  const std::string text =
      fmt::format("storage: {{tsdb: {{ladder: '{}'}}}}", arguments.text("ladder", "none"));
  Result<config::Config> config = config::parse(text, "--ladder", environment, {raw});
  if (config.ok()) return std::move(config->storage);
  // Not where in the text above: nobody has written that.
  const std::string& message = config.error().message();
  const std::size_t what = message.find(": ");
  return Error(config.error().code(),
               "--ladder" + (what == std::string::npos ? ": " + message : message.substr(what)));
}

// Buckets of levels that the directory has are measured there.
std::vector<UnitCost> bucket_costs(const storage::Ladder& ladder,
                                   const storage::DirectoryListing& listing) {
  std::vector<UnitCost> costs;
  for (const storage::LevelOptions& level : ladder.levels) {
    std::uint64_t blocks = 0, buckets = 0, bytes = 0;
    for (const storage::BlockListing& one : listing.blocks) {
      if (!one.problem.empty() || one.meta.resolution_ms != level.resolution.count()) continue;
      ++blocks;
      buckets += one.meta.floats + one.meta.histograms;
      bytes += one.meta.bytes;
    }
    if (buckets > 0) {
      costs.push_back({static_cast<double>(bytes) / static_cast<double>(buckets),
                       fmt::format("measured, {} blocks", blocks)});
    } else {
      costs.push_back({kAssumedBucketBytes + (level.sketch ? kAssumedSketchBytes : 0), "assumed"});
    }
  }
  return costs;
}

// As people write it: 10000, 1e4, 10k, 2.5M.
Result<std::uint64_t> series_count(const std::string& text) {
  constexpr double kSeriesMax = 1e12;
  const char* const last = text.data() + text.size();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  const double factor = unit.empty()                 ? 1
                        : unit == "k" || unit == "K" ? 1e3
                        : unit == "M"                ? 1e6
                        : unit == "G"                ? 1e9
                                                     : 0;
  const double count = std::round(number * factor);
  if (error != std::errc() || !(count >= 1 && count <= kSeriesMax)) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("--series: '{}' is no number of series; 10000, 1e4, 10k and 2.5M are", text));
  }
  return static_cast<std::uint64_t>(count);
}

Result<PlanInput> plan_input(const Arguments& arguments, fs::FileSystem& files) {
  PlanInput input;
  VARVE_TRY_ASSIGN(config::StorageConfig kept, history(arguments, files));
  input.raw_retention = kept.raw_retention;
  input.ladder = std::move(kept.ladder);
  input.sample = {kAssumedSampleBytes, "assumed"};
  input.head = {kAssumedHeadBytes, "assumed"};
  Measured measured;
  storage::DirectoryListing listing;
  if (!arguments.positional().empty()) {
    VARVE_TRY_ASSIGN(listing,
                     storage::list_directory(files, arguments.positional()[0], false));
    measured = measure(listing);
    if (measured.samples > 0) {
      input.sample = {
          static_cast<double>(measured.bytes) / static_cast<double>(measured.samples),
          fmt::format("measured, {} blocks of {}", measured.blocks,
                      model::format_duration(measured.window.count()))};
    }
  }
  input.buckets = bucket_costs(input.ladder, listing);
  if (arguments.given("series")) {
    VARVE_TRY_ASSIGN(input.series, series_count(arguments.text("series")));
  } else {
    input.series = measured.series;
  }
  if (arguments.given("interval")) {
    VARVE_TRY_ASSIGN(input.interval, duration_flag(arguments, "interval"));
  } else {
    input.interval = measured.interval.count() > 0 ? measured.interval : std::chrono::seconds(15);
  }
  if (input.interval.count() <= 0) {
    return Error(ErrorCode::kInvalidArgument, "--interval: it must be longer than 0");
  }
  if (input.series == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "how many series there will be is not known: give --series, or a data directory "
                 "with blocks");
  }
  return input;
}

Cell kept_cell(milliseconds kept) {
  return kept.count() == 0 ? std::string("for ever") : model::format_duration(kept.count());
}

std::vector<Table> plan_tables(const PlanInput& input, const Plan& plan) {
  Table given{"Planned for",
              "given",
              {{"series", "series"}, {"interval", "interval"}, {"samples/s", "samples_per_second"}},
              {}};
  given.rows.push_back({input.series, model::format_duration(input.interval.count()),
                        Fraction{static_cast<double>(input.series) * 1000 /
                                 static_cast<double>(input.interval.count())}});
  Table rows{"Disk",
             "levels",
             {{"what", "what"},
              {"kept", "kept"},
              {"count", "count"},
              {"B each", "bytes_each"},
              {"from", "source"},
              {"size", "bytes"}},
             {}};
  for (const PlanRow& row : plan.rows) {
    rows.rows.push_back({row.what, kept_cell(row.kept), static_cast<std::uint64_t>(row.count),
                         Fraction{row.unit.bytes}, row.unit.source,
                         Bytes{static_cast<std::uint64_t>(row.bytes)}});
  }
  Table total{"Total", "total", {{"size", "bytes"}, {"grows each year by", "bytes_per_year"}}, {}};
  total.rows.push_back({Bytes{static_cast<std::uint64_t>(plan.bytes)},
                        Bytes{static_cast<std::uint64_t>(plan.bytes_per_year)}});
  Table notes{"Notes", "notes", {{"note", "note"}}, {}};
  if (plan.bytes_per_year > 0) {
    notes.rows.push_back({std::string("what is kept for ever counts with its first year")});
  }
  if (!input.ladder.policies.empty()) {
    notes.rows.push_back({std::string("retentions of series are not counted: how many series they "
                                      "pick is not known")});
  }
  notes.rows.push_back(
      {std::string("series that come and go count as often as new ones come within "
                   "the time they are kept")});
  return {given, rows, total, notes};
}

}  // namespace

int tsdb_plan(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"json", false}, {"series"},    {"interval"},
                                        {"ladder"},      {"config"},    {"retention"}};
  const auto fail = [&console](const Error& error) {
    console.err << "varve: error: " << error.message() << "\n";
    return kExitFailure;
  };
  const auto arguments = Arguments::parse(words, kFlags);
  if (!arguments.ok()) return fail(arguments.error());
  if (arguments->positional().size() > 1) {
    return fail(Error(ErrorCode::kInvalidArgument,
                      "unexpected '" + arguments->positional()[1] + "'"));
  }
  fs::RealFs files;
  const auto input = plan_input(*arguments, files);
  if (!input.ok()) return fail(input.error());
  const std::vector<Table> tables = plan_tables(*input, plan_disk(*input));
  console.out << (arguments->on("json") ? to_json(tables) : to_text(tables));
  return kExitOk;
}

}  // namespace varve::cli
