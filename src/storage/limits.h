// SPDX-License-Identifier: Apache-2.0
// The options of a database that change while it runs, when its configuration is loaded again.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "storage/db.h"

namespace varve::storage {

// Thread-safe. Each is read on its own: that two of one reload are seen apart for a moment harms
// nothing.
struct Limits {
  std::atomic<std::int64_t> retention_ms{0};            // 0: for ever
  std::atomic<std::int64_t> accepted_ms{0};  // how old samples may be: of those kept longest
  std::atomic<std::uint64_t> retention_bytes{0};        // 0: no bound
  std::atomic<std::int64_t> out_of_order_window_ms{0};  // 0: nothing comes late

  explicit Limits(const Options& options)
      : retention_ms(options.retention.count()),
        retention_bytes(options.retention_bytes),
        out_of_order_window_ms(options.out_of_order_window.count()) {
    accept(options.ladder);
  }

  void accept(const Ladder& ladder) {
    std::int64_t longest_ms = retention_ms.load();
    for (const RetentionPolicy& policy : ladder.policies) {
      const std::int64_t raw_ms = policy.raw.count();
      longest_ms = longest_ms == 0 || raw_ms == 0 ? 0 : std::max(longest_ms, raw_ms);
    }
    accepted_ms.store(longest_ms);
  }
};

}  // namespace varve::storage
