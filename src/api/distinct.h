// SPDX-License-Identifier: Apache-2.0
// What several searches found, each thing once. Many searches that find the same take no more
// memory than one: the list is sorted and doubles are dropped whenever it is twice what was left
// then.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace varve::api {

// `Before` orders; things that neither comes before the other are the same.
template <typename Thing, typename Before = std::less<>>
class Distinct {
 public:
  // Whether doubles have just been dropped.
  bool add(Thing thing) {
    things_.push_back(std::move(thing));
    if (things_.size() < pack_at_) return false;
    pack();
    return true;
  }
  // What is held, doubles among it.
  const std::vector<Thing>& things() const { return things_; }
  // In order. Nothing is left.
  std::vector<Thing> take() {
    pack();
    return std::exchange(things_, {});
  }

 private:
  static constexpr std::size_t kPackAtLeast = 4096;

  void pack() {
    const Before before;
    std::sort(things_.begin(), things_.end(), before);
    const auto same = [&](const Thing& a, const Thing& b) { return !before(a, b); };
    things_.erase(std::unique(things_.begin(), things_.end(), same), things_.end());
    pack_at_ = std::max(kPackAtLeast, 2 * things_.size());
  }

  std::vector<Thing> things_;
  std::size_t pack_at_ = kPackAtLeast;
};

}  // namespace varve::api
