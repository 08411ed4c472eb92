// SPDX-License-Identifier: Apache-2.0
#include "cli/tsdb.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <ostream>

#include "base/try.h"
#include "cli/arguments.h"
#include "cli/table.h"
#include "fs/real_fs.h"
#include "model/duration.h"
#include "model/histogram.h"
#include "model/number.h"
#include "promql/parser.h"
#include "storage/inspect.h"

namespace varve::cli {
namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kDefaultDirectory = "data/";

int fail(const Console& console, const Error& error) {
  console.err << "varve: error: " << error.message() << "\n";
  return kExitFailure;
}

// The one positional argument all of these have.
std::string directory_of(const Arguments& arguments) {
  return arguments.positional().empty() ? std::string(kDefaultDirectory)
                                        : arguments.positional()[0];
}

Result<Arguments> parse(const Words& words, std::span<const FlagSpec> flags,
                        std::size_t positional_max) {
  VARVE_TRY_ASSIGN(Arguments arguments, Arguments::parse(words, flags));
  if (arguments.positional().size() > positional_max) {
    return Error(ErrorCode::kInvalidArgument,
                 "unexpected '" + arguments.positional()[positional_max] + "'");
  }
  return arguments;
}

template <typename Number>
Result<Number> number(const Arguments& arguments, std::string_view flag, Number fallback) {
  if (!arguments.given(flag)) return fallback;
  const std::string text = arguments.text(flag);
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("--{}: '{}' is no number", flag, text));
  }
  return value;
}

void print(const Arguments& arguments, const std::vector<Table>& tables, const Console& console) {
  console.out << (arguments.on("json") ? to_json(tables) : to_text(tables));
}

Fraction ratio(std::uint64_t a, std::uint64_t b) {
  return {b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b)};
}

std::string resolution_text(std::int64_t resolution_ms) {
  return resolution_ms == 0 ? "raw" : model::format_duration(resolution_ms);
}

std::vector<Table> listing_tables(const storage::DirectoryListing& listing) {
  Table blocks{"Blocks",
               "blocks",
               {{"block", "ulid"},
                {"from", "min_ms"},
                {"to", "max_ms"},
                {"level", "level"},
                {"resolution", "resolution"},
                {"series", "series"},
                {"chunks", "chunks"},
                {"samples", "samples"},
                {"size", "bytes"},
                {"B/sample", "bytes_per_sample"},
                {"notes", "notes"}},
               {}};
  for (const storage::BlockListing& one : listing.blocks) {
    const storage::block::BlockMeta& meta = one.meta;
    std::string notes = meta.out_of_order ? "out of order" : "";
    if (one.series_with_deletes > 0) {
      notes += fmt::format("{}{} series with deletes", notes.empty() ? "" : ", ",
                           one.series_with_deletes);
    }
    if (!one.problem.empty()) notes = one.problem;
    const std::uint64_t samples = meta.floats + meta.histograms;
    blocks.rows.push_back({one.folder, Moment{meta.range.min_ms}, Moment{meta.range.max_ms},
                           std::uint64_t{meta.level}, resolution_text(meta.resolution_ms),
                           meta.series, meta.chunks, samples, Bytes{meta.bytes},
                           ratio(meta.bytes, samples), notes});
  }
  Table head{"Head (memory, rebuilt from snapshot and log)",
             "head",
             {{"from", "min_ms"},
              {"to", "max_ms"},
              {"series", "series"},
              {"chunks", "chunks"},
              {"log segments", "log_segments"},
              {"samples in log", "log_samples"},
              {"samples lost", "log_samples_lost"}},
             {}};
  if (listing.head) {
    const storage::HeadListing& one = *listing.head;
    head.rows.push_back(
        {one.range.empty() ? Cell(std::string("-")) : Cell(Moment{one.range.min_ms}),
         one.range.empty() ? Cell(std::string("-")) : Cell(Moment{one.range.max_ms}), one.series,
         one.chunks, one.log_segments, one.log_samples, one.log_samples_lost});
  }
  Table files{"Files", "files", {{"what", "what"}, {"files", "files"}, {"size", "bytes"}}, {}};
  std::uint64_t block_bytes = 0;
  for (const storage::BlockListing& one : listing.blocks) block_bytes += one.meta.bytes;
  files.rows.push_back(
      {std::string("blocks"), std::uint64_t{2 * listing.blocks.size()}, Bytes{block_bytes}});
  for (const storage::FileGroup& one : listing.files) {
    files.rows.push_back({one.what, one.files, Bytes{one.bytes}});
  }
  Table holds{"Held, whatever the retention",
              "holds",
              {{"hold", "id"},
               {"from", "min_ms"},
               {"to", "max_ms"},
               {"series", "match"},
               {"since", "created_ms"},
               {"comment", "comment"}},
              {}};
  for (const storage::HoldRecord& one : listing.holds) {
    std::string match;
    for (const model::Matchers& matchers : one.hold.selectors) {
      match += (match.empty() ? "" : " or ") + storage::selector_text(matchers);
    }
    const auto bound = [](Timestamp ms) {
      const bool open = ms == TimeRange::all().min_ms || ms == TimeRange::all().max_ms;
      return open ? Cell(std::string("-")) : Cell(Moment{ms});
    };
    holds.rows.push_back({one.hold.id, bound(one.hold.range.min_ms), bound(one.hold.range.max_ms),
                          match, Moment{one.created_ms}, one.comment});
  }
  Table problems{"Problems", "problems", {{"what", "what"}}, {}};
  for (const std::string& one : listing.problems) problems.rows.push_back({one});
  return {blocks, holds, head, files, problems};
}

