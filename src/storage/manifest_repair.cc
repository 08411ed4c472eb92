// SPDX-License-Identifier: Apache-2.0
#include "storage/manifest_repair.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "storage/block/block.h"

namespace varve::storage {
namespace {

// A first line is 16 digits, 384 of the secret, and two numbers.
constexpr std::size_t kIdentityBytesMax = 4096;
// Of the copy: what has gone of whom is bounded, and far shorter.
constexpr std::uint64_t kCopyBytesMax = std::uint64_t{16} << 20;
// As for the MANIFEST itself.
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;

Result<std::vector<std::string>> blocks_of(fs::FileSystem& files, const DataDirectory& directory) {
  VARVE_TRY_ASSIGN(std::vector<std::string> names, files.list(directory.dense));
  std::erase_if(names, [](const std::string& name) { return !block::is_ulid(name); });
  return names;
}

// Empty if there is none.
std::string text_of(fs::FileSystem& files, const std::string& path, std::uint64_t size_max) {
  auto text = files.read_file(path, size_max);
  return text.ok() ? std::move(text).value() : std::string();
}

// Blocks keep the fingerprint of the secret that they were made with. One that fits is enough:
// others may be damaged.
bool fits(fs::FileSystem& files, const DataDirectory& directory,
          const std::vector<std::string>& blocks, const ManifestState& identity) {
  const auto hasher = index::SeriesHasher::from_hex(identity.hash_secret);
  if (!hasher.ok()) return false;
  for (const std::string& ulid : blocks) {
    if (block::Block::open(files, fs::join(directory.dense, ulid), hasher->fingerprint()).ok()) {
      return true;
    }
  }
  return blocks.empty();
}

// From the copy; or from the MANIFEST's own first line, as a wrong byte of it may lie outside the
// secret. nullopt: neither is that of the blocks.
std::optional<ManifestState> find_identity(fs::FileSystem& files, const DataDirectory& directory,
                                           const std::vector<std::string>& blocks,
                                           std::string_view manifest) {
  auto copy = parse_identity(text_of(files, directory.identity, kCopyBytesMax), directory.identity,
                             true);
  if (copy.ok() && fits(files, directory, blocks, *copy)) return std::move(copy).value();
  const std::string_view line = manifest.substr(0, kIdentityBytesMax);
  auto own = parse_identity(line.substr(0, line.find('\n')), directory.manifest, false);
  if (own.ok() && !blocks.empty() && fits(files, directory, blocks, *own)) {
    return std::move(own).value();
  }
  return std::nullopt;
}

// `why`, and then what to do.
Error advising(const Error& why, std::string_view advice) {
  return Error(why.code(), fmt::format("{}; {}", why.message(), advice));
}

Error without_identity(const Error& why) {
  return advising(
      why,
      "its first line names the series of all blocks, and no copy of that fits them, so "
      "--repair cannot help: put the file back from a copy of this directory, or move the "
      "blocks away to go on without them");
}

}  // namespace

void keep_identity(fs::FileSystem& files, const std::string& path, const ManifestState& state,
                   bool expected, base::Logger& log) {
  const std::string text = identity_text(state);
  const auto before = files.read_file(path, kCopyBytesMax);
  if (before.ok() && *before == text) return;
  if (!before.ok() && expected) {
    log.warn("storage: the copy of what the MANIFEST alone knows cannot be read and is made anew",
             {{"err", before.error().message()}});
  } else if (before.ok()) {
    const auto parsed = parse_manifest(*before, path);
    std::string wrong;
    if (!parsed.ok()) {
      wrong = parsed.error().message();
    } else if (!parsed->damage.empty()) {
      wrong = parsed->damage.front().message();
    } else if (parsed->torn) {
      wrong = path + ": its last line does not end";
    } else if (parsed->state.hash_secret != state.hash_secret) {
      wrong = path + ": it is of another database";
    }
    if (!wrong.empty()) {
      log.warn("storage: the copy of what the MANIFEST alone knows is damaged and is made anew",
               {{"err", wrong}});
    }
  }
  if (const Status kept = files.write_file_atomically(path, text); !kept.ok()) {
    log.warn("storage: no copy can be kept of what the MANIFEST alone knows",
             {{"err", kept.error().message()}});
  }
}

std::optional<ManifestState> kept_state(fs::FileSystem& files, const std::string& path,
                                        const ManifestState& own) {
  auto copy = parse_manifest(text_of(files, path, kCopyBytesMax), path);
  if (!copy.ok() || !copy->damage.empty() || copy->torn || copy->edits == 0) return std::nullopt;
  if (copy->state.hash_secret != own.hash_secret) return std::nullopt;
  return std::move(copy->state);
}

Result<bool> has_blocks(fs::FileSystem& files, const DataDirectory& directory) {
  VARVE_TRY_ASSIGN(const std::vector<std::string> blocks, blocks_of(files, directory));
  return !blocks.empty();
}

Error unreadable_manifest(fs::FileSystem& files, const DataDirectory& directory, Error why) {
  const auto blocks = blocks_of(files, directory);
  if (!blocks.ok()) return why;
  const std::string text = text_of(files, directory.manifest, kBytesMax);
  if (!blocks->empty() && !find_identity(files, directory, *blocks, text)) {
    return without_identity(why);
  }
  return advising(
      why,
      "start once with --repair to go on with what of it can be read and the blocks that "
      "are there, or put it back from a copy");
}

Result<ManifestReading> rebuilt_manifest(fs::FileSystem& files, const DataDirectory& directory,
                                         Error why, Timestamp now_ms) {
  VARVE_TRY_ASSIGN(const std::vector<std::string> blocks, blocks_of(files, directory));
  const std::string text = text_of(files, directory.manifest, kBytesMax);
  std::optional<ManifestState> identity = find_identity(files, directory, blocks, text);
  if (!identity && !blocks.empty()) return without_identity(why);
  if (!identity) {
    // Nothing has been named yet.
    identity.emplace();
    identity->hash_secret = index::SeriesHasher::random().to_hex();
    identity->created_ms = now_ms;
  }
  const std::size_t end = text.find('\n');
  const std::string rest = end == std::string::npos ? std::string() : text.substr(end + 1);
  VARVE_TRY_ASSIGN(ManifestReading reading,
                   parse_manifest(identity_line(*identity) + rest, directory.manifest));
  reading.damage.insert(reading.damage.begin(), std::move(why));
  return reading;
}

}  // namespace varve::storage
