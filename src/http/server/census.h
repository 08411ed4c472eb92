// SPDX-License-Identifier: Apache-2.0
// Who has to go when a client comes and all connections are taken: of those that only wait for
// their client, whoever is missed least. So nobody keeps others out by opening connections.
#pragma once

#include <memory>

#include "http/server/connection.h"
#include "http/server/core.h"
#include "http/server/waiting.h"

namespace varve::http::server {

// Who is to go, to be told so by ask_to_go(); it counts as gone already.
struct Leaver {
  std::shared_ptr<Connection> connection;
  Loss loss = Loss::kNever;  // that it was picked for
};

// What there is for a client that has just come.
struct Room {
  enum class Kind : unsigned char { kNone, kOrdinary, kReserved };
  Kind kind = Kind::kNone;
  Leaver from;  // who makes it, if anybody has to
};

// With core.mutex held. While connections_max are open it costs nothing; past that a look at all of
// them. At most twice as many are open as there is room for: those who leave and who came instead.
Room find_room(const Core& core, Clock::time_point now);

// With core.mutex held. Who goes instead of somebody who was to go and has got on meanwhile, if
// there are too many (of the reserved, or of the others) and anybody can.
Leaver find_surplus(const Core& core, bool reserved, Clock::time_point now);

// Posts that to its strand. Not once core.closed.
void ask_to_go(Leaver leaver);

}  // namespace varve::http::server
