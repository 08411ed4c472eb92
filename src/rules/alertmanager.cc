// SPDX-License-Identifier: Apache-2.0
#include "rules/alertmanager.h"

#include <fmt/format.h>

namespace varve::rules {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kPath = "__alerts_path__";
constexpr std::string_view kEndpoint = "/api/v2/alerts";
constexpr std::size_t kAnswerMaxBytes = 1 << 20;

// "/prefix/api/v2/alerts", however many slashes the prefix has.
std::string endpoint_path(std::string_view prefix) {
  std::string out;
  while (!prefix.empty()) {
    const std::size_t slash = prefix.find('/');
    const std::string_view part = prefix.substr(0, slash);
    if (!part.empty() && part != ".") {
      out += '/';
      out += part;
    }
    prefix = slash == std::string_view::npos ? std::string_view() : prefix.substr(slash + 1);
  }
  return out.append(kEndpoint);
}

std::string url_of(const LabelsBuilder& labels) {
  return fmt::format("{}://{}{}", labels.get(kScheme), labels.get(kAddress), labels.get(kPath));
}

}  // namespace

Status add_urls(const model::TargetGroup& group, const AlertmanagerOptions& options,
                AlertmanagerUrls& out) {
  AlertmanagerUrls found;
  for (const Labels& target : group.targets) {
    LabelsBuilder builder(group.labels);
    for (const LabelView& label : target) builder.set(label.name, label.value);
    builder.set(kScheme, options.scheme);
    builder.set(kPath, endpoint_path(options.path_prefix));
    std::string before = url_of(builder);
    if (!model::relabel(options.relabel, builder)) {
      found.dropped.push_back(std::move(before));
      continue;
    }
    const std::string_view address = builder.get(kAddress);
    if (address.find('/') != std::string_view::npos) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("\"{}\" is not a valid hostname", address));
    }
    found.active.push_back(url_of(builder));
  }
  out.active.insert(out.active.end(), found.active.begin(), found.active.end());
  out.dropped.insert(out.dropped.end(), found.dropped.begin(), found.dropped.end());
  return {};
}

http::ClientRequest alertmanager_request(const std::string& url, std::string body,
                                         std::shared_ptr<const AlertmanagerOptions> options) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = url;
  request.body = std::move(body);
  request.timeout = options->timeout;
  request.body_max_bytes = kAnswerMaxBytes;
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("User-Agent", "Varve");
  const http::ClientOptions* const client = &options->client;
  request.options = std::shared_ptr<const http::ClientOptions>(std::move(options), client);
  return request;
}

std::size_t NotificationQueue::add(std::span<const Notification> notifications) {
  for (const Notification& notification : notifications) {
    const auto known = index_.find(notification.labels);
    if (known != index_.end()) {
      *known->second = notification;
      continue;
    }
    order_.push_back(notification);
    index_.emplace(notification.labels, std::prev(order_.end()));
  }
  std::size_t dropped = 0;
  for (; index_.size() > capacity_; ++dropped) {
    index_.erase(order_.front().labels);
    order_.pop_front();
  }
  return dropped;
}

std::size_t NotificationQueue::put_back(std::vector<Notification> notifications) {
  std::size_t dropped = 0;
  for (auto it = notifications.rbegin(); it != notifications.rend(); ++it) {
    if (index_.contains(it->labels)) continue;
    if (index_.size() >= capacity_) {
      ++dropped;
      continue;
    }
    order_.push_front(std::move(*it));
    index_.emplace(order_.front().labels, order_.begin());
  }
  return dropped;
}

std::vector<Notification> NotificationQueue::take(std::size_t count_max) {
  std::vector<Notification> out;
  while (!order_.empty() && out.size() < count_max) {
    index_.erase(order_.front().labels);
    out.push_back(std::move(order_.front()));
    order_.pop_front();
  }
  return out;
}

void NotificationQueue::clear() {
  index_.clear();
  order_.clear();
}

}  // namespace varve::rules
