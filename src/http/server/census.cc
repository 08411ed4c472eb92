// SPDX-License-Identifier: Apache-2.0
#include "http/server/census.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace varve::http::server {
namespace {

// Who has come or was answered so lately is likely to be about to send something.
constexpr std::chrono::milliseconds kFreshTime{200};
// Who is slow may still be honest; whoever has not moved for so long gives way.
constexpr std::chrono::seconds kStuckTime{1};

// The later, the more is lost by letting it go.
enum class Loss : unsigned char { kSilent, kIdle, kStuckBody, kStuckReader, kFresh, kNever };

Loss loss(const Connection& connection, Clock::duration since) {
  switch (connection.waits()) {
    case Waits::kNot:
      break;
    case Waits::kFirstRequest:
      return since < kFreshTime ? Loss::kFresh : Loss::kSilent;
    case Waits::kNextRequest:
      return since < kFreshTime ? Loss::kFresh : Loss::kIdle;
    case Waits::kRestOfBody:
      // No reserved path has a use for a body.
      return since < kStuckTime && !connection.reserved() ? Loss::kNever : Loss::kStuckBody;
    case Waits::kReading:
      return since < kStuckTime ? Loss::kNever : Loss::kStuckReader;
  }
  return Loss::kNever;
}

struct Candidate {
  Connection* connection = nullptr;
  Loss loss = Loss::kNever;
  Clock::time_point since;
};

// Whoever is the least loss; of those the one whose address has the most of them, and of these the
// one that waits longest.
std::shared_ptr<Connection> pick(const Core& core, const std::vector<Candidate>& candidates) {
  Loss least = Loss::kNever;
  for (const Candidate& each : candidates) least = std::min(least, each.loss);
  if (least == Loss::kNever) return nullptr;
  std::unordered_map<std::string_view, std::size_t> of_address;
  for (const Candidate& each : candidates) {
    if (each.loss == least) ++of_address[each.connection->address()];
  }
  const Candidate* best = nullptr;
  std::size_t best_crowd = 0;
  for (const Candidate& each : candidates) {
    if (each.loss != least) continue;
    const std::size_t crowd = of_address[each.connection->address()];
    if (best != nullptr &&
        (crowd < best_crowd || (crowd == best_crowd && each.since >= best->since))) {
      continue;
    }
    best = &each;
    best_crowd = crowd;
  }
  std::shared_ptr<Connection> chosen = core.connections.find(best->connection)->second.lock();
  if (chosen) chosen->set_leaving();
  return chosen;
}

}  // namespace

Room find_room(const Core& core, Clock::time_point now) {
  const std::size_t most = core.options.connections_max;
  const std::size_t most_reserved = core.options.connections_reserved;
  if (core.connections.size() < most) return {Room::Kind::kOrdinary, nullptr};
  if (core.connections.size() >= 2 * (most + most_reserved)) return {};
  std::size_t ordinary = 0, reserved = 0;
  std::vector<Candidate> candidates, reserved_candidates;
  for (const auto& [connection, weak] : core.connections) {
    if (connection->leaving()) continue;
    ++(connection->reserved() ? reserved : ordinary);
    const Clock::time_point since = connection->waits_since();
    const Loss would_be = loss(*connection, now - since);
    if (would_be == Loss::kNever) continue;
    (connection->reserved() ? reserved_candidates : candidates)
        .push_back({connection, would_be, since});
  }
  if (ordinary < most) return {Room::Kind::kOrdinary, nullptr};
  if (auto from = pick(core, candidates)) return {Room::Kind::kOrdinary, std::move(from)};
  if (reserved < most_reserved) return {Room::Kind::kReserved, nullptr};
  if (auto from = pick(core, reserved_candidates)) return {Room::Kind::kReserved, std::move(from)};
  return {};
}

}  // namespace varve::http::server
