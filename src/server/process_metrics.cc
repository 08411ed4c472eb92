// SPDX-License-Identifier: Apache-2.0
#include "server/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "fs/file_system.h"

namespace varve::server {
namespace {

using CallbackKind = base::MetricsRegistry::CallbackKind;

// Field `index` of /proc/self/statm, in bytes.
double statm_bytes(fs::FileSystem& files, int index) {
  const auto file = files.open_read("/proc/self/statm");
  if (!file.ok()) return 0;
  char text[256] = {};
  const auto size = (*file)->read_at(0, std::span(text, sizeof text - 1));
  if (!size.ok()) return 0;
  char* at = text;
  unsigned long long pages = 0;
  for (int i = 0; i <= index; ++i) pages = std::strtoull(at, &at, 10);
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void register_process_metrics(base::MetricsRegistry& metrics, fs::FileSystem& files,
                              const base::Clock& clock) {
  metrics.callback(CallbackKind::kCounter, "process_cpu_seconds_total",
                   "Total user and system CPU time spent in seconds.", cpu_seconds);
  metrics.callback(CallbackKind::kGauge, "process_virtual_memory_bytes",
                   "Virtual memory size in bytes.", [&files] { return statm_bytes(files, 0); });
  metrics.callback(CallbackKind::kGauge, "process_resident_memory_bytes",
                   "Resident memory size in bytes.", [&files] { return statm_bytes(files, 1); });
  metrics.callback(CallbackKind::kGauge, "process_open_fds", "Number of open file descriptors.",
                   [&files] {
                     const auto names = files.list("/proc/self/fd");
                     return names.ok() ? static_cast<double>(names->size()) : 0;
                   });
  metrics.callback(CallbackKind::kGauge, "process_max_fds",
                   "Maximum number of open file descriptors.", open_file_limit);
  metrics
      .gauge("process_start_time_seconds",
             "Start time of the process since unix epoch in seconds.")
      .set(static_cast<double>(clock.now_ms()) / 1000);
}

}  // namespace varve::server
