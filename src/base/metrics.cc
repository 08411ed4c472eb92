// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace varve::base {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string render_labels(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix,
                   std::string_view labels, std::string_view extra, double value) {
  out += name;
  out += suffix;
  if (!labels.empty() || !extra.empty()) {
    out += '{';
    out += labels;
    if (!labels.empty() && !extra.empty()) out += ',';
    out += extra;
    out += '}';
  }
  out += ' ';
  out += number(value);
  out += '\n';
}

}  // namespace

HistogramMetric::HistogramMetric(std::vector<double> bounds)
    : bounds_(std::move(bounds)), buckets_(bounds_.size() + 1) {}

void HistogramMetric::observe(double value) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

MetricsRegistry::Child& MetricsRegistry::child(std::string_view name, std::string_view help,
                                               std::string_view type, const MetricLabels& labels) {
  Family* family = nullptr;
  for (auto& candidate : families_) {
    if (candidate->name == name) family = candidate.get();
  }
  if (family == nullptr) {
    families_.push_back(std::make_unique<Family>(
        Family{std::string(name), std::string(help), type, {}}));
    family = families_.back().get();
  }
  const std::string rendered = render_labels(labels);
  for (Child& existing : family->children) {
    if (existing.labels == rendered) return existing;
  }
  family->children.emplace_back();
  family->children.back().labels = rendered;
  return family->children.back();
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help,
                                  MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Child& entry = child(name, help, "counter", labels);
  if (!entry.counter) entry.counter = std::make_unique<Counter>();
  return *entry.counter;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Child& entry = child(name, help, "gauge", labels);
  if (!entry.gauge) entry.gauge = std::make_unique<Gauge>();
  return *entry.gauge;
}

HistogramMetric& MetricsRegistry::histogram(std::string_view name, std::string_view help,
                                            std::vector<double> bounds, MetricLabels labels) {
  const std::lock_guard lock(mutex_);
  Child& entry = child(name, help, "histogram", labels);
  if (!entry.histogram) entry.histogram = std::make_unique<HistogramMetric>(std::move(bounds));
  return *entry.histogram;
}

void MetricsRegistry::callback(CallbackKind kind, std::string_view name, std::string_view help,
                               std::function<double()> read, MetricLabels labels,
                               const void* owner) {
  const std::lock_guard lock(mutex_);
  Child& entry =
      child(name, help, kind == CallbackKind::kCounter ? "counter" : "gauge", labels);
  entry.read = std::move(read);
  entry.owner = owner;
}

void MetricsRegistry::summary(std::string_view name, std::string_view help,
                              std::function<SummaryValues()> read, MetricLabels labels,
                              const void* owner) {
  const std::lock_guard lock(mutex_);
  Child& entry = child(name, help, "summary", labels);
  entry.summary = std::move(read);
  entry.owner = owner;
}

void MetricsRegistry::remove_callbacks(const void* owner) {
  const std::lock_guard lock(mutex_);
  for (auto& family : families_) {
    std::erase_if(family->children, [owner](const Child& entry) {
      return (entry.read || entry.summary) && entry.owner == owner;
    });
  }
}

std::string MetricsRegistry::render() const {
  const std::lock_guard lock(mutex_);
  std::vector<const Family*> sorted;
  for (const auto& family : families_) {
    if (!family->children.empty()) sorted.push_back(family.get());
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const Family* a, const Family* b) { return a->name < b->name; });
  std::string out;
  for (const Family* family : sorted) {
    out += "# HELP " + family->name + ' ';
    append_escaped(out, family->help, false);
    out += fmt::format("\n# TYPE {} {}\n", family->name, family->type);
    for (const Child& entry : family->children) {
      if (entry.counter) {
        append_sample(out, family->name, "", entry.labels, "", entry.counter->value());
      } else if (entry.gauge) {
        append_sample(out, family->name, "", entry.labels, "", entry.gauge->value());
      } else if (entry.read) {
        append_sample(out, family->name, "", entry.labels, "", entry.read());
      } else if (entry.summary) {
        const SummaryValues values = entry.summary();
        for (const auto& [quantile, value] : values.quantiles) {
          append_sample(out, family->name, "", entry.labels,
                        "quantile=\"" + number(quantile) + '"', value);
        }
        append_sample(out, family->name, "_sum", entry.labels, "", values.sum);
        append_sample(out, family->name, "_count", entry.labels, "", values.count);
      } else if (entry.histogram) {
        const HistogramMetric& histogram = *entry.histogram;
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < histogram.buckets_.size(); ++i) {
          total += histogram.buckets_[i].load(std::memory_order_relaxed);
          const std::string le =
              i < histogram.bounds_.size() ? number(histogram.bounds_[i]) : "+Inf";
          append_sample(out, family->name, "_bucket", entry.labels, "le=\"" + le + '"',
                        static_cast<double>(total));
        }
        append_sample(out, family->name, "_sum", entry.labels, "",
                      histogram.sum_.load(std::memory_order_relaxed));
        append_sample(out, family->name, "_count", entry.labels, "", static_cast<double>(total));
      }
    }
  }
  return out;
}

}  // namespace varve::base
