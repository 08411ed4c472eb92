// SPDX-License-Identifier: Apache-2.0
// Where Alertmanagers are, how a request to one looks, and what waits for one.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/client.h"
#include "model/target_group.h"
#include "rules/notifier.h"
#include "rules/options.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::rules {

// The URLs that a group of targets becomes, and those that relabelling dropped.
struct AlertmanagerUrls {
  std::vector<std::string> active;
  std::vector<std::string> dropped;
};
// kInvalidArgument for an address that is none.
Status add_urls(const model::TargetGroup& group, const AlertmanagerOptions& options,
                AlertmanagerUrls& out);

http::ClientRequest alertmanager_request(const std::string& url, std::string body,
                                         std::shared_ptr<const AlertmanagerOptions> options);

// Alerts on their way to one Alertmanager, oldest first, each in it once: a newer word about an
// alert takes the place of the older one. Not thread-safe.
class NotificationQueue {
 public:
  explicit NotificationQueue(std::size_t capacity) : capacity_(capacity) {}

  // How many were dropped for lack of room: the oldest.
  std::size_t add(std::span<const Notification> notifications);
  // Puts back what could not be sent, unless there is newer word of it, before the rest. What has
  // no room is dropped and counted.
  std::size_t put_back(std::vector<Notification> notifications);
  std::vector<Notification> take(std::size_t count_max);

  std::size_t size() const { return index_.size(); }
  bool empty() const { return index_.empty(); }
  void clear();

 private:
  const std::size_t capacity_;
  std::list<Notification> order_;
  std::unordered_map<Labels, std::list<Notification>::iterator> index_;
};

}  // namespace varve::rules
