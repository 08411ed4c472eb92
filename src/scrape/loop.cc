// SPDX-License-Identifier: Apache-2.0
#include "scrape/loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/release_memory.h"
#include "base/try.h"
#include "model/start_zero.h"
#include "scrape/failure_log.h"
#include "scrape/metrics.h"
#include "scrape/request.h"

namespace varve::scrape {
namespace {

using storage::SeriesId;

// The series that every scrape of a target makes, in the order of add_report(); the last three only
// as extra metrics.
constexpr std::array<std::string_view, 8> kReportNames{"up",
                                                       "scrape_duration_seconds",
                                                       "scrape_samples_scraped",
                                                       "scrape_samples_post_metric_relabeling",
                                                       "scrape_series_added",
                                                       "scrape_timeout_seconds",
                                                       "scrape_sample_limit",
                                                       "scrape_body_size_bytes"};
constexpr std::size_t kBasicReports = 5;
// Start times of series that are gone that may be kept until they are looked through.
constexpr std::size_t kToldSpare = 256;

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// Whether a series text may come to another series, or to none, under the other settings.
bool same_meaning(const LoopSettings& a, const LoopSettings& b) {
  return a.target.labels == b.target.labels && a.pool->metric_relabel == b.pool->metric_relabel &&
         a.pool->honor_labels == b.pool->honor_labels &&
         a.pool->name_scheme == b.pool->name_scheme && a.pool->limits == b.pool->limits;
}

}  // namespace

Loop::Loop(LoopContext context, std::shared_ptr<const LoopSettings> settings)
    : context_(context), settings_(std::move(settings)) {}

Loop::~Loop() { share(nullptr); }

void Loop::share(const std::shared_ptr<PoolMetrics>& metrics) {
  Share now{metrics, static_cast<double>(metadata_.size()), static_cast<double>(metadata_bytes_),
            static_cast<double>(cache_.size())};
  const auto add = [](const Share& share, double sign) {
    if (share.metrics == nullptr) return;
    share.metrics->metadata_entries.add(sign * share.entries);
    share.metrics->metadata_bytes.add(sign * share.bytes);
    share.metrics->cached_series.add(sign * share.series);
  };
  add(now, 1);
  add(share_, -1);
  share_ = std::move(now);
}

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
  WorkMemory memory = context_.spare_memory.take();
  batch_ = std::move(memory.batch);
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
    http::ClientResponse& response = *input.response;
    if (response.status != 200) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("server returned HTTP status {}", status_text(response.status)));
    }
    const Status decoded =
        http::decode_body(response, input.body_max_bytes, std::move(memory.body));
    if (!decoded.ok()) {
      if (decoded.error().code() == ErrorCode::kLimitExceeded) {
        outcome.body_bytes = -1;
        context_.metrics.exceeded_body_size.add();
      }
      return decoded;
    }
    outcome.body_bytes = static_cast<double>(response.body.size());
    return fill(*settings, response, input.time_ms, outcome);
  }();
  const auto seconds = [&] {
    return std::chrono::duration<double>(context_.clock.monotonic() - input.started).count();
  };
  std::string error = scraped.ok() ? std::string() : scraped.error().message();
  if (scraped.ok()) {
    if (!starts_.empty()) append_start_zeros();
    add_report(*settings, input.time_ms, seconds(), outcome, true);
    const Status appended = append(*settings, outcome);
    if (appended.ok()) {
      changed_families_.clear();
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
    starts_.clear();
    cache_.abort(stale_);
    add_report(*settings, input.time_ms, seconds(), outcome, false);
    const Status appended = append(*settings, outcome);
    if (!appended.ok()) {
      context_.log.warn("Appending scrape report failed",
                        {{"scrape_pool", settings->pool->job_name},
                         {"target", settings->target.url},
                         {"err", appended.error().message()}});
    }
    if (settings->failure_log) {
      settings->failure_log->write(settings->pool->job_name, settings->target.url, error);
    }
    context_.log.debug("Scrape failed", {{"scrape_pool", settings->pool->job_name},
                                         {"target", settings->target.url},
                                         {"err", error}});
  }
  append_stale(*settings, input.time_ms);
  if (input.response.ok() && input.response->body.capacity() > memory.body.capacity()) {
    memory.body = std::move(input.response->body);
  }
  memory.batch = std::move(batch_);
  context_.spare_memory.give(std::move(memory));
  base::release_memory(batch_, new_labels_, pending_, own_texts_, starts_, stale_);
  share(settings->metrics);
  context_.metrics.duration.observe(seconds());

  const std::lock_guard lock(mutex_);
  status_.health = error.empty() ? Health::kUp : Health::kDown;
  status_.last_error = std::move(error);
  status_.last_scrape_ms = input.time_ms;
  status_.last_scrape_duration = context_.clock.monotonic() - input.started;
}

