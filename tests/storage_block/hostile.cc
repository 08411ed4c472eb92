// SPDX-License-Identifier: Apache-2.0
#include "hostile.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "storage/block/format.h"
#include "storage/block/paged_file.h"

namespace varve::storage::block {
namespace {

std::string content_of(fs::FileSystem& files, const std::string& path, std::uint32_t magic,
                       std::uint32_t* root_bytes) {
  const auto file = PagedFile::open(files, path, magic);
  if (!file.ok()) std::abort();
  if (root_bytes != nullptr) *root_bytes = static_cast<std::uint32_t>((*file)->root_bytes());
  return std::string((*file)->read(0, (*file)->content_bytes()).value());
}

// The writer puts the header there itself.
bool write_file(fs::FileSystem& files, const std::string& path, std::uint32_t magic,
                std::string_view content, std::uint64_t root_bytes, std::uint64_t* identity) {
  const auto writer = PagedWriter::create(files, path, magic);
  if (!writer.ok() || !(*writer)->append(content.substr(kFileHeaderBytes)).ok()) return false;
  if (!(*writer)->finish(content.size() - root_bytes, root_bytes).ok()) return false;
  if (identity != nullptr) *identity = (*writer)->identity();
  return true;
}

}  // namespace

Contents Contents::of(fs::FileSystem& files, const std::string& directory) {
  Contents contents;
  contents.index =
      content_of(files, fs::join(directory, kIndexFile), kIndexMagic, &contents.root_bytes);
  contents.data = content_of(files, fs::join(directory, kDataFile), kDataMagic, nullptr);
  return contents;
}

std::string Contents::pack() const {
  const std::array<std::uint32_t, 2> head{static_cast<std::uint32_t>(index.size()), root_bytes};
  std::string bytes(reinterpret_cast<const char*>(head.data()), sizeof head);
  return bytes + index + data;
}

Contents Contents::unpack(std::string_view bytes) {
  Contents contents;
  std::array<std::uint32_t, 2> head{};
  if (bytes.size() < sizeof head) return contents;
  std::memcpy(head.data(), bytes.data(), sizeof head);
  bytes.remove_prefix(sizeof head);
  const std::size_t index_bytes = std::min<std::size_t>(head[0], bytes.size());
  contents.index = bytes.substr(0, index_bytes);
  contents.data = bytes.substr(index_bytes);
  contents.root_bytes = std::min(head[1], static_cast<std::uint32_t>(index_bytes));
  return contents;
}

bool Contents::write(fs::FileSystem& files, const std::string& directory) const {
  if (index.size() < kFileHeaderBytes || data.size() < kFileHeaderBytes) return false;
  if (!files.create_directories(directory).ok()) return false;
  std::uint64_t identity = 0;
  if (!write_file(files, fs::join(directory, kDataFile), kDataMagic, data, 0, &identity))
    return false;
  std::string joined = index;
  if (root_bytes >= 16 && root_bytes <= joined.size()) {
    // The root opens with the data's length and identity.
    const std::uint64_t bytes = data.size();
    std::memcpy(joined.data() + joined.size() - root_bytes, &bytes, 8);
    std::memcpy(joined.data() + joined.size() - root_bytes + 8, &identity, 8);
  }
  return write_file(files, fs::join(directory, kIndexFile), kIndexMagic, joined, root_bytes,
                    nullptr);
}

void read_everything(const Block& block) {
  using model::Matcher;
  using model::MatchType;
  const auto ignore = [](const auto& result) { static_cast<void>(result.ok()); };
  block.verify([](const Error&) {});
  ignore(block.parts());
  const auto names = block.label_names();
  if (names.ok()) {
    for (const std::string& name : *names) ignore(block.label_values(name));
  }
  // A block may claim more series than anybody would write; a sample of them will do.
  Ordinals some(std::min<std::size_t>(block.series_count(), 2000));
  std::iota(some.begin(), some.end(), 0U);
  ignore(block.labels(OrdinalSpan(some)));
  ignore(block.label_names(some));
  ignore(block.label_column(some, "instance"));
  for (const std::string_view value :
       {"host-01:9100", "host-.*", ".+", "a|b|host-02:9100", "[a-h].*"}) {
    for (const MatchType type :
         {MatchType::kEqual, MatchType::kNotEqual, MatchType::kRegex, MatchType::kNotRegex}) {
      const std::vector<Matcher> matchers{
          Matcher::create(type, "instance", std::string(value)).value(),
          Matcher::create(MatchType::kNotEqual, "cpu", "3").value()};
      ignore(block.select(matchers));
    }
  }
  std::vector<ChunkView> chunks;
  for (const std::uint32_t ordinal : some) {
    chunks.clear();
    if (!block.chunks(ordinal, TimeRange::all(), chunks).ok()) continue;
    for (const ChunkView& chunk : chunks) ignore(block.column(chunk.column));
  }
}

}  // namespace varve::storage::block
