// SPDX-License-Identifier: Apache-2.0
// kubernetes_sd_configs: every kind of object that a role looks at is listed once and then watched.
// What fails is asked again; meanwhile everything stays as it was last known.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/percent_encode.h"
#include "base/try.h"
#include "discovery/json_document.h"
#include "discovery/kubernetes_access.h"
#include "discovery/kubernetes_groups.h"
#include "discovery/source.h"
#include "http/client.h"

namespace varve::discovery {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The API server ends a watch after this time; it is then taken up where it ended.
constexpr seconds kWatchTime{300};
constexpr milliseconds kWatchTimeout = kWatchTime + seconds(30);
constexpr milliseconds kListTimeout = seconds(60);
constexpr milliseconds kRetry = seconds(5);
// Objects in one answer; longer lists come in pages.
constexpr int kPage = 500;
constexpr std::size_t kListMaxBytes = std::size_t{256} << 20;
constexpr std::size_t kEventMaxBytes = std::size_t{16} << 20;
constexpr int kDepthMax = 200;

struct Resource {
  std::string_view api;
  std::string_view name;
  bool namespaced;
};
Resource resource_of(KubernetesKind kind) {
  switch (kind) {
    case KubernetesKind::kNode:
      return {"/api/v1", "nodes", false};
    case KubernetesKind::kPod:
      return {"/api/v1", "pods", true};
    case KubernetesKind::kService:
      return {"/api/v1", "services", true};
    case KubernetesKind::kEndpoints:
      return {"/api/v1", "endpoints", true};
    case KubernetesKind::kEndpointSlice:
      return {"/apis/discovery.k8s.io/v1", "endpointslices", true};
    case KubernetesKind::kIngress:
      return {"/apis/networking.k8s.io/v1", "ingresses", true};
    case KubernetesKind::kNamespace:
      return {"/api/v1", "namespaces", false};
  }
  return {};
}

KubernetesKind kind_of_role(KubernetesRole role) {
  switch (role) {
    case KubernetesRole::kNode:
      return KubernetesKind::kNode;
    case KubernetesRole::kPod:
      return KubernetesKind::kPod;
    case KubernetesRole::kService:
      return KubernetesKind::kService;
    case KubernetesRole::kEndpoints:
      return KubernetesKind::kEndpoints;
    case KubernetesRole::kEndpointSlice:
      return KubernetesKind::kEndpointSlice;
    case KubernetesRole::kIngress:
      return KubernetesKind::kIngress;
  }
  return KubernetesKind::kNode;
}

// One list that is kept up to date: a kind in a namespace, or in all.
struct Watch {
  KubernetesKind kind;
  std::string space;      // "": all namespaces, or a kind that has none
  std::string path;       // with '?' and the selectors
  std::string version;    // where the next watch begins
  std::string continued;  // of a list that comes in pages
  std::set<std::string> known;  // keys of this list's objects
  std::set<std::string> listed;  // of the list under way
  std::string rest;       // an event whose end has not come yet
  bool ready = false;     // it has been listed once
  bool gone = false;      // the version is too old: list anew
};
using WatchPtr = std::shared_ptr<Watch>;

class KubernetesSource final : public Source {
 public:
  KubernetesSource(const KubernetesOptions& options, Context& context, KubernetesAccess access)
      : options_(options),
        context_(context),
        access_(std::move(access)),
        client_(std::make_shared<const http::ClientOptions>(access_.client)),
        failures_(context.metrics().counter("prometheus_sd_kubernetes_failures_total",
                                            "The number of failed WATCH/LIST requests.")) {}

  void start() override {
    main_ = kind_of_role(options_.role);
    std::set<KubernetesKind> kinds{main_};
    const bool endpoints = options_.role == KubernetesRole::kEndpoints ||
                           options_.role == KubernetesRole::kEndpointSlice;
    if (endpoints) kinds.insert({KubernetesKind::kPod, KubernetesKind::kService});
    if (options_.attach_node && (endpoints || options_.role == KubernetesRole::kPod)) {
      kinds.insert(KubernetesKind::kNode);
    }
    if (options_.attach_namespace && main_ != KubernetesKind::kNode) {
      kinds.insert(KubernetesKind::kNamespace);
    }
    std::set<std::string> spaces(options_.namespaces.begin(), options_.namespaces.end());
    if (options_.own_namespace && !access_.own_namespace.empty()) {
      spaces.insert(access_.own_namespace);
    }
    if (spaces.empty()) spaces.emplace();
    for (const KubernetesKind kind : kinds) {
      if (!resource_of(kind).namespaced) {
        begin(kind, "");
        continue;
      }
      for (const std::string& space : spaces) begin(kind, space);
    }
  }

