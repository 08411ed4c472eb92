// SPDX-License-Identifier: Apache-2.0
#include "storage/block/ordinals.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/block/format.h"
#include "storage/codec/byte_reader.h"
#include "storage/codec/times.h"

namespace varve::storage::block {
namespace {

// A list this much longer than the other is searched instead of walked.
constexpr std::size_t kGallopRatio = 16;
// A bitmap is tried where it takes at most so many bits for each ordinal; packed gaps take fewer
// else.
constexpr std::size_t kBitmapBitsMax = 8;
constexpr std::size_t kHeaderBytesMax = 1 + 3 * codec::kVarintBytesMax;

void append_block(std::string& out, std::span<const Timestamp> values) {
  std::uint8_t block[codec::kTimesBytesMax];
  const std::size_t size = codec::encode_times(values, block);
  out.append(reinterpret_cast<const char*>(block), size);
}

void begin(std::string& out, OrdinalsKind kind, std::size_t count) {
  out += static_cast<char>(kind);
  append_uvarint(out, count);
}

std::string as_blocks(std::span<const std::uint32_t> ordinals) {
  std::string out;
  begin(out, OrdinalsKind::kBlocks, ordinals.size());
  std::array<Timestamp, kGroupSize> group;
  for (std::size_t at = 0; at < ordinals.size(); at += kGroupSize) {
    const std::size_t size = std::min(kGroupSize, ordinals.size() - at);
    std::copy_n(ordinals.begin() + static_cast<std::ptrdiff_t>(at), size, group.begin());
    append_block(out, std::span(group).first(size));
  }
  return out;
}

std::string as_bitmap(std::span<const std::uint32_t> ordinals) {
  std::string out;
  begin(out, OrdinalsKind::kBitmap, ordinals.size());
  append_uvarint(out, ordinals.front());
  const std::size_t bytes = (ordinals.back() - ordinals.front()) / 8 + 1;
  const std::size_t at = out.size();
  out.resize(at + bytes, '\0');
  for (const std::uint32_t ordinal : ordinals) {
    const std::uint32_t bit = ordinal - ordinals.front();
    out[at + bit / 8] = static_cast<char>(out[at + bit / 8] | 1 << (bit % 8));
  }
  return out;
}

struct Run {
  std::uint32_t begin, length;
};

std::string as_runs(std::span<const Run> runs, std::size_t count) {
  std::string out;
  begin(out, OrdinalsKind::kRuns, count);
  append_uvarint(out, runs.size());
  std::array<Timestamp, kGroupSize> group;
  for (std::size_t at = 0; at < runs.size(); at += kGroupSize) {
    const auto part = runs.subspan(at, std::min(kGroupSize, runs.size() - at));
    std::transform(part.begin(), part.end(), group.begin(),
                   [](const Run& run) { return run.begin; });
    append_block(out, std::span(group).first(part.size()));
    std::transform(part.begin(), part.end(), group.begin(),
                   [](const Run& run) { return run.length; });
    append_block(out, std::span(group).first(part.size()));
  }
  return out;
}

// Reads one list.
class Reader {
 public:
  Reader(const Extent& extent, std::string_view bytes, std::uint32_t limit,
         std::vector<std::uint32_t>& out)
      : extent_(extent), bytes_(bytes), reader_(unsigned_bytes(bytes)), limit_(limit), out_(out) {}

  Status read() {
    const std::uint8_t kind = reader_.byte();
    const std::uint64_t count = reader_.uvarint();
    if (reader_.failed() || count == 0 || count > limit_) return malformed();
    const std::size_t before = out_.size();
    out_.reserve(before + count);
    bool good = false;
    switch (OrdinalsKind{kind}) {
      case OrdinalsKind::kRuns:
        good = read_runs();
        break;
      case OrdinalsKind::kBlocks:
        good = read_blocks(count);
        break;
      case OrdinalsKind::kBitmap:
        good = read_bitmap(count);
        break;
      case OrdinalsKind::kOneRun:
        good = add_run(reader_.uvarint(), count);
        break;
    }
    if (!good || reader_.failed() || out_.size() - before != count) {
      out_.resize(before);
      return malformed();
    }
    return {};
  }

 private:
  Status malformed() const { return extent_.corrupt(reader_.taken(), "ordinals: malformed"); }

