// SPDX-License-Identifier: Apache-2.0
// The reading half of a loop: from the body of a response to the entries of a batch.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "base/try.h"
#include "model/histogram.h"
#include "model/number.h"
#include "scrape/loop.h"
#include "scrape/metrics.h"
#include "wire/classic_histogram.h"
#include "wire/exposition_proto.h"

namespace varve::scrape {
namespace {

using storage::SeriesId;

// Families a target may describe, and their bytes; what comes after them is scraped but not
// described.
constexpr std::size_t kFamiliesMax = 100'000;
constexpr std::size_t kMetadataMaxBytes = std::size_t{16} << 20;
// A family that so many bodies have not had is forgotten, as in Prometheus.
constexpr std::uint32_t kMetadataReadings = 10;

// What a batch takes from the body's budget: an entry with its sample, and beside that a series
// that is new, whose labels come on top. Taken in such steps, so that a usual scrape takes nothing.
constexpr std::size_t kEntryBytes = sizeof(storage::SeriesEntry) + sizeof(Sample);
constexpr std::size_t kNewSeriesBytes = 192;
constexpr std::size_t kMemoryStep = std::size_t{1} << 20;

// What a histogram takes beside its entry.
std::size_t memory_bytes(const Histogram& histogram) {
  const std::size_t spans = histogram.positive_spans.size() + histogram.negative_spans.size();
  const std::size_t numbers = histogram.positive_counts.size() + histogram.negative_counts.size() +
                              histogram.custom_bounds.size();
  return sizeof(storage::HistogramSample) + spans * sizeof(HistogramSpan) +
         numbers * sizeof(double);
}

std::optional<wire::ExpositionFormat> fallback_format(const PoolOptions& pool) {
  if (!pool.fallback_protocol) return std::nullopt;
  switch (*pool.fallback_protocol) {
    case Protocol::kPrometheusProto:
      return wire::ExpositionFormat::kProtobuf;
    case Protocol::kOpenMetricsText0_0_1:
    case Protocol::kOpenMetricsText1_0_0:
      return wire::ExpositionFormat::kOpenMetrics;
    case Protocol::kPrometheusText0_0_4:
    case Protocol::kPrometheusText1_0_0:
      return wire::ExpositionFormat::kText;
  }
  return std::nullopt;
}

// The name without its colons, which metric names may have and label names may not.
bool valid_names(const Labels& labels, model::NameScheme scheme) {
  if (scheme == model::NameScheme::kUtf8) return true;  // the parser has checked the UTF-8
  for (const LabelView& label : labels) {
    if (!model::valid_label_name(label.name, scheme)) return false;
    if (label.name != kMetricName) continue;
    std::string name(label.value);
    std::replace(name.begin(), name.end(), ':', '_');
    if (!model::valid_label_name(name, scheme)) return false;
  }
  return true;
}

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// Prometheus's texts; names and values are cut at 50 bytes.
Status check_label_limits(const Limits& limits, const Labels& labels) {
  const std::string_view metric = labels.get(kMetricName).substr(0, 50);
  const std::size_t label_count = labels.size();
  if (limits.labels > 0 && label_count > limits.labels) {
    return invalid(fmt::format("label_limit exceeded (metric: {}, number of labels: {}, limit: {})",
                               metric, label_count, limits.labels));
  }
  if (limits.label_name_length == 0 && limits.label_value_length == 0) return {};
  for (const LabelView& label : labels) {
    if (limits.label_name_length > 0 && label.name.size() > limits.label_name_length) {
      return invalid(fmt::format(
          "label_name_length_limit exceeded (metric: {}, label name: {}, length: {}, limit: {})",
          metric, label.name.substr(0, 50), label.name.size(), limits.label_name_length));
    }
    if (limits.label_value_length > 0 && label.value.size() > limits.label_value_length) {
      return invalid(
          fmt::format("label_value_length_limit exceeded (metric: {}, label name: {}, "
                      "value: \"{}\", length: {}, limit: {})",
                      metric, label.name.substr(0, 50), label.value.substr(0, 50),
                      label.value.size(), limits.label_value_length));
    }
  }
  return {};
}

// OpenMetrics' spelling of numbers in `le` and `quantile`, so that a series is the same whatever
// format it came in.
void normalize_bounds(std::string_view family_type, LabelsBuilder& labels) {
  const std::string_view name = family_type == "histogram" ? "le"
                                : family_type == "summary" ? "quantile"
                                                           : std::string_view();
  if (name.empty()) return;
  const std::string_view written = labels.get(name);
  if (written.empty()) return;
  const auto number = model::parse_float(written);
  if (!number) return;
  std::string text = model::format_float_g(*number);
  if (std::isfinite(*number) && text.find_first_of(".e") == std::string::npos) text += ".0";
  if (text != written) labels.set(name, text);
}

// The finest schema whose buckets grow by at least this factor.
std::int32_t schema_of_factor(double factor) {
  if (factor <= 1) return model::kExponentialSchemaMax;
  const double schema = std::floor(-std::log2(std::log2(factor)));
  return static_cast<std::int32_t>(
      std::clamp<double>(schema, model::kExponentialSchemaMin, model::kExponentialSchemaMax));
}

// Makes a histogram coarser until it keeps the limits; false if that cannot be.
bool fit(const Limits& limits, Histogram& histogram) {
  const bool exponential = model::is_exponential_schema(histogram.schema);
  if (exponential && limits.native_histogram_min_bucket_factor > 0) {
    const std::int32_t schema = schema_of_factor(limits.native_histogram_min_bucket_factor);
    if (histogram.schema > schema) model::reduce_resolution(histogram, schema);
  }
  if (limits.native_histogram_buckets == 0) return true;
  const auto too_many = [&] {
    return histogram.positive_counts.size() + histogram.negative_counts.size() >
           limits.native_histogram_buckets;
  };
  while (too_many()) {
    if (!exponential || histogram.schema <= model::kExponentialSchemaMin) return false;
    model::reduce_resolution(histogram, histogram.schema - 1);
  }
  return true;
}

// What the lines above a sample say of its family.
class FamilyTold {
 public:
  void take(wire::ExpositionEntry kind, const wire::ExpositionMetadata& entry) {
    if (entry.metric_family != family_) {
      family_ = entry.metric_family;
      type_.clear();
      unit_.clear();
    }
    if (kind == wire::ExpositionEntry::kType) type_ = entry.text == "unknown" ? "" : entry.text;
    if (kind == wire::ExpositionEntry::kUnit) unit_ = entry.text;
  }
  // The text a series is known by: told something else of its family, it is another series.
  // Valid until the next call.
  std::string_view key(std::string_view series) {
    applies_ = !(type_.empty() && unit_.empty()) && wire::in_family(series, family_, type_);
    if (!applies_) return series;
    key_.assign(series).append(1, kSeparator).append(type_).append(1, kSeparator).append(unit_);
    return key_;
  }
  // To the labels of the series that key() was last called for. What is not told leaves labels of
  // these names as they are.
  void add_to(LabelsBuilder& labels) const {
    if (!applies_) return;
    if (!type_.empty()) labels.set(wire::kTypeLabel, type_);
    if (!unit_.empty()) labels.set(wire::kUnitLabel, unit_);
  }

