// SPDX-License-Identifier: Apache-2.0
// What the endpoints of /api/v1/admin have in common.
#pragma once

#include <functional>
#include <string_view>

#include "api/call.h"
#include "varve/result.h"

namespace varve::api {

// Runs `work` on the thread for administration, if that is allowed and there is room; answers else.
void run_admin(const CallPtr& call, std::function<void(const Call&)> work);

// Answers as Prometheus answers what its database refuses, but for what a later attempt may cure.
// `what` stands before the error's text.
void fail_admin(const Call& call, const Error& error, std::string_view what = {});

// 204.
void done_admin(const Call& call);

}  // namespace varve::api
