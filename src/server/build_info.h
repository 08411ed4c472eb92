// SPDX-License-Identifier: Apache-2.0
// What this binary was built from.
#pragma once

#include "api/services.h"

namespace varve::server {

api::BuildInfo build_info();

}  // namespace varve::server
