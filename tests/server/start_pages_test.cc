// SPDX-License-Identifier: Apache-2.0
#include "server/start_pages.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "fs/fault_fs.h"
#include "fs/real_fs.h"

using namespace varve;

namespace {

// Of mappings of code, in kB; the tables of pages are read for it, so it is exact.
std::uint64_t resident_code() {
  std::ifstream maps("/proc/self/smaps");
  std::uint64_t total = 0;
  bool code = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) code = line.find(" r-xp ") != std::string::npos;
    if (code && line.rfind("Rss:", 0) == 0) total += std::stoull(line.substr(4));
  }
  return total;
}

}  // namespace

TEST_CASE("start pages: only mappings of files that nobody changed or may change", "[server]") {
  fs::FaultFs files;
  CHECK(server::unchanged_file_ranges(files).empty());
  REQUIRE(files.create_directories("/proc/self").ok());
  REQUIRE(files
              .write_file_atomically("/proc/self/smaps",
                                     "1000-3000 r-xp 00000000 08:01 77      /bin/one two\n"
                                     "Rss:                   8 kB\n"
                                     "Anonymous:             0 kB\n"
                                     "Swap:                  0 kB\n"
                                     "VmFlags: rd ex\n"
                                     "3000-4000 r-xp 00002000 08:01 77      /bin/one two\n"
                                     "Anonymous:             4 kB\n"
                                     "Swap:                  0 kB\n"
                                     "6000-7000 r-xp 00002000 08:01 77      /bin/one two\n"
                                     "Anonymous:             0 kB\n"
                                     "Swap:                  4 kB\n"
                                     "4000-5000 rw-p 00003000 08:01 77      /bin/one two\n"
                                     "Anonymous:             0 kB\n"
                                     "5000-6000 r--p 00000000 00:00 0 \n"
                                     "Anonymous:             0 kB\n"
                                     "7f0000001000-7f0000002000 r--p 00000000 08:01 78 /lib\n"
                                     "Anonymous:             0 kB\n"
                                     "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
                                     "[vsyscall]\n"
                                     "Anonymous:             0 kB\n"
                                     "9000-a000 r--p")
              .ok());
  const auto ranges = server::unchanged_file_ranges(files);
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].begin == 0x1000);
  CHECK(ranges[0].end == 0x3000);
  CHECK(ranges[1].begin == 0x7f0000001000);
  CHECK(ranges[1].end == 0x7f0000002000);
}

TEST_CASE("start pages: what was dropped comes back when it is called", "[server]") {
  fs::RealFs files;
  if (server::unchanged_file_ranges(files).empty()) return;  // a kernel that does not tell
  const std::uint64_t before = resident_code();
  server::drop_start_pages(files);
  CHECK(resident_code() < before);
  CHECK_FALSE(server::unchanged_file_ranges(files).empty());
}
