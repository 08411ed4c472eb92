// SPDX-License-Identifier: Apache-2.0
// The bound of bodies in memory over all connections of a server or all exchanges of a client.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace varve::http {

// Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  [[nodiscard]] bool try_take(std::size_t bytes) {
    if (used_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max_bytes_) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::size_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  std::size_t left_bytes() const { return max_bytes_ - std::min(max_bytes_, used_bytes()); }

 private:
  const std::size_t max_bytes_;
  std::atomic<std::size_t> used_bytes_{0};
};

// What one body has taken; gives it back. The budget must outlive it.
class BodyLease {
 public:
  BodyLease() = default;
  explicit BodyLease(BodyBudget& budget) : budget_(&budget) {}
  BodyLease(BodyLease&& other) noexcept { *this = std::move(other); }
  BodyLease& operator=(BodyLease&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~BodyLease() {
    if (bytes_ > 0) budget_->give_back(bytes_);
  }

  // Precondition: it has a budget.
  [[nodiscard]] bool grow(std::size_t bytes) {
    if (!budget_->try_take(bytes)) return false;
    bytes_ += bytes;
    return true;
  }
  // Takes what is missing to `bytes` in all.
  [[nodiscard]] bool grow_to(std::size_t bytes) { return bytes <= bytes_ || grow(bytes - bytes_); }
  // Gives back what is above `bytes`.
  void shrink_to(std::size_t bytes) {
    if (bytes >= bytes_) return;
    budget_->give_back(bytes_ - bytes);
    bytes_ = bytes;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  BodyBudget* budget_ = nullptr;
  std::size_t bytes_ = 0;
};

// An empty lease that keeps its budget alive.
inline std::shared_ptr<BodyLease> lease_of(std::shared_ptr<BodyBudget> budget) {
  struct Kept {
    explicit Kept(std::shared_ptr<BodyBudget> of) : budget(std::move(of)), lease(*budget) {}
    std::shared_ptr<BodyBudget> budget;
    BodyLease lease;  // after its budget: it gives back first
  };
  const auto kept = std::make_shared<Kept>(std::move(budget));
  return {kept, &kept->lease};
}

}  // namespace varve::http
