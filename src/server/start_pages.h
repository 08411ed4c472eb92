// SPDX-License-Identifier: Apache-2.0
// Resident memory that only starting needed: pages of code and constants, of ours and of the
// libraries'. Relocating forty libraries and reading flags and configuration touches a few
// functions of each, and the kernel maps sixteen pages around every one. Of 17 MB that are resident
// when the server is ready, 5 to 8 come back, as it idles or takes samples in.
#pragma once

#include <cstdint>
#include <vector>

namespace varve::fs {
class FileSystem;
}

namespace varve::server {

// Addresses, the end not included; whole pages.
struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The mappings of files by this process that cannot be written to and are as the files are: no page
// of them was ever changed, by relocations, a debugger or a probe. Ascending; empty if /proc does
// not say.
std::vector<AddressRange> unchanged_file_ranges(fs::FileSystem& files);

// Lets go of the pages of loaded objects. Those that are used again come back from the page cache,
// sixteen at a time, so this is for once, when all has started. Any thread, while others run.
void drop_start_pages(fs::FileSystem& files);

}  // namespace varve::server