 private:
  void begin(KubernetesKind kind, const std::string& space) {
    const Resource resource = resource_of(kind);
    auto watch = std::make_shared<Watch>();
    watch->kind = kind;
    watch->space = space;
    watch->path = std::string(resource.api);
    if (!space.empty()) watch->path += "/namespaces/" + base::percent_encode(space);
    watch->path += fmt::format("/{}?", resource.name);
    for (const auto& [role, selector] : options_.selectors) {
      if (kind_of_role(role) != kind) continue;
      if (!selector.label.empty()) {
        watch->path += "labelSelector=" + base::percent_encode(selector.label) + "&";
      }
      if (!selector.field.empty()) {
        watch->path += "fieldSelector=" + base::percent_encode(selector.field) + "&";
      }
    }
    ++unlisted_[space];
    list(watch);
  }

  http::ClientRequest request(const std::string& path, milliseconds timeout) const {
    http::ClientRequest out;
    out.url = access_.url + path;
    out.headers = {{"Accept", "application/json"}, {"User-Agent", "Prometheus/3.14.0 (Varve)"}};
    out.timeout = timeout;
    out.body_max_bytes = kListMaxBytes;
    out.options = client_;
    return out;
  }

  void failed(const Watch& watch, std::string_view what, const Error& error) {
    failures_.add();
    context_.log().error(what, {{"discovery", "kubernetes"},
                                {"resource", resource_of(watch.kind).name},
                                {"err", error.message()}});
  }

  // ---- lists

  void list(const WatchPtr& watch) {
    std::string path = watch->path + fmt::format("limit={}", kPage);
    if (!watch->continued.empty()) path += "&continue=" + base::percent_encode(watch->continued);
    context_.fetch(request(path, kListTimeout), [this, watch](Result<http::ClientResponse> answer) {
      const Status taken = take_list(watch, std::move(answer));
      if (taken.ok()) {
        if (!watch->continued.empty()) return list(watch);
        return observe(watch);
      }
      failed(*watch, "Failed to list", taken.error());
      watch->continued.clear();
      watch->listed.clear();
      context_.after(kRetry, [this, watch] { list(watch); });
    });
  }

  Status take_list(const WatchPtr& watch, Result<http::ClientResponse> answer) {
    VARVE_TRY_ASSIGN(const http::ClientResponse response, std::move(answer));
    if (response.status != 200) {
      return Error(ErrorCode::kUnavailable, fmt::format("HTTP status {}: {}", response.status,
                                                        response.body.substr(0, 300)));
    }
    VARVE_TRY_ASSIGN(json parsed, parse_json(response.body, kDepthMax));
    if (!member(parsed, "items").is_array() && !member(parsed, "items").is_null()) {
      return Error(ErrorCode::kInvalidArgument, "items is not a list");
    }
    if (parsed.is_object() && parsed["items"].is_array()) {
      for (json& item : parsed["items"]) {
        const std::string key = kubernetes_key(item);
        watch->listed.insert(key);
        put(*watch, key, std::move(item));
      }
    }
    watch->version = text_at(parsed, "metadata", "resourceVersion");
    watch->continued = text_at(parsed, "metadata", "continue");
    if (!watch->continued.empty()) return {};
    for (const std::string& key : std::set<std::string>(watch->known)) {
      if (!watch->listed.contains(key)) drop(*watch, key);
    }
    watch->listed.clear();
    if (!watch->ready) --unlisted_[watch->space];
    watch->ready = true;
    watch->gone = false;
    refresh();
    return {};
  }

  // ---- watches

  void observe(const WatchPtr& watch) {
    watch->rest.clear();
    const std::string path =
        watch->path + fmt::format("watch=1&allowWatchBookmarks=true&timeoutSeconds={}"
                                  "&resourceVersion={}",
                                  kWatchTime.count(), base::percent_encode(watch->version));
    context_.stream(
        request(path, kWatchTimeout), [this, watch](std::string piece) { read(*watch, piece); },
        [this, watch](Result<http::ClientResponse> answer) { ended(watch, std::move(answer)); });
  }

  void read(Watch& watch, const std::string& piece) {
    if (watch.gone) return;
    watch.rest += piece;
    std::size_t begin = 0;
    for (std::size_t end = watch.rest.find('\n'); end != std::string::npos;
         end = watch.rest.find('\n', begin)) {
      take_event(watch, std::string_view(watch.rest).substr(begin, end - begin));
      begin = end + 1;
    }
    watch.rest.erase(0, begin);
    if (watch.rest.size() > kEventMaxBytes) watch.gone = true;
    refresh();
  }

