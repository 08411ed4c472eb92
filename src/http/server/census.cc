// SPDX-License-Identifier: Apache-2.0
#include "http/server/census.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace varve::http::server {
namespace {

struct Candidate {
  Connection* connection = nullptr;
  Loss loss = Loss::kNever;
  Clock::time_point since;
};

// Whoever is the least loss; of those the one whose address has the most of them, and of these the
// one that waits longest.
Candidate* best_of(std::vector<Candidate>& candidates) {
  Loss least = Loss::kNever;
  for (const Candidate& each : candidates) least = std::min(least, each.loss);
  if (least == Loss::kNever) return nullptr;
  std::unordered_map<std::string_view, std::size_t> of_address;
  for (const Candidate& each : candidates) {
    if (each.loss == least) ++of_address[each.connection->address()];
  }
  Candidate* best = nullptr;
  std::size_t best_crowd = 0;
  for (Candidate& each : candidates) {
    if (each.loss != least) continue;
    const std::size_t crowd = of_address[each.connection->address()];
    if (best != nullptr &&
        (crowd < best_crowd || (crowd == best_crowd && each.since >= best->since))) {
      continue;
    }
    best = &each;
    best_crowd = crowd;
  }
  return best;
}

Leaver pick(const Core& core, std::vector<Candidate>& candidates) {
  while (Candidate* const best = best_of(candidates)) {
    if (auto chosen = core.connections.find(best->connection)->second.lock()) {
      chosen->set_leaving();
      return {std::move(chosen), best->loss};
    }
    best->loss = Loss::kNever;  // it ends by itself just now
  }
  return {};
}

// All but those who leave.
struct Census {
  std::size_t ordinary = 0, reserved = 0;
  std::vector<Candidate> candidates, reserved_candidates;
};

Census count(const Core& core, Clock::time_point now) {
  Census out;
  for (const auto& [connection, weak] : core.connections) {
    if (connection->leaving()) continue;
    ++(connection->reserved() ? out.reserved : out.ordinary);
    const Waiting waiting = connection->waiting();
    const Loss would_be = loss(waiting, connection->reserved(), now);
    if (would_be == Loss::kNever) continue;
    (connection->reserved() ? out.reserved_candidates : out.candidates)
        .push_back({connection, would_be, waiting.since});
  }
  return out;
}

}  // namespace

Room find_room(const Core& core, Clock::time_point now) {
  const std::size_t most = core.options.connections_max;
  const std::size_t most_reserved = core.options.connections_reserved;
  if (core.connections.size() < most) return {Room::Kind::kOrdinary, {}};
  if (core.connections.size() >= 2 * (most + most_reserved)) return {};
  Census census = count(core, now);
  if (census.ordinary < most) return {Room::Kind::kOrdinary, {}};
  if (Leaver from = pick(core, census.candidates); from.connection) {
    return {Room::Kind::kOrdinary, std::move(from)};
  }
  if (census.reserved < most_reserved) return {Room::Kind::kReserved, {}};
  if (Leaver from = pick(core, census.reserved_candidates); from.connection) {
    return {Room::Kind::kReserved, std::move(from)};
  }
  return {};
}

Leaver find_surplus(const Core& core, bool reserved, Clock::time_point now) {
  Census census = count(core, now);
  if (reserved) {
    if (census.reserved <= core.options.connections_reserved) return {};
    return pick(core, census.reserved_candidates);
  }
  if (census.ordinary <= core.options.connections_max) return {};
  return pick(core, census.candidates);
}

void ask_to_go(Leaver leaver) {
  const Strand strand = leaver.connection->strand();
  asio::post(strand, [leaver = std::move(leaver)] {
    leaver.connection->make_room(leaver.loss, Clock::now());
  });
}

}  // namespace varve::http::server