 private:
  static constexpr char kSeparator = '\xff';  // in no UTF-8 text

  std::string family_, type_, unit_, key_;
  bool applies_ = false;
};

}  // namespace

// What the functions below hand each other while one body is read.
struct Loop::Reading {
  const LoopSettings& settings;
  Timestamp time_ms;
  Outcome& outcome;
  http::BodyLease* lease = nullptr;  // null: nobody counts
  std::size_t memory_bytes = 0;      // of the batch, not yet taken from the lease
  std::string_view family_type = {};
  std::size_t line = 0;
  wire::ClassicHistogramCollector classic = {};
  std::string native_series = {};  // the text of the last native histogram that came as such
  // With start times wanted: the entries of the current family by the labels they share with the
  // `_created` line to come.
  std::multimap<std::string, std::size_t, std::less<>> family_entries = {};
  FamilyTold told = {};  // with type and unit labels wanted

  Status take_memory(std::size_t bytes) {
    memory_bytes += bytes;
    if (lease == nullptr || memory_bytes < kMemoryStep) return {};
    if (!lease->grow(memory_bytes)) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("{} samples read, and no memory left for scrapes", outcome.scraped));
    }
    memory_bytes = 0;
    return {};
  }
};

Status Loop::fill(const LoopSettings& settings, const http::ClientResponse& response,
                  Timestamp time_ms, Outcome& outcome) {
  const std::string_view body = response.body;
  if (body.empty()) return {};  // as Prometheus: nothing there, whatever its type
  const PoolOptions& pool = *settings.pool;
  VARVE_TRY_ASSIGN(const wire::ExpositionFormat format,
                   wire::format_from_content_type(response.content_type, fallback_format(pool)));
  Reading reading{settings, time_ms, outcome, response.lease.get()};
  ++readings_;
  const Status read = [&]() -> Status {
    if (format == wire::ExpositionFormat::kProtobuf) {
      wire::ProtoExpositionParser parser(body,
                                         {.native = pool.scrape_native_histograms,
                                          .classic = pool.always_scrape_classic_histograms});
      return read_entries(parser, reading);
    }
    wire::ExpositionParser parser(body, format);
    return read_entries(parser, reading);
  }();
  if (readings_ % kMetadataReadings == 0) trim_metadata();
  VARVE_TRY(read);
  if (outcome.over_sample_limit) {
    context_.metrics.exceeded_sample_limit.add();
    return Error(ErrorCode::kLimitExceeded, "sample limit exceeded");
  }
  if (outcome.over_bucket_limit) {
    context_.metrics.exceeded_bucket_limit.add();
    return Error(ErrorCode::kLimitExceeded, "histogram bucket limit exceeded");
  }
  for (const std::string& family : changed_families_) {
    const Metadata& known = metadata_.find(family)->second;  // only this thread writes
    batch_.metadata.push_back({family, known.type, known.help, known.unit});
  }
  return {};
}

