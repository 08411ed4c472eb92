// SPDX-License-Identifier: Apache-2.0
// consul_sd_configs: one blocking query for the catalog and one for each service of interest, each
// asked again when it has answered, but no sooner than the interval after the last time.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <stop_token>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/percent_encode.h"
#include "base/try.h"
#include "discovery/consul_groups.h"
#include "discovery/json_document.h"
#include "discovery/source.h"
#include "http/client.h"


namespace varve::discovery {
namespace {

using std::chrono::milliseconds;

// How long Consul holds a question when nothing changes; it adds up to a sixteenth.
constexpr milliseconds kWait = std::chrono::minutes(2);
constexpr milliseconds kTimeout = kWait + std::chrono::seconds(15);
constexpr milliseconds kRetry = std::chrono::seconds(15);
constexpr std::size_t kBodyMaxBytes = std::size_t{64} << 20;

// One question that is asked again and again.
struct Watch {
  std::string path;    // with what follows '?', without index
  std::string target;  // the service, "" for the catalog
  std::string index = "0";
  std::chrono::nanoseconds began{};
  std::stop_source stop;  // ends the question under way
};
using WatchPtr = std::shared_ptr<Watch>;

http::ClientOptions client_of(const ConsulOptions& options) {
  http::ClientOptions client = options.client;
  if (!options.username.empty() || !options.password.empty()) {
    client.basic_auth = http::BasicAuthOptions{options.username, "", {options.password, ""}};
  }
  return client;
}

class ConsulSource final : public Source {
 public:
  ConsulSource(const ConsulOptions& options, Context& context)
      : options_(options),
        context_(context),
        failures_(context.metrics().counter("prometheus_sd_consul_rpc_failures_total",
                                            "The number of Consul RPC call failures.")),
        client_(std::make_shared<const http::ClientOptions>(client_of(options))),
        datacenter_(options.datacenter) {}

  ~ConsulSource() override {
    if (catalog_ != nullptr) catalog_->stop.request_stop();
    for (const auto& [name, watch] : services_) watch->stop.request_stop();
  }

  void start() override {
    if (datacenter_.empty()) {
      context_.fetch(request("/v1/agent/self", milliseconds(std::chrono::seconds(30))),
                     [this](Result<http::ClientResponse> response) {
                       const Status learnt = learn_datacenter(std::move(response));
                       if (learnt.ok()) return begin();
                       failed("Error retrieving datacenter name", learnt.error());
                       context_.after(kRetry, [this] { start(); });
                     });
    } else {
      begin();
    }
  }

 private:
  http::ClientRequest request(const std::string& path, milliseconds timeout) const {
    http::ClientRequest out;
    out.url = fmt::format("{}://{}{}{}", options_.scheme, options_.server, options_.path_prefix,
                          path);
    if (!options_.token.empty()) out.headers.emplace_back("X-Consul-Token", options_.token);
    if (!options_.namespace_name.empty()) {
      out.headers.emplace_back("X-Consul-Namespace", options_.namespace_name);
    }
    out.headers.emplace_back("User-Agent", "Prometheus/3.14.0 (Varve)");
    out.timeout = timeout;
    out.body_max_bytes = kBodyMaxBytes;
    out.answer_header = "x-consul-index";
    out.options = client_;
    return out;
  }

  // What every question says.
  std::string parameters() const {
    std::string out =
        fmt::format("wait={}ms&dc={}", kWait.count(), base::percent_encode(datacenter_));
    if (options_.allow_stale) out += "&stale=";
    if (!options_.namespace_name.empty()) {
      out += "&ns=" + base::percent_encode(options_.namespace_name);
    }
    if (!options_.partition.empty()) {
      out += "&partition=" + base::percent_encode(options_.partition);
    }
    for (const auto& [name, value] : options_.node_meta) {
      out += "&node-meta=" + base::percent_encode(name + ":" + value);
    }
    return out;
  }

  Status learn_datacenter(Result<http::ClientResponse> response) {
    VARVE_TRY_ASSIGN(const http::ClientResponse answer, std::move(response));
    if (answer.status != 200) {
      return Error(ErrorCode::kUnavailable, fmt::format("HTTP status {}", answer.status));
    }
    VARVE_TRY_ASSIGN(const nlohmann::json parsed, parse_json(answer.body, 64));
    datacenter_ = text_at(parsed, "Config", "Datacenter");
    if (!datacenter_.empty()) return {};
    return Error(ErrorCode::kInvalidArgument, "invalid value for Config.Datacenter");
  }

