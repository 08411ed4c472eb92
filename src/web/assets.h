// SPDX-License-Identifier: Apache-2.0
// The dashboard's files, bundled from app/ by build.mjs and embedded in the binary. Empty in a
// build without npm.
#pragma once

#include <span>
#include <string_view>

namespace varve::web {

// Names contain a hash of the content: a name never means other bytes.
struct Asset {
  std::string_view name;  // "app-3F2A.js"
  std::string_view gzip;  // the file, compressed
  std::string_view brotli;  // the same, smaller; not every client reads it
};

// Sorted by name. Lives as long as the process.
std::span<const Asset> assets();

// index.html with the places {{base}}, {{title}}, {{options}} to be filled in, escaped by the
// caller; "" in a build without npm.
std::string_view index_html();

}  // namespace varve::web