template <typename Parser>
Status Loop::read_entries(Parser& parser, Reading& reading) {
  const LoopSettings& settings = reading.settings;
  const bool convert = settings.pool->convert_classic_histograms_to_nhcb;
  for (;;) {
    VARVE_TRY_ASSIGN(const wire::ExpositionEntry entry, parser.next());
    if (entry != wire::ExpositionEntry::kSample) {
      VARVE_TRY(finish_classic(reading));
      if (entry == wire::ExpositionEntry::kEnd) return {};
      if (entry == wire::ExpositionEntry::kType) reading.family_entries.clear();
      if (settings.type_and_unit_labels) reading.told.take(entry, parser.metadata());
      add_metadata(entry, parser.metadata());
      continue;
    }
    const wire::ExpositionSample& sample = parser.sample();
    reading.family_type = parser.family_type();
    reading.line = parser.line();
    if (settings.start_zeros && sample.created) {
      add_start(sample, reading);
      continue;
    }
    if (convert && reading.family_type == "histogram") {
      VARVE_TRY_ASSIGN(const bool taken, collect_classic(parser.family(), sample, reading));
      if (taken && !settings.pool->always_scrape_classic_histograms) continue;
    }
    const std::size_t entries = batch_.series.size();
    VARVE_TRY(add_sample(sample, reading));
    if (!settings.start_zeros || batch_.series.size() == entries) continue;
    if (sample.start_ms) {
      starts_.emplace_back(entries, *sample.start_ms);
    } else {
      reading.family_entries.emplace(wire::shared_labels_text(sample.series), entries);
    }
  }
}

// Whether the sample became a part of a histogram with custom buckets.
Result<bool> Loop::collect_classic(std::string_view family, const wire::ExpositionSample& sample,
                                   Reading& reading) {
  if (sample.histogram != nullptr) {
    VARVE_TRY(finish_classic(reading));
    reading.native_series = sample.series;
    return false;
  }
  std::optional<wire::ClassicPart> part = wire::classic_part(sample.series, family);
  if (!part || part->series != reading.classic.series()) VARVE_TRY(finish_classic(reading));
  // Beside native buckets the classic ones are not turned into others.
  if (!part || part->series == reading.native_series) return false;
  reading.classic.add(*std::move(part), sample);
  return true;
}