  void begin() {
    if (options_.services.empty() || !options_.tags.empty()) {
      catalog_ = std::make_shared<Watch>();
      catalog_->path = "/v1/catalog/services?" + parameters();
      if (!options_.filter.empty()) {
        catalog_->path += "&filter=" + base::percent_encode(options_.filter);
      }
      ask(catalog_);
    } else {
      for (const std::string& service : options_.services) watch(service);
    }
  }

  void watch(const std::string& service) {
    auto watch = std::make_shared<Watch>();
    watch->target = service;
    watch->path =
        fmt::format("/v1/health/service/{}?{}", base::percent_encode(service), parameters());
    for (const std::string& tag : options_.tags) {
      watch->path += "&tag=" + base::percent_encode(tag);
    }
    if (!options_.health_filter.empty()) {
      watch->path += "&filter=" + base::percent_encode(options_.health_filter);
    }
    services_[service] = watch;
    ask(watch);
  }

  void ask(const WatchPtr& watch) {
    watch->began = context_.clock().monotonic();
    http::ClientRequest question =
        request(fmt::format("{}&index={}", watch->path, watch->index), kTimeout);
    question.cancel = watch->stop.get_token();
    context_.fetch(std::move(question), [this, watch](Result<http::ClientResponse> response) {
      answered(watch, std::move(response));
    });
  }

  bool ended(const WatchPtr& watch) const {
    if (watch->target.empty()) return false;
    const auto found = services_.find(watch->target);
    return found == services_.end() || found->second != watch;
  }

  void answered(const WatchPtr& watch, Result<http::ClientResponse> response) {
    if (ended(watch)) return;
    const Status taken = take(*watch, std::move(response));
    if (taken.ok()) {
      const auto took = std::chrono::duration_cast<milliseconds>(context_.clock().monotonic() -
                                                                 watch->began);
      context_.after(std::max(options_.refresh_interval - took, milliseconds(0)),
                     [this, watch] { if (!ended(watch)) ask(watch); });
      return;
    }
    watch->index = "0";
    failed(watch->target.empty() ? "Error refreshing service list" : "Error refreshing service",
           taken.error());
    context_.after(kRetry, [this, watch] { if (!ended(watch)) ask(watch); });
  }

  Status take(Watch& watch, Result<http::ClientResponse> response) {
    VARVE_TRY_ASSIGN(const http::ClientResponse answer, std::move(response));
    if (answer.status != 200) {
      return Error(ErrorCode::kUnavailable,
                   fmt::format("Unexpected response code: {} ({})", answer.status,
                               answer.body.substr(0, 200)));
    }
    if (watch.index != "0" && answer.answer_header == watch.index) return {};  // nothing new
    if (watch.target.empty()) {
      VARVE_TRY(take_catalog(answer.body));
    } else {
      VARVE_TRY_ASSIGN(model::TargetGroup group,
                       read_consul_health(answer.body, watch.target, datacenter_,
                                          options_.tag_separator));
      context_.publish({std::move(group)});
    }
    watch.index = next_index(watch.index, answer.answer_header);
    return {};
  }

  // An index that is missing, or went back, begins anew: Consul's own advice.
  static std::string next_index(const std::string& before, const std::string& now) {
    const bool digits = !now.empty() && now.size() < 20 &&
                        now.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) return "0";
    const bool back =
        now.size() < before.size() || (now.size() == before.size() && now < before);
    return back ? "0" : now;
  }

  Status take_catalog(std::string_view body) {
    VARVE_TRY_ASSIGN(const std::vector<ConsulService> catalog, read_consul_catalog(body));
    std::map<std::string, WatchPtr> gone = std::move(services_);
    services_.clear();
    std::vector<std::string> fresh;
    for (const ConsulService& service : catalog) {
      if (!wants(options_, service)) continue;
      const auto known = gone.find(service.name);
      if (known == gone.end()) {
        fresh.push_back(service.name);
      } else {
        services_.insert(gone.extract(known));
      }
    }
    std::vector<model::TargetGroup> ends;
    for (const auto& [name, old] : gone) {
      old->stop.request_stop();
      ends.push_back({name, {}, {}});
    }
    if (!ends.empty()) context_.publish(std::move(ends));
    for (const std::string& name : fresh) watch(name);
    return {};
  }

  void failed(std::string_view what, const Error& error) {
    failures_.add();
    context_.log().error(what, {{"discovery", "consul"}, {"err", error.message()}});
  }

  const ConsulOptions& options_;
  Context& context_;
  base::Counter& failures_;
  const std::shared_ptr<const http::ClientOptions> client_;
  std::string datacenter_;
  WatchPtr catalog_;  // null if no catalog is asked for
  std::map<std::string, WatchPtr> services_;
};

}  // namespace

std::unique_ptr<Source> create_consul_source(const ConsulOptions& options, Context& context) {
  return std::make_unique<ConsulSource>(options, context);
}

}  // namespace varve::discovery
