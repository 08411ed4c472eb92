// SPDX-License-Identifier: Apache-2.0
#include "server/start_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "fs/file_system.h"

namespace varve::server {
namespace {

// All of a file of the kernel's, whose size it does not tell; "" if it cannot be read.
std::string content_of(fs::FileSystem& files, const std::string& path) {
  constexpr std::size_t kPiece = std::size_t{64} << 10;
  const auto file = files.open_read(path);
  if (!file.ok()) return {};
  std::string text;
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + kPiece);
    const auto read = (*file)->read_at(size, std::span(text.data() + size, kPiece));
    text.resize(size + (read.ok() ? *read : 0));
    if (!read.ok()) return {};
    if (*read == 0) return text;
  }
}

std::string_view take_field(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view field = line.substr(0, line.find(' '));
  line.remove_prefix(field.size());
  return field;
}

bool parse(std::string_view text, std::uint64_t& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

// The first line of a mapping, "7f00-7f10 r-xp 00000000 08:01 1234 /path". False for those that
// tell of it.
bool parse_mapping(std::string_view line, AddressRange& range, bool& file_unwritable) {
  const std::string_view addresses = take_field(line);
  const std::size_t dash = addresses.find('-');
  if (dash == std::string_view::npos || !parse(addresses.substr(0, dash), range.begin, 16) ||
      !parse(addresses.substr(dash + 1), range.end, 16)) {
    return false;
  }
  const std::string_view access = take_field(line);
  take_field(line);  // offset
  take_field(line);  // device
  const std::string_view inode = take_field(line);
  file_unwritable = access.size() >= 2 && access[1] == '-' && !inode.empty() && inode != "0";
  return true;
}

// Called for each loaded object, under the loader's lock: nobody unmaps it meanwhile.
int drop_object(dl_phdr_info* object, std::size_t, void* unchanged) {
  const auto& ranges = *static_cast<const std::vector<AddressRange>*>(unchanged);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const ElfW(Phdr) & segment : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uint64_t address = object->dlpi_addr + segment.p_vaddr;
    const std::uint64_t begin = address / page * page;
    const std::uint64_t end = (address + segment.p_memsz + page - 1) / page * page;
    const auto after = std::upper_bound(
        ranges.begin(), ranges.end(), begin,
        [](std::uint64_t at, const AddressRange& range) { return at < range.begin; });
    if (after == ranges.begin() || end > std::prev(after)->end) continue;
    // Advice: where it is refused, more stays resident.
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

std::vector<AddressRange> unchanged_file_ranges(fs::FileSystem& files) {
  std::vector<AddressRange> ranges;
  const std::string text = content_of(files, "/proc/self/smaps");
  AddressRange range;
  bool file_unwritable = false;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (parse_mapping(line, range, file_unwritable)) continue;
    // Pages of a file become this when they are changed, and may be swapped out then. Each stands
    // once in what is told of a mapping, Swap later.
    const std::string_view name = take_field(line);
    const bool anonymous = name == "Anonymous:";
    if ((!anonymous && name != "Swap:") || !file_unwritable) continue;
    const bool none = take_field(line) == "0";
    if (anonymous && none) {
      ranges.push_back(range);
    } else if (!none && !ranges.empty() && ranges.back().begin == range.begin) {
      ranges.pop_back();
    }
  }
  return ranges;
}

void drop_start_pages(fs::FileSystem& files) {
  std::vector<AddressRange> unchanged = unchanged_file_ranges(files);
  ::dl_iterate_phdr(&drop_object, &unchanged);
}

}  // namespace varve::server
