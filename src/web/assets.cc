// SPDX-License-Identifier: Apache-2.0
#include "web/assets.h"

#include <cstddef>

#ifdef VARVE_WEB_EMBEDDED
// Made from the bundle by embed.cmake.
#include <embedded_assets.inc>
#endif

namespace varve::web {

#if defined(VARVE_WEB_EMBEDDED) && !defined(VARVE_WEB_NOT_FETCHED)
std::span<const Asset> assets() { return embedded::assets(); }
std::string_view index_html() { return embedded::index_html(); }
#else
// npm, or what it should fetch, was not there at build time.
std::span<const Asset> assets() { return {}; }
std::string_view index_html() { return {}; }
#endif

}  // namespace varve::web