void Loop::add_entry(SeriesId id, const Labels* labels, Timestamp time_ms, double value) {
  storage::SeriesEntry& entry = batch_.series.emplace_back();
  entry.id = id;
  entry.labels = labels;
  entry.samples_begin = static_cast<std::uint32_t>(batch_.samples.size());
  entry.samples_count = 1;
  batch_.samples.push_back({time_ms, value});
}

void Loop::add_histogram_entry(SeriesId id, const Labels* labels, Timestamp time_ms,
                               const Histogram& histogram) {
  storage::SeriesEntry& entry = batch_.series.emplace_back();
  entry.id = id;
  entry.labels = labels;
  entry.histograms_begin = static_cast<std::uint32_t>(batch_.histograms.size());
  entry.histograms_count = 1;
  batch_.histograms.push_back({time_ms, histogram});
}

// Before the batch: a 0 at the start of each series that has told a new one, so that the growth
// since then is seen. Storage refuses those that begin before what it has, which is as it should
// be: a series that went on under this server's eyes has not begun again.
void Loop::append_start_zeros() {
  storage::WriteBatch zeros;
  for (const auto& [at, start_ms] : starts_) {
    const storage::SeriesEntry& of = batch_.series[at];
    if (of.id != SeriesId::kNone) {
      Timestamp& told = told_starts_[of.id];
      if (std::exchange(told, start_ms) == start_ms) continue;
    }
    storage::SeriesEntry entry;
    entry.id = of.id;
    entry.labels = of.labels;
    if (of.histograms_count > 0) {
      const storage::HistogramSample& sample = batch_.histograms[of.histograms_begin];
      if (start_ms >= sample.timestamp_ms) continue;
      zeros.histograms.push_back({start_ms, model::start_zero(sample.histogram)});
      entry.histograms_begin = static_cast<std::uint32_t>(zeros.histograms.size() - 1);
      entry.histograms_count = 1;
    } else {
      if (start_ms >= batch_.samples[of.samples_begin].timestamp_ms) continue;
      entry.samples_begin = static_cast<std::uint32_t>(zeros.samples.size());
      entry.samples_count = 1;
      zeros.samples.push_back({start_ms, 0});
    }
    zeros.series.push_back(entry);
  }
  if (told_starts_.size() > 2 * starts_.size() + kToldSpare) forget_starts();
  if (zeros.series.empty()) return;
  const auto appended = context_.storage.append(zeros, {.unawaited = true});
  if (!appended.ok()) {
    context_.log.debug("Appending start times failed", {{"err", appended.error().message()}});
  }
}

// Keeps the starts of the series that are here.
void Loop::forget_starts() {
  std::unordered_map<SeriesId, Timestamp> kept;
  for (const auto& [at, start_ms] : starts_) {
    const SeriesId id = batch_.series[at].id;
    if (id != SeriesId::kNone) kept.emplace(id, start_ms);
  }
  told_starts_ = std::move(kept);
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
  auto appended = context_.storage.append(batch_, {.want_ids = want_ids, .unawaited = true});
  if (!appended.ok()) return std::move(appended).error();
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
      known_refused |=
          batch_.series[i].id != SeriesId::kNone && appended->ids[i] == SeriesId::kNone;
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
    SeriesCache::Slot& slot = cache_.again(series);
    const SeriesId id = outcome.ids[static_cast<std::size_t>(slot.id)];
    slot.id = id;
    slot.state = id == SeriesId::kNone ? SeriesCache::State::kUnknown : SeriesCache::State::kKnown;
  }
  pending_.clear();
}

void Loop::append_stale(const LoopSettings& settings, Timestamp time_ms) {
  if (stale_.empty()) return;
  batch_.clear();
  for (const SeriesId id : stale_) add_entry(id, nullptr, time_ms, stale_marker());
  stale_.clear();
  // What storage refuses here is expected: the series has newer samples from elsewhere.
  const auto appended = context_.storage.append(batch_, {.in_order_only = true, .unawaited = true});
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
  warn(out_of_bounds, "Error on ingesting samples that are too old or are too far into the future");
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

}  // namespace varve::scrape