  void take_event(Watch& watch, std::string_view line) {
    if (line.empty() || watch.gone) return;
    auto event = parse_json(line, kDepthMax);
    if (!event.ok() || !member(*event, "object").is_object()) {
      watch.gone = true;
      return;
    }
    const std::string type = text_at(*event, "type");
    json& object = (*event)["object"];
    if (type == "ERROR") {  // 410 Gone above all
      watch.gone = true;
      return;
    }
    if (const std::string version = text_at(object, "metadata", "resourceVersion");
        !version.empty()) {
      watch.version = version;
    }
    if (type == "BOOKMARK") return;
    context_.metrics()
        .counter("prometheus_sd_kubernetes_events_total",
                 "The number of Kubernetes events handled.",
                 {{"event", type == "ADDED" ? "add" : type == "DELETED" ? "delete" : "update"},
                  {"role", std::string(to_string(options_.role))}})
        .add();
    const std::string key = kubernetes_key(object);
    if (type == "DELETED") {
      drop(watch, key);
    } else {
      put(watch, key, std::move(object));
    }
  }

  void ended(const WatchPtr& watch, Result<http::ClientResponse> answer) {
    if (answer.ok() && answer->status == 410) watch->gone = true;
    const bool good = answer.ok() && answer->status == 200;
    if (!good && !watch->gone) {
      failed(*watch, "Failed to watch",
             answer.ok() ? Error(ErrorCode::kUnavailable,
                                 fmt::format("HTTP status {}", answer->status))
                         : answer.error());
    }
    // Also after a good end a moment passes: a server that ends watches at once is not hammered.
    context_.after(good && !watch->gone ? milliseconds(200) : kRetry, [this, watch] {
      if (watch->gone) return list(watch);
      observe(watch);
    });
  }

  // ---- objects

  void put(Watch& watch, const std::string& key, json object) {
    kubernetes_strip(watch.kind, watch.kind == main_, object);
    json& known = store_[watch.kind][key];
    watch.known.insert(key);
    if (known == object) return;
    known = std::move(object);
    if (watch.kind == main_) refer(key, kubernetes_references(options_, known));
    touched(watch.kind, key);
  }

  void drop(Watch& watch, const std::string& key) {
    watch.known.erase(key);
    if (watch.kind == main_) refer(key, {});
    if (store_[watch.kind].erase(key) > 0) touched(watch.kind, key);
  }

  // Notes what the group of an object of the main kind looks at.
  void refer(const std::string& key, std::set<KubernetesReference> to) {
    std::set<KubernetesReference>& before = references_[key];
    for (const KubernetesReference& each : before) {
      if (to.contains(each)) continue;
      const auto found = referrers_.find(each);
      found->second.erase(key);
      if (found->second.empty()) referrers_.erase(found);
    }
    for (const KubernetesReference& each : to) referrers_[each].insert(key);
    if (to.empty()) {
      references_.erase(key);
    } else {
      before = std::move(to);
    }
  }

  void touched(KubernetesKind kind, const std::string& key) {
    if (kind == main_) {
      changed_.insert(key);
      return;
    }
    const auto found = referrers_.find({kind, key});
    if (found != referrers_.end()) changed_.insert(found->second.begin(), found->second.end());
  }

  bool listed(const std::string& space) const {
    const auto found = unlisted_.find(space);
    return found == unlisted_.end() || found->second == 0;
  }

  void refresh() {
    // Not before everything is known: targets without what is attached would come and go. A
    // namespace that cannot be listed holds up no other.
    if (changed_.empty() || !listed("")) return;
    std::vector<model::TargetGroup> groups;
    const KubernetesObjects& objects = store_[main_];
    for (auto at = changed_.begin(); at != changed_.end();) {
      const std::string& key = *at;
      const std::size_t slash = key.find('/');
      if (slash != std::string::npos && !listed(key.substr(0, slash))) {
        ++at;
        continue;
      }
      const auto found = objects.find(key);
      groups.push_back(found == objects.end()
                           ? model::TargetGroup{kubernetes_source(options_.role, key), {}, {}}
                           : kubernetes_group(options_, store_, key, found->second));
      at = changed_.erase(at);
    }
    if (!groups.empty()) context_.publish(std::move(groups));
  }

  const KubernetesOptions& options_;
  Context& context_;
  const KubernetesAccess access_;
  const std::shared_ptr<const http::ClientOptions> client_;
  base::Counter& failures_;
  KubernetesKind main_{};
  KubernetesStore store_;
  std::set<std::string> changed_;  // keys of the main kind
  // What groups look at beside their object, and the way back.
  std::map<std::string, std::set<KubernetesReference>> references_;
  std::map<KubernetesReference, std::set<std::string>> referrers_;
  std::map<std::string, std::size_t> unlisted_;  // lists that have not come yet, by namespace
};

}  // namespace

Result<std::unique_ptr<Source>> create_kubernetes_source(const KubernetesOptions& options,
                                                         Context& context) {
  VARVE_TRY_ASSIGN(KubernetesAccess access, kubernetes_access(options, context.files()));
  return std::unique_ptr<Source>(
      std::make_unique<KubernetesSource>(options, context, std::move(access)));
}

}  // namespace varve::discovery
