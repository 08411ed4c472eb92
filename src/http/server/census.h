// SPDX-License-Identifier: Apache-2.0
// Who has to go when a client comes and all connections are taken: of those that only wait for
// their client, whoever is missed least. So nobody keeps others out by opening connections.
#pragma once

#include <memory>

#include "http/server/connection.h"
#include "http/server/core.h"

namespace varve::http::server {

// What there is for a client that has just come.
struct Room {
  enum class Kind : unsigned char { kNone, kOrdinary, kReserved };
  Kind kind = Kind::kNone;
  // Who makes it, if anybody has to: to be told so, on its strand. It counts as gone already.
  std::shared_ptr<Connection> from;
};

// With core.mutex held. While connections_max are open it costs nothing; past that a look at all of
// them. At most twice as many are open as there is room for: those who leave and who came instead.
Room find_room(const Core& core, Clock::time_point now);

}  // namespace varve::http::server
