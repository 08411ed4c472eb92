// SPDX-License-Identifier: Apache-2.0
// Stands in for the embedded files where npm was not there at build time.
#include "web/assets.h"

namespace varve::web {

std::span<const Asset> assets() { return {}; }
std::string_view index_html() { return {}; }

}  // namespace varve::web
