// SPDX-License-Identifier: Apache-2.0
// The columns a series is read into. A query reads thousands of series into the same few buffers,
// so what a vector does on the side shows: it writes zeros where values are decoded to right after,
// and forgets times that the next series of a scrape has as well.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "varve/sample.h"

namespace varve::storage {

// A vector of plain numbers whose resize() leaves new ones undefined.
template <typename T>
class PlainColumn {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;

  PlainColumn() = default;
  PlainColumn(std::span<const T> values) { append(values); }
  PlainColumn(std::initializer_list<T> values) { append({values.begin(), values.size()}); }
  PlainColumn(const std::vector<T>& values) { append(values); }
  PlainColumn(const PlainColumn& other) { append(other); }
  PlainColumn& operator=(const PlainColumn& other) {
    if (this == &other) return *this;
    clear();
    append(other);
    return *this;
  }
  PlainColumn(PlainColumn&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  PlainColumn& operator=(PlainColumn&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  const T& front() const { return data_[0]; }
  const T& back() const { return data_[size_ - 1]; }

  // Keeps the memory.
  void clear() { size_ = 0; }
  void reserve(std::size_t count) {
    if (count > capacity_) grow(count);
  }
  void resize(std::size_t count) {
    if (count > capacity_) grow(std::max(count, 2 * capacity_));
    size_ = count;
  }
  void push_back(T value) {
    resize(size_ + 1);
    data_[size_ - 1] = value;
  }
  // Precondition: `more` is no part of this column.
  void append(std::span<const T> more) {
    if (more.empty()) return;
    const std::size_t before = size_;
    resize(before + more.size());
    std::memcpy(data() + before, more.data(), more.size_bytes());
  }

  friend bool operator==(const PlainColumn& a, std::span<const T> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  void grow(std::size_t count) {
    auto larger = std::make_unique_for_overwrite<T[]>(count);
    if (size_ > 0) std::memcpy(larger.get(), data(), size_ * sizeof(T));
    data_ = std::move(larger);
    capacity_ = count;
  }

  std::unique_ptr<T[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Times, of which clear() forgets nothing: where the parts that are then appended are those that
// were there before, as in the next series of a scrape, they are not copied again. A third of what
// reading a day of one scrape group cost were such copies.
class RecalledTimes {
 public:
  using value_type = Timestamp;

  RecalledTimes() = default;
  RecalledTimes(std::initializer_list<Timestamp> times) { append({times.begin(), times.size()}); }
  RecalledTimes(const std::vector<Timestamp>& times) { append(times); }
  RecalledTimes(const RecalledTimes&) = default;
  RecalledTimes& operator=(const RecalledTimes&) = default;
  RecalledTimes(RecalledTimes&& other) noexcept { *this = std::move(other); }
  RecalledTimes& operator=(RecalledTimes&& other) noexcept {
    held_ = std::move(other.held_);
    parts_ = std::move(other.parts_);
    size_ = std::exchange(other.size_, 0);
    recalled_ = std::exchange(other.recalled_, 0);
    other.parts_.clear();
    return *this;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Timestamp* data() const { return held_.data(); }
  const Timestamp* begin() const { return data(); }
  const Timestamp* end() const { return data() + size_; }
  const Timestamp& operator[](std::size_t i) const { return held_[i]; }
  const Timestamp& front() const { return held_[0]; }
  const Timestamp& back() const { return held_[size_ - 1]; }

  void clear() {
    size_ = 0;
    recalled_ = 0;
  }
  void reserve(std::size_t count) { held_.reserve(count); }
  // Equal keys mean equal times; they are hashes, so the ends are compared besides.
  void append(std::span<const Timestamp> more, std::uint64_t key) {
    if (recalled_ < parts_.size() && parts_[recalled_] == Part{key, size_, more.size()} &&
        (more.empty() || (held_[size_] == more.front() &&
                          held_[size_ + more.size() - 1] == more.back()))) {
      size_ += more.size();
      ++recalled_;
      return;
    }
    parts_.resize(recalled_);
    parts_.push_back({key, size_, more.size()});
    ++recalled_;
    put(more);
  }
  void append(std::span<const Timestamp> more) {
    forget();
    put(more);
  }
  void push_back(Timestamp time) { append({&time, 1}); }
  // New ones are undefined.
  void resize(std::size_t count) {
    forget();
    held_.resize(count);
    size_ = count;
  }
  // To change them.
  Timestamp* mutable_data() {
    forget();
    return held_.data();
  }

  friend bool operator==(const RecalledTimes& a, std::span<const Timestamp> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  struct Part {
    std::uint64_t key;
    std::size_t begin;
    std::size_t size;
    bool operator==(const Part&) const = default;
  };

  void forget() {
    parts_.clear();
    recalled_ = 0;
  }
  void put(std::span<const Timestamp> more) {
    held_.resize(size_);
    held_.append(more);
    size_ = held_.size();
  }

  PlainColumn<Timestamp> held_;  // the times, and behind size_ those from before clear()
  std::size_t size_ = 0;
  std::vector<Part> parts_;   // of held_; what was appended without a key is in none
  std::size_t recalled_ = 0;  // of parts_: those before lie before size_, those behind it behind it
};

}  // namespace varve::storage