Table metric_table(std::string_view title, std::string_view key,
                   const std::vector<storage::MetricShare>& rows) {
  Table table{title,
              key,
              {{"metric", "metric"},
               {"series", "series"},
               {"samples", "samples"},
               {"size", "bytes"},
               {"B/sample", "bytes_per_sample"}},
              {}};
  for (const storage::MetricShare& one : rows) {
    table.rows.push_back(
        {one.name, one.series, one.samples, Bytes{one.bytes}, ratio(one.bytes, one.samples)});
  }
  return table;
}

Table label_table(std::string_view title, std::string_view key,
                  const std::vector<storage::LabelShare>& rows) {
  Table table{title,
              key,
              {{"label", "label"},
               {"values", "values"},
               {"series", "series"},
               {"size of values", "value_bytes"}},
              {}};
  for (const storage::LabelShare& one : rows) {
    table.rows.push_back({one.name, one.values, one.series, Bytes{one.value_bytes}});
  }
  return table;
}

std::vector<Table> analysis_tables(const storage::Analysis& analysis) {
  const std::uint64_t samples = analysis.floats + analysis.histograms;
  Table total{"Total",
              "total",
              {{"blocks", "blocks"},
               {"from", "min_ms"},
               {"to", "max_ms"},
               {"series", "series"},
               {"label pairs", "label_pairs"},
               {"chunks", "chunks"},
               {"samples", "samples"},
               {"histograms", "histograms"},
               {"size", "bytes"},
               {"B/sample", "bytes_per_sample"},
               {"samples/chunk", "samples_per_chunk"},
               {"series under 10 samples", "series_under_ten_samples"}},
              {}};
  total.rows.push_back({analysis.blocks, Moment{analysis.range.min_ms},
                        Moment{analysis.range.max_ms}, analysis.series, analysis.label_pairs,
                        analysis.chunks, samples, analysis.histograms, Bytes{analysis.bytes},
                        ratio(analysis.bytes, samples), ratio(samples, analysis.chunks),
                        analysis.series_under_ten_samples});
  Table parts{"Where the bytes go",
              "parts",
              {{"part", "part"},
               {"size", "bytes"},
               {"share", "share"},
               {"B/series", "bytes_per_series"},
               {"B/sample", "bytes_per_sample"}},
              {}};
  for (const storage::PartShare& one : analysis.parts) {
    parts.rows.push_back({one.name, Bytes{one.bytes}, ratio(one.bytes, analysis.bytes),
                          ratio(one.bytes, analysis.series), ratio(one.bytes, samples)});
  }
  Table codecs{"Encodings of chunks",
               "codecs",
               {{"encoding", "encoding"},
                {"chunks", "chunks"},
                {"share", "share"},
                {"samples", "samples"},
                {"size", "bytes"},
                {"B/sample", "bytes_per_sample"}},
               {}};
  for (const storage::CodecShare& one : analysis.codecs) {
    codecs.rows.push_back({one.name, one.chunks, ratio(one.chunks, analysis.chunks), one.samples,
                           Bytes{one.bytes}, ratio(one.bytes, one.samples)});
  }
  Table pairs{
      "Label pairs that most series have", "pairs", {{"pair", "pair"}, {"series", "series"}}, {}};
  for (const storage::PairShare& one : analysis.pairs) pairs.rows.push_back({one.pair, one.series});
  Table churn{"Churn, window by window",
              "churn",
              {{"from", "window_begin_ms"},
               {"to", "window_end_ms"},
               {"series", "series"},
               {"new", "appeared"},
               {"gone", "vanished"}},
              {}};
  for (const storage::ChurnShare& one : analysis.churn) {
    churn.rows.push_back({Moment{one.window_begin_ms}, Moment{one.window_end_ms}, one.series,
                          one.appeared, one.vanished});
  }
  Table levels{"Samples and levels",
               "levels",
               {{"resolution", "resolution"},
                {"from", "min_ms"},
                {"to", "max_ms"},
                {"blocks", "blocks"},
                {"series", "series"},
                {"buckets", "buckets"},
                {"size", "bytes"},
                {"B/bucket", "bytes_per_bucket"}},
               {}};
  for (const storage::LevelShare& one : analysis.levels) {
    levels.rows.push_back({resolution_text(one.resolution_ms), Moment{one.range.min_ms},
                           Moment{one.range.max_ms}, one.blocks, one.series, one.buckets,
                           Bytes{one.bytes}, ratio(one.bytes, one.buckets)});
  }
  return {total,
          levels,
          parts,
          codecs,
          metric_table("Metrics by size", "metrics_by_bytes", analysis.metrics),
          metric_table("Metrics by series", "metrics_by_series", analysis.metrics_by_series),
          label_table("Labels by distinct values", "labels_by_values", analysis.labels),
          label_table("Labels by size of values", "labels_by_bytes", analysis.labels_by_bytes),
          pairs,
          churn};
}

