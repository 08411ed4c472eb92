// SPDX-License-Identifier: Apache-2.0
#include "storage/head/metadata_store.h"

#include <fmt/format.h>

namespace varve::storage::head {

Result<bool> MetadataStore::set(const MetadataEntry& entry) {
  if (entry.metric_family.empty()) {
    return Error(ErrorCode::kInvalidArgument, "metadata without a metric family name");
  }
  const std::size_t entry_bytes = entry.metric_family.size() + entry.type.size() +
                                  entry.help.size() + entry.unit.size();
  if (entry_bytes > kEntryBytesMax) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("metadata of \"{}\" has {} bytes, at most {} are kept",
                             entry.metric_family.substr(0, 128), entry_bytes, kEntryBytesMax));
  }
  const std::lock_guard lock(mutex_);
  const auto found = families_.find(entry.metric_family);
  std::size_t old_bytes = 0;
  if (found != families_.end()) {
    const Entry& old = found->second;
    if (old.type == entry.type && old.help == entry.help && old.unit == entry.unit) return false;
    old_bytes = found->first.size() + old.type.size() + old.help.size() + old.unit.size();
  } else if (families_.size() >= families_max_) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("metadata of \"{}\": {} families are kept already",
                             entry.metric_family, families_max_));
  }
  if (text_bytes_ - old_bytes + entry_bytes > text_bytes_max_) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("metadata of \"{}\": {} bytes of texts are kept already",
                             entry.metric_family, text_bytes_));
  }
  text_bytes_ = text_bytes_ - old_bytes + entry_bytes;
  families_.insert_or_assign(entry.metric_family, Entry{entry.type, entry.help, entry.unit});
  return true;
}

std::vector<MetadataEntry> MetadataStore::list(std::string_view family) const {
  const std::lock_guard lock(mutex_);
  std::vector<MetadataEntry> entries;
  const auto add = [&entries](const std::string& name, const Entry& entry) {
    entries.push_back({name, entry.type, entry.help, entry.unit});
  };
  if (family.empty()) {
    entries.reserve(families_.size());
    for (const auto& [name, entry] : families_) add(name, entry);
  } else if (const auto found = families_.find(family); found != families_.end()) {
    add(found->first, found->second);
  }
  return entries;
}

std::size_t MetadataStore::size() const {
  const std::lock_guard lock(mutex_);
  return families_.size();
}

std::size_t MetadataStore::text_bytes() const {
  const std::lock_guard lock(mutex_);
  return text_bytes_;
}

}  // namespace varve::storage::head
