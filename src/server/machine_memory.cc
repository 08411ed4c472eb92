// SPDX-License-Identifier: Apache-2.0
#include "server/machine_memory.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "fs/file_system.h"

namespace varve::server {
namespace {

// The start of a file of the kernel's, whose size it does not tell; "" if it is not there.
std::string content_of(fs::FileSystem& files, const std::string& path) {
  const auto file = files.open_read(path);
  if (!file.ok()) return {};
  std::string text(8192, '\0');
  const auto size = (*file)->read_at(0, std::span(text.data(), text.size()));
  text.resize(size.ok() ? *size : 0);
  return text;
}

// The number at the start of a text; 0 if there is none, as in "max".
std::uint64_t leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void lower(std::uint64_t& bytes, std::uint64_t limit) {
  if (limit != 0 && (bytes == 0 || limit < bytes)) bytes = limit;
}

}  // namespace

std::uint64_t machine_memory_bytes(fs::FileSystem& files) {
  std::uint64_t bytes = 0;
  constexpr std::string_view kTotal = "MemTotal:";
  const std::string meminfo = content_of(files, "/proc/meminfo");
  if (const auto at = meminfo.find(kTotal); at != std::string::npos) {
    bytes = leading_number(std::string_view(meminfo).substr(at + kTotal.size())) * 1024;
  }
  // Lines such as "0::/a/b" (v2) and "7:memory:/a/b" (v1).
  const std::string groups = content_of(files, "/proc/self/cgroup");
  for (std::string_view rest = groups; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t slash = line.find('/');
    if (slash == std::string_view::npos) continue;
    const bool v2 = line.starts_with("0::");
    if (!v2 && line.substr(0, slash).find(":memory:") == std::string_view::npos) continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::string_view name = v2 ? "/memory.max" : "/memory.limit_in_bytes";
    // Each group around bounds too; inside a container the path may not exist, but its root does.
    for (std::string_view group = line.substr(slash);; group = group.substr(0, group.rfind('/'))) {
      if (group == "/") group = {};
      lower(bytes,
            leading_number(content_of(files, root + std::string(group) + std::string(name))));
      if (group.empty()) break;
    }
  }
  return bytes;
}

}  // namespace varve::server