// As promtool prints label sets: the metric name is a label like the others.
std::string dump_labels(const Labels& labels) {
  std::string text = "{";
  for (const LabelView& label : labels) {
    if (text.size() > 1) text += ", ";
    text += fmt::format("{}={}", label.name, promql::quote(label.value));
  }
  return text + "}";
}

// Floats and histograms of a series by time, as one sequence.
void dump_samples(const std::string& labels, const storage::SeriesSamples& samples,
                  std::ostream& out) {
  std::size_t h = 0;
  const auto histograms_before = [&](Timestamp end) {
    for (; h < samples.histograms.size() && samples.histogram_times[h] < end; ++h) {
      out << labels << ' ' << model::to_string(*samples.histograms[h]) << ' '
          << samples.histogram_times[h] << '\n';
    }
  };
  for (std::size_t i = 0; i < samples.float_times.size(); ++i) {
    histograms_before(samples.float_times[i]);
    out << labels << ' ' << model::format_float_g(samples.float_values[i]) << ' '
        << samples.float_times[i] << '\n';
  }
  histograms_before(TimeRange::all().max_ms);
}

Result<std::vector<std::vector<model::Matcher>>> selectors_of(const Arguments& arguments) {
  std::vector<std::vector<model::Matcher>> selectors;
  for (const std::string& text : arguments.all("match")) {
    VARVE_TRY_ASSIGN(model::Matchers matchers, promql::parse_selector(text));
    selectors.push_back(std::move(matchers));
  }
  if (selectors.empty()) {
    VARVE_TRY_ASSIGN(model::Matcher all, model::Matcher::create(model::MatchType::kRegex,
                                                                std::string(kMetricName), ".+"));
    selectors.push_back({std::move(all)});
  }
  return selectors;
}

Status dump(const storage::Archive& archive, const Arguments& arguments, std::ostream& out,
            std::vector<std::string>& problems) {
  TimeRange range;
  VARVE_TRY_ASSIGN(range.min_ms, number(arguments, "min-time", TimeRange::all().min_ms));
  VARVE_TRY_ASSIGN(range.max_ms, number(arguments, "max-time", TimeRange::all().max_ms));
  VARVE_TRY_ASSIGN(const auto selectors, selectors_of(arguments));
  VARVE_TRY_ASSIGN(const auto querier, archive.samples().querier(range));
  // A series that several selectors pick is dumped once, in the order of labels.
  std::vector<std::unique_ptr<storage::Selection>> selections;
  struct Picked {
    Labels labels;
    std::size_t selection, series;
  };
  std::vector<Picked> picked;
  for (const auto& matchers : selectors) {
    VARVE_TRY_ASSIGN(auto selection, querier->select(matchers, range));
    for (std::size_t i = 0; i < selection->size(); ++i) {
      picked.push_back({selection->labels(i), selections.size(), i});
    }
    selections.push_back(std::move(selection));
  }
  std::sort(picked.begin(), picked.end(),
            [](const Picked& a, const Picked& b) { return a.labels < b.labels; });
  picked.erase(std::unique(picked.begin(), picked.end(),
                           [](const Picked& a, const Picked& b) { return a.labels == b.labels; }),
               picked.end());
  storage::SeriesSamples samples;
  for (const Picked& one : picked) {
    const Status read = selections[one.selection]->read(one.series, range, samples);
    if (!read.ok()) {
      problems.push_back(one.labels.to_string() + ": " + read.error().message());
      continue;
    }
    dump_samples(dump_labels(one.labels), samples, out);
  }
  for (const std::string& warning : querier->warnings()) problems.push_back(warning);
  return {};
}

}  // namespace

