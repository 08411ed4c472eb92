// SPDX-License-Identifier: Apache-2.0
#include "storage/head/reserved_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"

namespace varve::storage::head {

ReservedMemory& ReservedMemory::operator=(ReservedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(size_max_, other.size_max_);
  std::swap(discarded_, other.discarded_);
  std::swap(account_, other.account_);
  return *this;
}

ReservedMemory::~ReservedMemory() {
  if (data_ == nullptr) return;
  account_->release(static_cast<std::int64_t>(size_ - discarded_));
  ::munmap(data_, size_max_);
}

Result<ReservedMemory> ReservedMemory::create(std::size_t bytes_max, base::MemoryAccount& account) {
  constexpr std::size_t kLeastBytes = std::size_t{1} << 30;
  for (std::size_t bytes = bytes_max;; bytes /= 2) {
    void* range =
        ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range != MAP_FAILED) {
      ReservedMemory memory;
      memory.data_ = static_cast<std::byte*>(range);
      memory.size_max_ = bytes;
      memory.account_ = &account;
      return memory;
    }
    if (bytes / 2 < kLeastBytes) {
      return Error(ErrorCode::kLimitExceeded,
                   "cannot reserve " + std::to_string(bytes) +
                       " bytes of addresses (ulimit -v?): " + std::strerror(errno));
    }
  }
}

Status ReservedMemory::grow(std::size_t bytes) {
  if (bytes <= size_) return {};
  const std::size_t size = (bytes + kStepBytes - 1) / kStepBytes * kStepBytes;
  if (size > size_max_) {
    return Error(ErrorCode::kLimitExceeded,
                 "reserved range of " + std::to_string(size_max_) + " bytes is full");
  }
  if (::mprotect(data_ + size_, size - size_, PROT_READ | PROT_WRITE) != 0) {
    return Error(ErrorCode::kLimitExceeded, "cannot get " + std::to_string(size - size_) +
                                                " bytes of memory: " + std::strerror(errno));
  }
  // Advice only: without huge pages everything works, with more TLB misses. Not for the first step:
  // of a small head, and of what is small in a large one, only what is used shall be resident.
  const std::size_t small = std::max(size_, kStepBytes);
  if (small < size) ::madvise(data_ + small, size - small, MADV_HUGEPAGE);
  account_->charge(static_cast<std::int64_t>(size - size_));
  size_ = size;
  return {};
}

void ReservedMemory::discard(std::size_t begin, std::size_t end) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin >= end) return;
  VARVE_CHECK(end <= size_);
  // Else the kernel would soon make a huge page of the rest and the hole again.
  const std::size_t step = begin / kStepBytes * kStepBytes;
  const std::size_t steps_end = (end + kStepBytes - 1) / kStepBytes * kStepBytes;
  ::madvise(data_ + step, steps_end - step, MADV_NOHUGEPAGE);
  if (::madvise(data_ + begin, end - begin, MADV_DONTNEED) != 0) return;
  account_->release(static_cast<std::int64_t>(end - begin));
  discarded_ += end - begin;
}

void ReservedMemory::reuse(std::size_t begin, std::size_t end) {
  VARVE_CHECK(end <= size_ && end - begin <= discarded_);
  account_->charge(static_cast<std::int64_t>(end - begin));
  discarded_ -= end - begin;
}

}  // namespace varve::storage::head
