// SPDX-License-Identifier: Apache-2.0
// Passwords against bcrypt hashes.
#pragma once

#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::http {

// kInvalidArgument for what is no bcrypt hash.
Status check_bcrypt(std::string_view hash);
// Slow on purpose: a tenth of a second, more at higher costs.
bool password_fits(const std::string& password, const std::string& hash);

}  // namespace varve::http
