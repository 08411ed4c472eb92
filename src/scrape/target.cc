// SPDX-License-Identifier: Apache-2.0
#include "scrape/target.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/try.h"
#include "model/duration.h"

namespace varve::scrape {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kMetricsPath = "__metrics_path__";
constexpr std::string_view kInterval = "__scrape_interval__";
constexpr std::string_view kTimeout = "__scrape_timeout__";
constexpr std::string_view kParamPrefix = "__param_";
// Targets are scraped in turns this far apart, a few together, not each at a millisecond of its
// own. A scrape that comes alone wakes four threads and has a frame of the log to itself, which
// cost more than to read it; and targets of one turn share their timestamps. With 1,000 targets at
// 10 s there are five in a turn, with 10,000 what they take together is still less than the turn.
constexpr milliseconds kTurn{50};

// Go's url.QueryEscape (`query`), or how url.URL prints a path.
void append_escaped(std::string& out, std::string_view text, bool query) {
  constexpr std::string_view kPathBytes = "$&+,/:;=@";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain || (!query && kPathBytes.find(c) != std::string_view::npos)) {
      out += c;
    } else if (query && c == ' ') {
      out += '+';
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
}

std::string url_of(const Labels& labels, const PoolOptions& pool) {
  std::map<std::string, std::vector<std::string>> params = pool.params;
  for (const LabelView& label : labels) {
    if (!label.name.starts_with(kParamPrefix)) continue;
    auto& values = params[std::string(label.name.substr(kParamPrefix.size()))];
    if (values.empty()) {
      values.emplace_back(label.value);
    } else {
      values[0] = label.value;
    }
  }
  std::string url = fmt::format("{}://{}", labels.get(kScheme), labels.get(kAddress));
  const std::string_view path = labels.get(kMetricsPath);
  if (!path.empty() && path.front() != '/') url += '/';
  append_escaped(url, path, false);
  char separator = '?';
  for (const auto& [name, values] : params) {
    for (const std::string& value : values) {
      url += separator;
      separator = '&';
      append_escaped(url, name, true);
      url += '=';
      append_escaped(url, value, true);
    }
  }
  return url;
}

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Result<milliseconds> duration_label(const Labels& labels, std::string_view name,
                                    std::string_view what) {
  const auto parsed = model::parse_duration(labels.get(name));
  if (!parsed.ok()) {
    return invalid(fmt::format("error parsing scrape {}: {}", what, parsed.error().message()));
  }
  if (*parsed == 0) return invalid(fmt::format("scrape {} cannot be 0", what));
  return milliseconds(*parsed);
}

}  // namespace

std::string Target::identity() const {
  std::string out(labels.bytes());
  out += '\n';
  out += url;
  return out;
}

milliseconds Target::offset(std::uint64_t seed) const {
  const std::string all = identity();
  const std::uint64_t hash = XXH3_64bits(all.data(), all.size()) ^ seed;
  const auto turns = static_cast<std::uint64_t>(std::max<std::int64_t>(1, interval / kTurn));
  const auto turn = static_cast<std::int64_t>(hash % turns);
  // Which is turn * interval / turns, but for intervals of years, too.
  return turn * kTurn + turn * (interval % kTurn) / static_cast<std::int64_t>(turns);
}

