// SPDX-License-Identifier: Apache-2.0
// How much memory there is for this process: what bounds are shares of when no flag states them.
#pragma once

#include <cstdint>

namespace varve::fs {
class FileSystem;
}

namespace varve::server {

// Bytes: the machine's memory, or the limit of the control group (v1 or v2) this process is in or
// of a group around it, whichever is least. 0 if /proc does not say.
std::uint64_t machine_memory_bytes(fs::FileSystem& files);

}  // namespace varve::server