// Adds the histogram that has been gathered from classic series, if there is one.
Status Loop::finish_classic(Reading& reading) {
  const auto collected = reading.classic.take();
  if (!collected) return {};
  std::vector<wire::ExpositionExemplar> exemplars;
  for (const auto& exemplar : collected->exemplars) {
    exemplars.push_back({exemplar.labels_text, exemplar.value, exemplar.timestamp_ms});
  }
  wire::ExpositionSample sample;
  sample.series = collected->series;
  sample.histogram = &collected->histogram;
  sample.timestamp_ms = collected->timestamp_ms;
  sample.exemplars = exemplars;
  const std::size_t entries = batch_.series.size();
  VARVE_TRY(add_sample(sample, reading));
  // The cache keeps hashes of texts, but a text that waits for its id is looked up once more.
  if (!pending_.empty() && pending_.back().data() == sample.series.data()) {
    pending_.back() = own_texts_.emplace_back(sample.series);
  }
  if (reading.settings.start_zeros && collected->start_ms && batch_.series.size() > entries) {
    starts_.emplace_back(entries, *collected->start_ms);
  }
  return {};
}

// The `_created` line of a metric says when those series of its family began that have its labels.
void Loop::add_start(const wire::ExpositionSample& created, Reading& reading) {
  const double start_ms = created.value * 1000;
  if (!(start_ms > 0 && start_ms < 9.2e18)) return;
  const std::string labels = wire::shared_labels_text(created.series);
  const auto [begin, end] = reading.family_entries.equal_range(labels);
  for (auto it = begin; it != end; ++it) {
    starts_.emplace_back(it->second, static_cast<Timestamp>(start_ms));
  }
}

Status Loop::add_sample(const wire::ExpositionSample& sample, Reading& reading) {
  using State = SeriesCache::State;
  const PoolOptions& pool = *reading.settings.pool;
  Outcome& outcome = reading.outcome;
  ++outcome.scraped;
  const bool own_time = pool.honor_timestamps && sample.timestamp_ms.has_value();
  const bool typed = reading.settings.type_and_unit_labels;
  const std::string_view text = typed ? reading.told.key(sample.series) : sample.series;
  SeriesCache::Slot& slot = cache_.find(text);
  if (slot.state == State::kDropped) {
    cache_.mark_seen(slot);
    return {};
  }
  const bool limited = pool.limits.samples > 0 && outcome.kept >= pool.limits.samples;
  SeriesId id = slot.id;
  const Labels* labels = nullptr;
  if (slot.state == State::kUnknown) {
    VARVE_TRY_ASSIGN(std::optional<Labels> resolved, resolve(sample, reading));
    cache_.mark_seen(slot);
    if (!resolved) {
      slot.state = State::kDropped;
      return {};
    }
    if (!limited) {
      VARVE_TRY(reading.take_memory(kNewSeriesBytes + resolved->bytes().size() + text.size()));
      labels = &new_labels_.emplace_back(*std::move(resolved));
      slot.state = State::kPending;
      slot.id = static_cast<SeriesId>(batch_.series.size());  // its entry, until it has an id
      // A text of the protobuf reader is gone with the next sample.
      pending_.push_back(reading.line > 0 && !typed ? text : own_texts_.emplace_back(text));
      ++outcome.added;
      id = SeriesId::kNone;
    }
  } else {
    if (cache_.seen(slot) && !own_time) {
      ++outcome.kept;
      ++outcome.duplicates;
      return {};
    }
    cache_.mark_seen(slot);
    if (slot.state == State::kPending) {
      labels = batch_.series[static_cast<std::size_t>(slot.id)].labels;
      id = SeriesId::kNone;
    }
  }
  ++outcome.kept;
  if (limited) {  // go on counting, so that the report is right
    outcome.over_sample_limit = true;
    return {};
  }
  VARVE_TRY(reading.take_memory(kEntryBytes));
  if (!own_time || pool.track_timestamps_staleness) cache_.mark_tracked(slot);
  const Timestamp sample_time = own_time ? *sample.timestamp_ms : reading.time_ms;
  if (sample.histogram != nullptr) {
    VARVE_TRY(reading.take_memory(memory_bytes(*sample.histogram)));
    add_histogram_entry(id, labels, sample_time, *sample.histogram);
    if (!fit(pool.limits, batch_.histograms.back().histogram)) outcome.over_bucket_limit = true;
  } else {
    add_entry(id, labels, sample_time, sample.value);
  }
  if (!sample.exemplars.empty()) add_exemplars(sample, sample_time);
  return {};
}

