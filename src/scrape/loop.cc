// SPDX-License-Identifier: Apache-2.0
#include "scrape/loop.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "base/try.h"
#include "scrape/metrics.h"
#include "scrape/request.h"

namespace varve::scrape {
namespace {

using storage::SeriesId;

// Families a target may describe; what comes after them is scraped but not described.
constexpr std::size_t kFamiliesMax = 100'000;

// The series that every scrape of a target makes, in the order of add_report(); the last three only
// as extra metrics.
constexpr std::array<std::string_view, 8> kReportNames{
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_timeout_seconds",
    "scrape_sample_limit",
    "scrape_body_size_bytes"};
constexpr std::size_t kBasicReports = 5;

std::optional<wire::ExpositionFormat> fallback_format(const PoolOptions& pool) {
  if (!pool.fallback_protocol) return std::nullopt;
  switch (*pool.fallback_protocol) {
    case Protocol::kPrometheusProto: return std::nullopt;
    case Protocol::kOpenMetricsText0_0_1:
    case Protocol::kOpenMetricsText1_0_0: return wire::ExpositionFormat::kOpenMetrics;
    case Protocol::kPrometheusText0_0_4:
    case Protocol::kPrometheusText1_0_0: return wire::ExpositionFormat::kText;
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
    return invalid(
        fmt::format("label_limit exceeded (metric: {}, number of labels: {}, limit: {})", metric,
                    label_count, limits.labels));
  }
  if (limits.label_name_length == 0 && limits.label_value_length == 0) return {};
  for (const LabelView& label : labels) {
    if (limits.label_name_length > 0 && label.name.size() > limits.label_name_length) {
      return invalid(fmt::format(
          "label_name_length_limit exceeded (metric: {}, label name: {}, length: {}, limit: {})",
          metric, label.name.substr(0, 50), label.name.size(), limits.label_name_length));
    }
    if (limits.label_value_length > 0 && label.value.size() > limits.label_value_length) {
      return invalid(fmt::format("label_value_length_limit exceeded (metric: {}, label name: {}, "
                                 "value: \"{}\", length: {}, limit: {})",
                                 metric, label.name.substr(0, 50), label.value.substr(0, 50),
                                 label.value.size(), limits.label_value_length));
    }
  }
  return {};
}

// Whether a series text may come to another series, or to none, under the other settings.
bool same_meaning(const LoopSettings& a, const LoopSettings& b) {
  return a.target.labels == b.target.labels && a.pool->metric_relabel == b.pool->metric_relabel &&
         a.pool->honor_labels == b.pool->honor_labels &&
         a.pool->name_scheme == b.pool->name_scheme && a.pool->limits == b.pool->limits;
}

}  // namespace

struct Loop::Outcome {
  std::uint64_t scraped = 0;     // samples in the body
  std::uint64_t kept = 0;        // after metric relabelling
  std::uint64_t added = 0;       // series not known before
  std::uint64_t duplicates = 0;  // of a series within this body
  double body_bytes = 0;         // -1: over the limit
  bool over_sample_limit = false;
};

Loop::Loop(LoopContext context, std::shared_ptr<const LoopSettings> settings)
    : context_(context), settings_(std::move(settings)) {}

std::shared_ptr<const LoopSettings> Loop::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void Loop::change(std::shared_ptr<const LoopSettings> settings) {
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings);
}

bool Loop::started() const {
  const std::lock_guard lock(mutex_);
  return status_.health != Health::kUnknown;
}

void Loop::prepare(const std::shared_ptr<const LoopSettings>& settings) {
  if (prepared_ == settings) return;
  if (prepared_ != nullptr && !same_meaning(*prepared_, *settings)) cache_.forget_meanings();
  prepared_ = settings;
  for (std::size_t i = 0; i < kReportSeries; ++i) {
    const Labels& target = settings->target.labels;
    LabelsBuilder builder(target);
    // A target label of that name moves aside, as one of a sample does.
    const std::string_view own = target.get(kMetricName);
    if (!own.empty()) builder.set("exported___name__", own);
    Labels labels = builder.set(kMetricName, kReportNames[i]).build();
    if (labels == report_labels_[i]) continue;
    report_labels_[i] = std::move(labels);
    report_ids_[i] = SeriesId::kNone;
  }
}

