// SPDX-License-Identifier: Apache-2.0
// process_*: what the kernel says about this process, under the names of Prometheus's clients.
#pragma once

namespace varve::base {
class Clock;
class MetricsRegistry;
}  // namespace varve::base
namespace varve::fs {
class FileSystem;
}

namespace varve::server {

// The registry reads /proc each time it renders; all references must outlive it.
void register_process_metrics(base::MetricsRegistry& metrics, fs::FileSystem& files,
                              const base::Clock& clock);

}  // namespace varve::server
