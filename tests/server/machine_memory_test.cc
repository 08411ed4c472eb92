// SPDX-License-Identifier: Apache-2.0
#include "server/machine_memory.h"

#include <catch2/catch.hpp>

#include "fs/fault_fs.h"

using namespace varve;

TEST_CASE("machine memory: the least of the machine's and the groups' around us", "[server]") {
  fs::FaultFs files;
  const auto write = [&files](const std::string& path, std::string_view content) {
    REQUIRE(files.create_directories(fs::parent_of(path)).ok());
    REQUIRE(files.write_file_atomically(path, content).ok());
  };
  CHECK(server::machine_memory_bytes(files) == 0);
  write("/proc/meminfo", "MemTotal:        8192 kB\nMemFree: 1 kB\n");
  CHECK(server::machine_memory_bytes(files) == 8192 * 1024);
  SECTION("v2, limited further up") {
    write("/proc/self/cgroup", "0::/a/b\n");
    write("/sys/fs/cgroup/a/b/memory.max", "max\n");
    write("/sys/fs/cgroup/a/memory.max", "1048576\n");
    CHECK(server::machine_memory_bytes(files) == 1'048'576);
  }
  SECTION("v2 seen from inside a container") {
    write("/proc/self/cgroup", "0::/outside\n");
    write("/sys/fs/cgroup/memory.max", "2097152\n");
    CHECK(server::machine_memory_bytes(files) == 2'097'152);
  }
  SECTION("v1, beside groups that are not about memory") {
    write("/proc/self/cgroup", "5:cpu:/c\n4:memory:/m\n");
    write("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "4194304\n");
    CHECK(server::machine_memory_bytes(files) == 4'194'304);
  }
  SECTION("a limit beyond the machine is none") {
    write("/proc/self/cgroup", "4:memory:/\n");
    write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK(server::machine_memory_bytes(files) == 8192 * 1024);
  }
}