void Loop::record(ScrapeInput input) {
  const std::shared_ptr<const LoopSettings> settings = this->settings();
  prepare(settings);
  if (last_start_.count() > 0) {
    context_.metrics.observe_interval(
        settings->target.interval,
        std::chrono::duration<double>(input.started - last_start_).count());
  }
  last_start_ = input.started;

  cache_.begin();
  batch_.series.reserve(last_batch_);
  batch_.samples.reserve(last_batch_);
  Outcome outcome;
  const Status scraped = [&]() -> Status {
    if (!settings->forced_error.empty()) return invalid(settings->forced_error);
    if (!input.response.ok()) {
      if (input.response.error().code() != ErrorCode::kLimitExceeded) {
        return input.response.error();
      }
      outcome.body_bytes = -1;
      context_.metrics.exceeded_body_size.add();
      return Error(ErrorCode::kLimitExceeded, "body size limit exceeded");
    }
    const http::ClientResponse& response = *input.response;
    if (response.status != 200) {
      return Error(ErrorCode::kUnavailable, fmt::format("server returned HTTP status {}",
                                                        status_text(response.status)));
    }
    outcome.body_bytes = static_cast<double>(response.body.size());
    return fill(*settings, response.body, response.content_type, input.time_ms, outcome);
  }();
  const auto seconds = [&] {
    return std::chrono::duration<double>(context_.clock.monotonic() - input.started).count();
  };
  std::string error = scraped.ok() ? std::string() : scraped.error().message();
  if (scraped.ok()) {
    add_report(*settings, input.time_ms, seconds(), outcome, true);
    const Status appended = append(*settings, outcome);
    if (appended.ok()) {
      last_batch_ = batch_.series.size();
      cache_.finish(stale_);
    } else {
      error = appended.error().message();
    }
  }
  if (!error.empty()) {
    // A failed scrape is an empty one: nothing of it is stored, and what was there ends.
    batch_.clear();
    new_labels_.clear();
    pending_.clear();
    cache_.abort(stale_);
    add_report(*settings, input.time_ms, seconds(), outcome, false);
    const Status appended = append(*settings, outcome);
    if (!appended.ok()) {
      context_.log.warn("Appending scrape report failed",
                        {{"scrape_pool", settings->pool->job_name},
                         {"target", settings->target.url},
                         {"err", appended.error().message()}});
    }
    context_.log.debug("Scrape failed", {{"scrape_pool", settings->pool->job_name},
                                         {"target", settings->target.url},
                                         {"err", error}});
  }
  append_stale(*settings, input.time_ms);
  // What a batch needs is given back between scrapes: with thousands of targets it would be most of
  // the memory, and only a few of them are at work at a time.
  batch_ = {};
  new_labels_ = {};
  pending_ = {};
  stale_ = {};
  context_.metrics.duration.observe(seconds());

  const std::lock_guard lock(mutex_);
  status_.health = error.empty() ? Health::kUp : Health::kDown;
  status_.last_error = std::move(error);
  status_.last_scrape_ms = input.time_ms;
  status_.last_scrape_duration = context_.clock.monotonic() - input.started;
}

Status Loop::fill(const LoopSettings& settings, std::string_view body,
                  std::string_view content_type, Timestamp time_ms, Outcome& outcome) {
  if (body.empty()) return {};  // as Prometheus: nothing there, whatever its type
  VARVE_TRY_ASSIGN(const wire::ExpositionFormat format,
                   wire::format_from_content_type(content_type, fallback_format(*settings.pool)));
  wire::ExpositionParser parser(body, format);
  for (;;) {
    VARVE_TRY_ASSIGN(const wire::ExpositionEntry entry, parser.next());
    if (entry == wire::ExpositionEntry::kEnd) break;
    if (entry == wire::ExpositionEntry::kSample) {
      VARVE_TRY(add_sample(settings, parser, time_ms, outcome));
    } else {
      add_metadata(entry, parser.metadata());
    }
  }
  if (outcome.over_sample_limit) {
    context_.metrics.exceeded_sample_limit.add();
    return Error(ErrorCode::kLimitExceeded, "sample limit exceeded");
  }
  for (const std::string& family : changed_families_) {
    const Metadata& known = metadata_.find(family)->second;  // only this thread writes
    batch_.metadata.push_back({family, known.type, known.help, known.unit});
  }
  return {};
}

