// SPDX-License-Identifier: Apache-2.0
#include "http/server/waiting.h"

namespace varve::http::server {
namespace {

// Who has come or was answered so lately is likely to be about to send something.
constexpr std::chrono::milliseconds kFreshTime{200};
// Who is slow may still be honest; whoever has not moved for so long gives way.
constexpr std::chrono::seconds kStuckTime{1};

}  // namespace

Loss loss(const Waiting& waiting, bool reserved, Clock::time_point now) {
  const Clock::duration since = now - waiting.since;
  switch (waiting.what) {
    case Waits::kNot:
      break;
    case Waits::kFirstRequest:
      return since < kFreshTime ? Loss::kFresh : Loss::kSilent;
    case Waits::kNextRequest:
      return since < kFreshTime ? Loss::kFresh : Loss::kIdle;
    case Waits::kRestOfBody:
      // No reserved path has a use for a body.
      return since < kStuckTime && !reserved ? Loss::kNever : Loss::kStuckBody;
    case Waits::kReading:
      return since < kStuckTime ? Loss::kNever : Loss::kStuckReader;
  }
  return Loss::kNever;
}

}  // namespace varve::http::server