  bool take_block(std::size_t count, Timestamp* out) {
    const auto taken =
        codec::decode_times(unsigned_bytes(bytes_.substr(reader_.taken())), count, out);
    return taken.ok() && reader_.take(*taken) != nullptr;
  }
  bool add_run(std::uint64_t first, std::uint64_t length) {
    if (length == 0 || first < next_ || first >= limit_ || length > limit_ - first) return false;
    if (out_.size() + length > out_.capacity()) return false;  // more than the count that was said
    for (std::uint64_t i = 0; i < length; ++i) {
      out_.push_back(static_cast<std::uint32_t>(first + i));
    }
    next_ = first + length;
    return true;
  }
  bool read_runs() {
    const std::uint64_t runs = reader_.uvarint();
    if (runs > limit_) return false;
    std::array<Timestamp, kGroupSize> begins;
    std::array<Timestamp, kGroupSize> lengths;
    for (std::uint64_t at = 0; at < runs; at += kGroupSize) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kGroupSize, runs - at));
      if (!take_block(size, begins.data()) || !take_block(size, lengths.data())) return false;
      for (std::size_t i = 0; i < size; ++i) {
        if (!add_run(static_cast<std::uint64_t>(begins[i]),
                     static_cast<std::uint64_t>(lengths[i]))) {
          return false;
        }
      }
    }
    return true;
  }
  bool read_blocks(std::uint64_t count) {
    std::array<Timestamp, kGroupSize> group;
    for (std::uint64_t at = 0; at < count; at += kGroupSize) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kGroupSize, count - at));
      if (!take_block(size, group.data())) return false;
      for (std::size_t i = 0; i < size; ++i) {
        const auto ordinal = static_cast<std::uint64_t>(group[i]);
        if (ordinal < next_ || ordinal >= limit_) return false;
        out_.push_back(static_cast<std::uint32_t>(ordinal));
        next_ = ordinal + 1;
      }
    }
    return true;
  }
  bool read_bitmap(std::uint64_t count) {
    const std::uint64_t first = reader_.uvarint();
    if (reader_.failed() || first >= limit_) return false;
    const std::string_view bits = bytes_.substr(reader_.taken());
    for (std::size_t at = 0; at < bits.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bits.data() + at, std::min<std::size_t>(8, bits.size() - at));
      for (; word != 0; word &= word - 1) {
        const std::uint64_t ordinal =
            first + at * 8 + static_cast<std::uint64_t>(std::countr_zero(word));
        if (ordinal >= limit_ || count-- == 0) return false;
        out_.push_back(static_cast<std::uint32_t>(ordinal));
      }
    }
    return true;
  }

  const Extent& extent_;
  std::string_view bytes_;
  codec::ByteReader reader_;
  std::uint64_t limit_;
  std::uint64_t next_ = 0;
  std::vector<std::uint32_t>& out_;
};

std::size_t gallop(std::span<const std::uint32_t> list, std::size_t from, std::uint32_t target) {
  std::size_t step = 1;
  std::size_t low = from;
  while (low + step < list.size() && list[low + step] < target) {
    low += step;
    step *= 2;
  }
  const auto begin = list.begin() + static_cast<std::ptrdiff_t>(low);
  const auto end =
      list.begin() + static_cast<std::ptrdiff_t>(std::min(low + step + 1, list.size()));
  return static_cast<std::size_t>(std::lower_bound(begin, end, target) - list.begin());
}

// Erases those for which being in the other list is `what`.
void erase_if_common(std::vector<std::uint32_t>& ordinals, std::span<const std::uint32_t> other,
                     bool what) {
  std::size_t at = 0;
  if (other.size() / kGallopRatio > ordinals.size()) {
    std::erase_if(ordinals, [&](std::uint32_t ordinal) {
      if (at < other.size()) at = gallop(other, at, ordinal);
      return (at < other.size() && other[at] == ordinal) == what;
    });
    return;
  }
  std::erase_if(ordinals, [&](std::uint32_t ordinal) {
    while (at < other.size() && other[at] < ordinal) ++at;
    return (at < other.size() && other[at] == ordinal) == what;
  });
}

}  // namespace

void write_ordinals(std::span<const std::uint32_t> ordinals, std::string& out) {
  VARVE_CHECK(!ordinals.empty());
  if (ordinals.size() == 1) {
    std::uint32_t ordinal = ordinals.front();
    do {
      out += static_cast<char>(ordinal & 0xff);
      ordinal >>= 8;
    } while (ordinal != 0);
    return;
  }
  std::vector<Run> runs;
  for (const std::uint32_t ordinal : ordinals) {
    if (!runs.empty() && runs.back().begin + runs.back().length == ordinal) {
      ++runs.back().length;
    } else {
      runs.push_back({ordinal, 1});
    }
  }
  std::string best;
  if (runs.size() == 1) {
    begin(best, OrdinalsKind::kOneRun, ordinals.size());
    append_uvarint(best, ordinals.front());
  } else {
    best =
        runs.size() * 2 <= ordinals.size() ? as_runs(runs, ordinals.size()) : as_blocks(ordinals);
    const std::uint64_t span = ordinals.back() - ordinals.front();
    if (span / ordinals.size() < kBitmapBitsMax && span / 8 + 1 < best.size()) {
      std::string bitmap = as_bitmap(ordinals);
      if (bitmap.size() < best.size()) best = std::move(bitmap);
    }
  }
  if (best.size() <= kSingleOrdinalBytesMax) best.resize(kSingleOrdinalBytesMax + 1, '\0');
  out += best;
}

Result<std::uint32_t> count_ordinals(const Extent& extent) {
  if (extent.size <= kSingleOrdinalBytesMax) return 1U;
  VARVE_TRY_ASSIGN(const std::string_view head,
                   extent.read(0, std::min<std::uint64_t>(extent.size, kHeaderBytesMax)));
  codec::ByteReader reader(unsigned_bytes(head));
  reader.byte();
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(reader.uvarint(), 0xffff'ffff));
}

Status read_ordinals(const Extent& extent, std::uint32_t limit, std::vector<std::uint32_t>& out) {
  VARVE_TRY_ASSIGN(const std::string_view bytes, extent.all());
  if (bytes.size() > kSingleOrdinalBytesMax) return Reader(extent, bytes, limit, out).read();
  std::uint32_t ordinal = 0;
  std::memcpy(&ordinal, bytes.data(), bytes.size());
  if (bytes.empty() || ordinal >= limit) return extent.corrupt(0, "ordinals: malformed");
  out.push_back(ordinal);
  return {};
}

void keep_common(std::vector<std::uint32_t>& ordinals, std::span<const std::uint32_t> other) {
  erase_if_common(ordinals, other, false);
}

void drop_common(std::vector<std::uint32_t>& ordinals, std::span<const std::uint32_t> other) {
  erase_if_common(ordinals, other, true);
}

}  // namespace varve::storage::block
