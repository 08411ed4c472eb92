// SPDX-License-Identifier: Apache-2.0
// What a source of targets is and what it may use. Sources never block and know no threads: all
// their code runs under the manager's lock, one callback after the other.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/options.h"
#include "model/target_group.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Logger;
class MetricsRegistry;
}  // namespace varve::base
namespace varve::fs {
class FileSystem;
}
namespace varve::http {
struct ClientRequest;
struct ClientResponse;
}  // namespace varve::http

namespace varve::discovery {

// Reads target groups from YAML; given from above, where the YAML reader lives.
using ParseYaml =
    std::function<Result<std::vector<model::TargetGroup>>(std::string_view text, std::string name)>;
// Whole DNS answer packets for a name, tried along the search path. Blocks for seconds at most. An
// empty string: there is surely no such record; an error: nobody knows.
using Resolve = std::function<Result<std::string>(const std::string& name, DnsType type)>;

// What the manager lends to one source, for the source's life. Callbacks come one at a time and
// none after the source has gone.
class Context {
 public:
  virtual ~Context() = default;
  virtual void after(std::chrono::milliseconds delay, std::function<void()> then) = 0;
  // Ends with the source, unless the request has a stop token of its own: then that is its end.
  virtual void fetch(http::ClientRequest request,
                     std::function<void(Result<http::ClientResponse>)> then) = 0;
  // The same for an answer that does not end soon: `piece` gets its bytes as they come.
  virtual void stream(http::ClientRequest request, std::function<void(std::string)> piece,
                      std::function<void(Result<http::ClientResponse>)> then) = 0;
  // Runs `work` on a thread where it may block, then what it answers as a callback. `work` must not
  // touch the source: it may outlive it.
  virtual void run_blocking(std::function<std::function<void()>()> work) = 0;
  // Replaces the groups of these sources; one without targets removes its source.
  virtual void publish(std::vector<model::TargetGroup> groups) = 0;
  // Counts a round of a source that asks in intervals; `began` is of the clock's monotonic time.
  // Logs an error.
  virtual void refreshed(std::chrono::nanoseconds began, const Status& status) = 0;

  virtual fs::FileSystem& files() = 0;
  virtual const base::Clock& clock() = 0;
  virtual base::Logger& log() = 0;
  virtual base::MetricsRegistry& metrics() = 0;
  virtual const ParseYaml& parse_yaml() = 0;
  virtual const Resolve& resolve() = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual void start() = 0;
};

// The options and the context are borrowed for the source's life.
Result<std::unique_ptr<Source>> create_source(const SourceOptions& options, Context& context);

// One for each kind.
std::unique_ptr<Source> create_file_source(const FileOptions& options, Context& context);
std::unique_ptr<Source> create_http_source(const HttpOptions& options, Context& context);
std::unique_ptr<Source> create_dns_source(const DnsOptions& options, Context& context);
std::unique_ptr<Source> create_consul_source(const ConsulOptions& options, Context& context);
// Fails where the cluster's address or credentials cannot be read.
Result<std::unique_ptr<Source>> create_kubernetes_source(const KubernetesOptions& options,
                                                         Context& context);

}  // namespace varve::discovery
