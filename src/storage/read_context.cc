// SPDX-License-Identifier: Apache-2.0
#include "storage/read_context.h"

#include <fmt/format.h>

namespace varve::storage {

void DamageLog::report(const std::string& place, const Error& error) {
  corrupt_chunks_.add();
  {
    const std::lock_guard lock(mutex_);
    if (places_.size() >= kPlacesMax || !places_.insert(place).second) return;
  }
  log_.error("storage: samples cannot be read, queries go on without them",
             {{"where", place}, {"err", error.message()}});
}

void ReadContext::damaged(const std::string& place, const Error& error) {
  observers_.damages.report(place, error);
  const std::lock_guard lock(mutex_);
  ++damages_;
  if (!places_.insert(place).second) return;
  warnings_.insert(fmt::format("samples of {} cannot be read and are missing here: {}", place,
                               error.message()));
}

std::size_t ReadContext::damages() const {
  const std::lock_guard lock(mutex_);
  return damages_;
}

std::vector<std::string> ReadContext::warnings() const {
  const std::lock_guard lock(mutex_);
  return {warnings_.begin(), warnings_.end()};
}

}  // namespace varve::storage
