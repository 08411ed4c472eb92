// SPDX-License-Identifier: Apache-2.0
// dns_sd_configs: one group for each name, asked for anew each interval. "No such name" from the
// servers is an answer and ends the targets; no answer keeps them.
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/try.h"
#include "discovery/dns_answer.h"
#include "discovery/manager.h"
#include "discovery/source.h"

namespace varve::discovery {
namespace {

using model::TargetGroup;

// Seconds a server gets for a try, and tries; a worker is held for no longer than both times the
// number of servers and of search domains.
constexpr int kTrySeconds = 2;
constexpr int kTries = 2;

Result<std::string> resolve_by_libc(const std::string& name, DnsType type) {
  struct __res_state state {};
  if (::res_ninit(&state) != 0) {
    return Error(ErrorCode::kUnavailable, "could not load resolv.conf");
  }
  state.retrans = kTrySeconds;
  state.retry = kTries;
  std::string packet(NS_MAXMSG, '\0');
  const int size = ::res_nsearch(&state, name.c_str(), ns_c_in, dns_type_number(type),
                                 reinterpret_cast<unsigned char*>(packet.data()),
                                 static_cast<int>(packet.size()));
  const int why = state.res_h_errno;
  ::res_nclose(&state);
  if (size < 0) {
    if (why == HOST_NOT_FOUND || why == NO_DATA) return std::string();
    return Error(ErrorCode::kUnavailable,
                 fmt::format("could not resolve \"{}\": no server responded: {}", name,
                             ::hstrerror(why)));
  }
  packet.resize(std::min(packet.size(), static_cast<std::size_t>(size)));
  return packet;
}

TargetGroup to_group(const std::string& name, const DnsOptions& options,
                     const std::vector<DnsRecord>& records) {
  TargetGroup group{name, {}, {}};
  for (const DnsRecord& record : records) {
    std::string host = record.host;
    if (host.ends_with('.')) host.pop_back();
    const bool v6 = host.find(':') != std::string::npos;
    LabelsBuilder target;
    const std::uint16_t port = options.type == DnsType::kSrv ? record.port : options.port;
    target.set("__address__",
               v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port));
    target.set("__meta_dns_name", name);
    if (options.type == DnsType::kSrv) {
      target.set("__meta_dns_srv_record_target", record.host);
      target.set("__meta_dns_srv_record_port", std::to_string(record.port));
    } else if (options.type == DnsType::kMx) {
      target.set("__meta_dns_mx_record_target", record.host);
    } else if (options.type == DnsType::kNs) {
      target.set("__meta_dns_ns_record_target", record.host);
    }
    group.targets.push_back(target.build());
  }
  return group;
}

Result<TargetGroup> look_up(const std::string& name, const DnsOptions& options,
                            const Resolve& resolve) {
  VARVE_TRY_ASSIGN(const std::string packet, resolve(name, options.type));
  if (packet.empty()) return TargetGroup{name, {}, {}};
  VARVE_TRY_ASSIGN(const std::vector<DnsRecord> records, read_dns_answer(packet, options.type));
  return to_group(name, options, records);
}

class DnsSource final : public Source {
 public:
  DnsSource(const DnsOptions& options, Context& context)
      : options_(options),
        context_(context),
        lookups_(context.metrics().counter("prometheus_sd_dns_lookups_total",
                                           "The number of DNS-SD lookups.")),
        failures_(context.metrics().counter("prometheus_sd_dns_lookup_failures_total",
                                            "The number of DNS-SD lookup failures.")) {}

  void start() override {
    began_ = context_.clock().monotonic();
    waiting_ = options_.names.size();
    failed_ = {};
    if (waiting_ == 0) return;
    for (const std::string& name : options_.names) {
      context_.run_blocking([this, name, options = options_, resolve = context_.resolve()] {
        auto group = std::make_shared<Result<TargetGroup>>(look_up(name, options, resolve));
        return [this, group] { looked_up(std::move(*group)); };
      });
    }
  }

 private:
  void looked_up(Result<TargetGroup> group) {
    lookups_.add();
    if (group.ok()) {
      context_.publish({*std::move(group)});
    } else {
      failures_.add();
      failed_ = std::move(group).error();
    }
    if (--waiting_ > 0) return;
    context_.refreshed(began_, failed_);
    context_.after(options_.refresh_interval, [this] { start(); });
  }

  const DnsOptions& options_;
  Context& context_;
  base::Counter& lookups_;
  base::Counter& failures_;
  std::chrono::nanoseconds began_{};
  std::size_t waiting_ = 0;  // names of this round
  Status failed_;            // the round's last error
};

}  // namespace

std::unique_ptr<Source> create_dns_source(const DnsOptions& options, Context& context) {
  return std::make_unique<DnsSource>(options, context);
}

Resolve system_resolver() { return resolve_by_libc; }

}  // namespace varve::discovery