Result<Populated> populate(const Labels& target, const Labels& shared, const PoolOptions& pool) {
  LabelsBuilder builder(shared);
  for (const LabelView& label : target) builder.set(label.name, label.value);
  const auto default_to = [&](std::string_view name, std::string_view value) {
    if (builder.get(name).empty()) builder.set(name, value);
  };
  default_to("job", pool.job_name);
  default_to(kInterval, model::format_duration(pool.interval.count()));
  default_to(kTimeout, model::format_duration(pool.timeout.count()));
  default_to(kMetricsPath, pool.metrics_path);
  default_to(kScheme, pool.scheme);
  for (const auto& [name, values] : pool.params) {
    if (!values.empty()) builder.set(std::string(kParamPrefix) + name, values[0]);
  }
  Populated out;
  out.target.discovered = builder.build();
  if (!model::relabel(pool.relabel, builder)) {
    out.dropped = true;
    return out;
  }
  const Labels relabelled = builder.build();
  const std::string_view address = relabelled.get(kAddress);
  if (address.empty()) return invalid("no address");
  if (address.find('/') != std::string_view::npos) {
    return invalid(fmt::format("\"{}\" is not a valid hostname", address));
  }
  const std::string_view scheme = relabelled.get(kScheme);
  if (scheme != "http" && scheme != "https") {
    return invalid(fmt::format("invalid scheme: \"{}\"", scheme));
  }
  VARVE_TRY_ASSIGN(out.target.interval, duration_label(relabelled, kInterval, "interval"));
  VARVE_TRY_ASSIGN(out.target.timeout, duration_label(relabelled, kTimeout, "timeout"));
  if (out.target.timeout > out.target.interval) {
    return invalid(
        fmt::format("scrape timeout cannot be greater than scrape interval (\"{}\" > \"{}\")",
                    relabelled.get(kTimeout), relabelled.get(kInterval)));
  }
  default_to("instance", address);
  LabelsBuilder shown;
  for (const auto& [name, value] : builder.current()) {
    if (!model::valid_utf8(value)) {
      return invalid(fmt::format("invalid label value for \"{}\": \"{}\"", name, value));
    }
    if (!name.starts_with("__")) shown.set(name, value);
  }
  out.target.labels = shown.build();
  out.target.url = url_of(relabelled, pool);
  return out;
}

std::optional<Labels> sample_labels(const Labels& sample, const Labels& target,
                                    const PoolOptions& pool) {
  LabelsBuilder builder(sample);
  if (pool.honor_labels) {
    for (const LabelView& label : target) {
      if (!sample.has(label.name)) builder.set(label.name, label.value);
    }
  } else {
    std::vector<LabelView> moved;
    for (const LabelView& label : target) {
      const std::string_view own = sample.get(label.name);
      if (!own.empty()) moved.push_back({label.name, own});
      builder.set(label.name, label.value);
    }
    // Shorter names first, so that `a` and `exported_a` of a sample end where Prometheus puts them.
    std::stable_sort(moved.begin(), moved.end(), [](const LabelView& a, const LabelView& b) {
      return a.name.size() < b.name.size();
    });
    for (const LabelView& label : moved) {
      std::string name(label.name);
      do {
        name.insert(0, "exported_");
      } while (!builder.get(name).empty());
      builder.set(name, label.value);
    }
  }
  if (!model::relabel(pool.metric_relabel, builder)) return std::nullopt;
  Labels out = builder.build();
  if (out.empty()) return std::nullopt;
  return out;
}

std::string global_url(const std::string& url, std::string_view external_scheme,
                       std::string_view external_host, std::string_view own_port) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos || external_host.empty()) return url;
  const std::size_t begin = scheme_end + 3;
  const std::size_t end = std::min(url.find_first_of("/?", begin), url.size());
  const std::string authority = url.substr(begin, end - begin);
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string::npos) return url;
  const std::string host = authority.substr(0, colon);
  const std::string port = authority.substr(colon + 1);
  if (host != "localhost" && host != "127.0.0.1" && host != "[::1]") return url;
  const std::string rest = url.substr(end);
  if (port == own_port) return fmt::format("{}://{}{}", external_scheme, external_host, rest);
  std::string_view name = external_host;
  const std::size_t port_at = name.rfind(':');
  if (port_at != std::string_view::npos && name.find(']', port_at) == std::string_view::npos) {
    name = name.substr(0, port_at);
  }
  return fmt::format("{}://{}:{}{}", url.substr(0, scheme_end), name, port, rest);
}

}  // namespace varve::scrape