int tsdb_list(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {
      {"json", false}, {"head", false}, {"human-readable", false, 'r'}};
  const auto arguments = parse(words, kFlags, 1);
  if (!arguments.ok()) return fail(console, arguments.error());
  fs::RealFs files;
  // Looking into the head can be turned off, for it takes as long as a start.
  const bool with_head = arguments->text("head", "true") == "true";
  const auto listing = storage::list_directory(files, directory_of(*arguments), with_head);
  if (!listing.ok()) return fail(console, listing.error());
  print(*arguments, listing_tables(*listing), console);
  const bool damaged =
      !listing->problems.empty() ||
      std::any_of(listing->blocks.begin(), listing->blocks.end(),
                  [](const storage::BlockListing& one) { return !one.problem.empty(); });
  return damaged ? kExitFailure : kExitOk;
}

int tsdb_analyze(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"json", false}, {"limit"}, {"match"}, {"extended", false}};
  const auto arguments = parse(words, kFlags, 2);
  if (!arguments.ok()) return fail(console, arguments.error());
  storage::AnalyzeOptions options;
  if (arguments->positional().size() > 1) options.ulid = arguments->positional()[1];
  const auto limit = number<std::size_t>(*arguments, "limit", options.limit);
  if (!limit.ok()) return fail(console, limit.error());
  options.limit = *limit;
  if (arguments->given("match")) {
    auto matchers = promql::parse_selector(arguments->text("match"));
    if (!matchers.ok()) return fail(console, matchers.error());
    options.matchers = std::move(*matchers);
  }
  fs::RealFs files;
  const auto analysis = storage::analyze_directory(files, directory_of(*arguments), options);
  if (!analysis.ok()) return fail(console, analysis.error());
  print(*arguments, analysis_tables(*analysis), console);
  return kExitOk;
}

int tsdb_verify(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"json", false}};
  const auto arguments = parse(words, kFlags, 1);
  if (!arguments.ok()) return fail(console, arguments.error());
  fs::RealFs files;
  Table findings{"Findings", "findings", {{"what", "what"}}, {}};
  const auto count = storage::verify_directory(
      files, directory_of(*arguments),
      [&](const Error& finding) { findings.rows.push_back({finding.message()}); });
  if (!count.ok()) return fail(console, count.error());
  print(*arguments, {findings}, console);
  if (*count == 0 && !arguments->on("json")) console.out << "everything is as it was written\n";
  return *count == 0 ? kExitOk : kExitFailure;
}

int tsdb_dump(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"min-time"}, {"max-time"}, {"match"}};
  const auto arguments = parse(words, kFlags, 1);
  if (!arguments.ok()) return fail(console, arguments.error());
  fs::RealFs files;
  const auto archive = storage::Archive::open(files, directory_of(*arguments));
  if (!archive.ok()) return fail(console, archive.error());
  std::vector<std::string> problems;
  const Status dumped = dump(**archive, *arguments, console.out, problems);
  if (!dumped.ok()) return fail(console, dumped.error());
  for (const std::string& warning : (*archive)->warnings()) problems.push_back(warning);
  for (const std::string& problem : problems) {
    console.err << "varve: left out: " << problem << "\n";
  }
  return problems.empty() ? kExitOk : kExitFailure;
}

int tsdb_bench(const Words& words, const Console& console) {
  static constexpr FlagSpec kFlags[] = {{"json", false}};
  const auto arguments = parse(words, kFlags, 1);
  if (!arguments.ok()) return fail(console, arguments.error());
  fs::RealFs files;
  const auto rows = storage::time_directory(files, directory_of(*arguments));
  if (!rows.ok()) return fail(console, rows.error());
  Table table{"Speed, one thread",
              "speed",
              {{"what", "what"},
               {"items", "items"},
               {"size", "bytes"},
               {"seconds", "seconds"},
               {"ns/item", "ns_per_item"},
               {"MB/s", "megabytes_per_second"}},
              {}};
  for (const storage::SpeedRow& one : *rows) {
    const double items = static_cast<double>(std::max<std::uint64_t>(one.items, 1));
    const double seconds = std::max(one.seconds, 1e-9);
    table.rows.push_back({one.what, one.items, Bytes{one.bytes}, Fraction{one.seconds},
                          Fraction{one.seconds * 1e9 / items},
                          Fraction{static_cast<double>(one.bytes) / 1e6 / seconds}});
  }
  print(*arguments, {table}, console);
  return kExitOk;
}

}  // namespace varve::cli