Status Loop::add_sample(const LoopSettings& settings, const wire::ExpositionParser& parser,
                        Timestamp time_ms, Outcome& outcome) {
  using State = SeriesCache::State;
  const wire::ExpositionSample& sample = parser.sample();
  const PoolOptions& pool = *settings.pool;
  ++outcome.scraped;
  const bool own_time = pool.honor_timestamps && sample.timestamp_ms.has_value();
  SeriesCache::Slot& slot = cache_.find(sample.series);
  if (slot.state == State::kDropped) {
    cache_.mark_seen(slot);
    return {};
  }
  const bool limited = pool.limits.samples > 0 && outcome.kept >= pool.limits.samples;
  SeriesId id = slot.id;
  const Labels* labels = nullptr;
  if (slot.state == State::kUnknown) {
    VARVE_TRY_ASSIGN(std::optional<Labels> resolved, resolve(settings, parser));
    cache_.mark_seen(slot);
    if (!resolved) {
      slot.state = State::kDropped;
      return {};
    }
    if (!limited) {
      labels = &new_labels_.emplace_back(*std::move(resolved));
      slot.state = State::kPending;
      slot.id = static_cast<SeriesId>(batch_.series.size());  // its entry, until it has an id
      pending_.push_back(sample.series);
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
  if (!own_time || pool.track_timestamps_staleness) cache_.mark_tracked(slot);
  const Timestamp sample_time = own_time ? *sample.timestamp_ms : time_ms;
  add_entry(id, labels, sample_time, sample.value);
  if (sample.exemplar) {
    auto exemplar_labels = wire::parse_label_set(sample.exemplar->labels_text);
    if (!exemplar_labels.ok()) return {};  // an exemplar never fails a scrape
    storage::SeriesEntry& entry = batch_.series.back();
    entry.exemplars_begin = static_cast<std::uint32_t>(batch_.exemplars.size());
    entry.exemplars_count = 1;
    batch_.exemplars.push_back({*std::move(exemplar_labels), sample.exemplar->value,
                                sample.exemplar->timestamp_ms.value_or(sample_time)});
  }
  return {};
}

Result<std::optional<Labels>> Loop::resolve(const LoopSettings& settings,
                                            const wire::ExpositionParser& parser) {
  auto own = wire::parse_series_text(parser.sample().series);
  if (!own.ok()) return std::move(own).error().with(fmt::format("line {}", parser.line()));
  std::optional<Labels> labels = sample_labels(*own, settings.target.labels, *settings.pool);
  if (!labels) return labels;
  if (!labels->has(kMetricName)) return invalid("missing metric name (__name__ label)");
  if (!valid_names(*labels, settings.pool->name_scheme)) {
    return invalid(
        fmt::format("invalid metric name or label names: {}", labels->to_string()));
  }
  const Status limits = check_label_limits(settings.pool->limits, *labels);
  if (!limits.ok()) {
    context_.metrics.exceeded_label_limits.add();
    return limits.error();
  }
  return labels;
}

void Loop::add_metadata(wire::ExpositionEntry kind, const wire::ExpositionMetadata& entry) {
  const auto found = metadata_.find(entry.metric_family);
  if (found == metadata_.end() && metadata_.size() >= kFamiliesMax) return;
  const auto field = [kind](auto& metadata) -> auto& {
    return kind == wire::ExpositionEntry::kType   ? metadata.type
           : kind == wire::ExpositionEntry::kHelp ? metadata.help
                                                  : metadata.unit;
  };
  if (found != metadata_.end() && field(found->second) == entry.text) return;
  {
    const std::lock_guard lock(mutex_);
    field(metadata_[std::string(entry.metric_family)]) = entry.text;
  }
  changed_families_.emplace(entry.metric_family);
}

void Loop::add_entry(SeriesId id, const Labels* labels, Timestamp time_ms, double value) {
  storage::SeriesEntry& entry = batch_.series.emplace_back();
  entry.id = id;
  entry.labels = labels;
  entry.samples_begin = static_cast<std::uint32_t>(batch_.samples.size());
  entry.samples_count = 1;
  batch_.samples.push_back({time_ms, value});
}

void Loop::add_report(const LoopSettings& settings, Timestamp time_ms, double seconds,
                      const Outcome& outcome, bool up) {
  const std::array<double, kReportSeries> values{
      up ? 1.0 : 0.0,
      seconds,
      static_cast<double>(outcome.scraped),
      static_cast<double>(outcome.kept),
      static_cast<double>(outcome.added),
      static_cast<double>(settings.target.timeout.count()) / 1000,
      static_cast<double>(settings.pool->limits.samples),
      outcome.body_bytes};
  const std::size_t count = settings.extra_metrics ? kReportSeries : kBasicReports;
  for (std::size_t i = 0; i < count; ++i) {
    add_entry(report_ids_[i], &report_labels_[i], time_ms, values[i]);
  }
}

Status Loop::append(const LoopSettings& settings, Outcome& outcome) {
  const std::size_t reports = settings.extra_metrics ? kReportSeries : kBasicReports;
  const bool want_ids =
      !pending_.empty() || std::any_of(report_ids_.begin(), report_ids_.begin() + reports,
                                       [](SeriesId id) { return id == SeriesId::kNone; });
  auto appended = context_.storage.append(batch_, {.want_ids = want_ids});
  if (!appended.ok()) return std::move(appended).error();
  changed_families_.clear();
  appended->duplicate += outcome.duplicates;
  count_refusals(settings, *appended);
  if (want_ids) {
    take_ids(*appended);
    const std::size_t first = batch_.series.size() - reports;
    for (std::size_t i = 0; i < reports; ++i) report_ids_[i] = appended->ids[first + i];
  }
  if (appended->invalid_series > 0) {
    bool known_refused = !want_ids;
    for (std::size_t i = 0; want_ids && i < batch_.series.size(); ++i) {
      known_refused |= batch_.series[i].id != SeriesId::kNone && appended->ids[i] == SeriesId::kNone;
    }
    if (known_refused) {  // storage has let go of a series: ask again by labels
      cache_.forget_meanings();
      report_ids_.fill(SeriesId::kNone);
    }
  }
  return {};
}

void Loop::take_ids(const storage::WriteOutcome& outcome) {
  for (const std::string_view series : pending_) {
    SeriesCache::Slot& slot = cache_.find(series);
    const SeriesId id = outcome.ids[static_cast<std::size_t>(slot.id)];
    slot.id = id;
    slot.state =
        id == SeriesId::kNone ? SeriesCache::State::kUnknown : SeriesCache::State::kKnown;
  }
  pending_.clear();
}

void Loop::append_stale(const LoopSettings& settings, Timestamp time_ms) {
  if (stale_.empty()) return;
  batch_.clear();
  for (const SeriesId id : stale_) add_entry(id, nullptr, time_ms, stale_marker());
  stale_.clear();
  // What storage refuses here is expected: the series has newer samples from elsewhere.
  const auto appended = context_.storage.append(batch_);
  if (!appended.ok()) {
    context_.log.warn("Stale append failed", {{"scrape_pool", settings.pool->job_name},
                                              {"target", settings.target.url},
                                              {"err", appended.error().message()}});
  }
}

void Loop::end(Timestamp time_ms) {
  const std::shared_ptr<const LoopSettings> settings = this->settings();
  if (prepared_ == nullptr) return;  // never scraped
  stale_.clear();
  cache_.begin();
  cache_.abort(stale_);
  for (SeriesId& id : report_ids_) {
    if (id != SeriesId::kNone) stale_.push_back(id);
    id = SeriesId::kNone;
  }
  append_stale(*settings, time_ms);
  batch_ = {};
}

void Loop::count_refusals(const LoopSettings& settings, const storage::WriteOutcome& outcome) {
  const std::uint64_t out_of_bounds = outcome.too_old + outcome.too_far_ahead;
  context_.metrics.out_of_order.add(static_cast<double>(outcome.out_of_order));
  context_.metrics.duplicate_timestamp.add(static_cast<double>(outcome.duplicate));
  context_.metrics.out_of_bounds.add(static_cast<double>(out_of_bounds));
  const auto warn = [&](std::uint64_t dropped, std::string_view message) {
    if (dropped == 0) return;
    context_.log.warn(message, {{"scrape_pool", settings.pool->job_name},
                                {"target", settings.target.url},
                                {"num_dropped", dropped}});
  };
  warn(outcome.out_of_order, "Error on ingesting out-of-order samples");
  warn(outcome.duplicate, "Error on ingesting samples with different value but same timestamp");
  warn(out_of_bounds,
       "Error on ingesting samples that are too old or are too far into the future");
  warn(outcome.invalid_series, "Error on ingesting series that storage refuses");
}

TargetStatus Loop::status() const {
  const std::lock_guard lock(mutex_);
  TargetStatus out = status_;
  out.discovered_labels = settings_->target.discovered;
  out.labels = settings_->target.labels;
  out.scrape_pool = settings_->pool->job_name;
  out.scrape_url = settings_->target.url;
  out.interval = settings_->target.interval;
  out.timeout = settings_->target.timeout;
  return out;
}

void Loop::metadata(std::string_view family, std::vector<TargetMetadata>& out) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : metadata_) {
    if (!family.empty() && name != family) continue;
    out.push_back({settings_->target.labels, name, entry.type, entry.help, entry.unit});
  }
}

std::size_t Loop::metadata_count() const {
  const std::lock_guard lock(mutex_);
  return metadata_.size();
}

}  // namespace varve::scrape