// To the newest entry of the batch. An exemplar never fails a scrape.
void Loop::add_exemplars(const wire::ExpositionSample& sample, Timestamp sample_time) {
  storage::SeriesEntry& entry = batch_.series.back();
  entry.exemplars_begin = static_cast<std::uint32_t>(batch_.exemplars.size());
  for (const wire::ExpositionExemplar& exemplar : sample.exemplars) {
    auto labels = wire::parse_label_set(exemplar.labels_text);
    if (!labels.ok()) continue;
    batch_.exemplars.push_back(
        {*std::move(labels), exemplar.value, exemplar.timestamp_ms.value_or(sample_time)});
  }
  std::sort(batch_.exemplars.begin() + entry.exemplars_begin, batch_.exemplars.end(),
            [](const storage::ExemplarSample& a, const storage::ExemplarSample& b) {
              return std::tie(a.timestamp_ms, a.value) < std::tie(b.timestamp_ms, b.value);
            });
  entry.exemplars_count =
      static_cast<std::uint32_t>(batch_.exemplars.size()) - entry.exemplars_begin;
}

Result<std::optional<Labels>> Loop::resolve(const wire::ExpositionSample& sample,
                                            const Reading& reading) {
  const LoopSettings& settings = reading.settings;
  auto own = wire::parse_series_text(sample.series);
  if (!own.ok()) {
    if (reading.line == 0) return std::move(own).error();
    return std::move(own).error().with(fmt::format("line {}", reading.line));
  }
  LabelsBuilder written(*own);
  normalize_bounds(reading.family_type, written);
  if (settings.type_and_unit_labels) reading.told.add_to(written);
  std::optional<Labels> labels =
      sample_labels(written.build(), settings.target.labels, *settings.pool);
  if (!labels) return labels;
  if (!labels->has(kMetricName)) return invalid("missing metric name (__name__ label)");
  if (!valid_names(*labels, settings.pool->name_scheme)) {
    return invalid(fmt::format("invalid metric name or label names: {}", labels->to_string()));
  }
  const Status limits = check_label_limits(settings.pool->limits, *labels);
  if (!limits.ok()) {
    context_.metrics.exceeded_label_limits.add();
    return limits.error();
  }
  return labels;
}

void Loop::add_metadata(wire::ExpositionEntry kind, const wire::ExpositionMetadata& entry) {
  // Most pages are sorted by family: the one wanted is mostly the one before's next, or itself.
  const auto is_wanted = [&](MetadataMap::iterator at) {
    return at != metadata_.end() && at->first == entry.metric_family;
  };
  auto found = metadata_hint_;
  if (!is_wanted(found) && found != metadata_.end()) ++found;
  if (!is_wanted(found)) found = metadata_.find(entry.metric_family);
  metadata_hint_ = found;
  const bool known = found != metadata_.end();
  if (known) found->second.seen = readings_;
  const auto field = [kind](auto& metadata) -> auto& {
    return kind == wire::ExpositionEntry::kType   ? metadata.type
           : kind == wire::ExpositionEntry::kHelp ? metadata.help
                                                  : metadata.unit;
  };
  if (known && field(found->second) == entry.text) return;
  if (!known && metadata_.size() >= kFamiliesMax) return;
  const std::size_t before = known ? found->second.bytes() : 0;
  Metadata changed = known ? found->second : Metadata();
  changed.seen = readings_;
  field(changed) = entry.text;
  const std::size_t after = metadata_bytes_ - before + changed.bytes();
  const std::size_t names = metadata_name_bytes_ + (known ? 0 : entry.metric_family.size());
  if (after + names > kMetadataMaxBytes) return;
  metadata_bytes_ = after;
  metadata_name_bytes_ = names;
  changed_families_.emplace(entry.metric_family);
  const std::lock_guard lock(mutex_);
  metadata_.insert_or_assign(std::string(entry.metric_family), std::move(changed));
}

void Loop::trim_metadata() {
  const std::lock_guard lock(mutex_);
  for (auto at = metadata_.begin(); at != metadata_.end();) {
    if (readings_ - at->second.seen < kMetadataReadings) {
      ++at;
      continue;
    }
    metadata_bytes_ -= at->second.bytes();
    metadata_name_bytes_ -= at->first.size();
    if (const auto changed = changed_families_.find(at->first);
        changed != changed_families_.end()) {
      changed_families_.erase(changed);
    }
    at = metadata_.erase(at);
  }
  metadata_hint_ = metadata_.end();
}

}  // namespace varve::scrape
