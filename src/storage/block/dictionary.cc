// SPDX-License-Identifier: Apache-2.0
#include "storage/block/dictionary.h"

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "storage/block/bytes.h"
#include "storage/codec/byte_reader.h"

namespace varve::storage::block {
namespace {

// Both lengths of a string that is not the first of its group share a byte; this means "and more".
constexpr std::size_t kNibbleMax = 15;

}  // namespace

void DictionaryWriter::push(std::string_view value) {
  if (count_++ % kDictionaryGroup == 0) {
    starts_.push(strings_.size());
    append_uvarint(strings_, value.size());
    strings_ += value;
  } else {
    const auto [in_last, in_value] =
        std::mismatch(last_.begin(), last_.end(), value.begin(), value.end());
    const auto shared = static_cast<std::size_t>(in_last - last_.begin());
    const std::size_t own = value.size() - shared;
    const std::size_t high = std::min(shared, kNibbleMax);
    const std::size_t low = std::min(own, kNibbleMax);
    strings_ += static_cast<char>(high << 4 | low);
    if (high == kNibbleMax) append_uvarint(strings_, shared - kNibbleMax);
    if (low == kNibbleMax) append_uvarint(strings_, own - kNibbleMax);
    strings_ += value.substr(shared);
  }
  last_ = value;
}

void DictionaryWriter::finish(std::string& strings, std::string& starts) {
  strings = std::move(strings_);  // it can be large
  strings_.clear();
  starts_.finish(starts);
  last_.clear();
  count_ = 0;
}

// Reads strings one after the other.
class Dictionary::Cursor {
 public:
  explicit Cursor(const Dictionary& dictionary) : dictionary_(dictionary), reader_({}) {}

  // Stands before the first string of a group afterwards.
  Status open(std::uint64_t group) {
    const PackedArray& starts = dictionary_.starts_;
    Extent part = dictionary_.strings_;
    std::uint64_t end = part.size;
    if (group / kGroupSize != loaded_) {
      loaded_ = group / kGroupSize;
      VARVE_TRY(starts.group(loaded_, group_starts_));
    }
    const std::size_t in_group = group % kGroupSize;
    const auto begin = static_cast<std::uint64_t>(group_starts_.values[in_group]);
    if (group + 1 < starts.size()) {
      if (in_group + 1 < group_starts_.size) {
        end = static_cast<std::uint64_t>(group_starts_.values[in_group + 1]);
      } else {
        VARVE_TRY_ASSIGN(end, starts.get(group + 1));
      }
    }
    if (begin > end || end > part.size) return part.corrupt(0, "dictionary: groups descend");
    begin_ = begin;
    VARVE_TRY_ASSIGN(const std::string_view bytes, part.read(begin, end - begin));
    reader_ = codec::ByteReader(unsigned_bytes(bytes));
    next_ = static_cast<std::uint32_t>(group * kDictionaryGroup + 1);
    first_ = true;
    return {};
  }
  // Reads the next string of the group. Precondition: there is one.
  Status next() {
    std::size_t shared = 0;
    std::uint64_t own = 0;
    if (first_) {
      own = reader_.uvarint();
      first_ = false;
    } else {
      const std::uint8_t lengths = reader_.byte();
      std::uint64_t high = lengths >> 4;
      own = lengths & 15;
      if (high == kNibbleMax) high += reader_.uvarint();
      if (own == kNibbleMax) own += reader_.uvarint();
      if (high > value_.size()) return malformed();
      shared = static_cast<std::size_t>(high);
    }
    const std::uint8_t* from =
        own <= reader_.left() ? reader_.take(static_cast<std::size_t>(own)) : nullptr;
    if (reader_.failed() || from == nullptr) return malformed();
    value_.resize(shared);
    value_.append(reinterpret_cast<const char*>(from), static_cast<std::size_t>(own));
    id_ = next_++;
    return {};
  }
  // Reads up to the string `id`, going on from where it stands if that is in the same group.
  Status seek(std::uint32_t id) {
    const std::uint64_t group = (id - 1) / kDictionaryGroup;
    const bool here = id_ != 0 && id >= next_ && (id_ - 1) / kDictionaryGroup == group;
    if (!here) VARVE_TRY(open(group));
    while (next_ <= id) VARVE_TRY(next());
    return {};
  }
  std::uint32_t id() const { return id_; }
  const std::string& value() const { return value_; }

 private:
  Status malformed() const {
    return dictionary_.strings_.corrupt(begin_ + reader_.taken(), "dictionary: malformed string");
  }

  const Dictionary& dictionary_;
  PackedGroup group_starts_;
  std::uint64_t loaded_ = ~std::uint64_t{0};
  codec::ByteReader reader_;
  std::uint64_t begin_ = 0;
  std::uint32_t id_ = 0;
  std::uint32_t next_ = 0;
  bool first_ = false;
  std::string value_;
};

Result<std::uint32_t> Dictionary::lower_bound(std::string_view value) const {
  if (count_ == 0) return 1U;
  Cursor cursor(*this);
  // The last group whose first string is not above the value.
  std::uint64_t low = 0;
  std::uint64_t high = starts_.size();
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    VARVE_TRY(cursor.open(middle));
    VARVE_TRY(cursor.next());
    (std::string_view(cursor.value()) <= value ? low : high) = middle;
  }
  VARVE_TRY(cursor.open(low));
  const auto first = static_cast<std::uint32_t>(low * kDictionaryGroup + 1);
  const std::uint32_t last =
      std::min(count_, first + static_cast<std::uint32_t>(kDictionaryGroup) - 1);
  for (std::uint32_t id = first; id <= last; ++id) {
    VARVE_TRY(cursor.next());
    if (std::string_view(cursor.value()) >= value) return id;
  }
  return last + 1;
}

Result<std::uint32_t> Dictionary::find(std::string_view value) const {
  VARVE_TRY_ASSIGN(const std::uint32_t id, lower_bound(value));
  if (id > count_) return 0U;
  std::string found;
  VARVE_TRY(append(id, found));
  return found == value ? id : 0U;
}

Status Dictionary::append(std::uint32_t id, std::string& out) const {
  VARVE_DCHECK(id >= 1 && id <= count_);
  Cursor cursor(*this);
  VARVE_TRY(cursor.seek(id));
  out += cursor.value();
  return {};
}

Status Dictionary::visit(std::uint32_t first, std::uint32_t last, const See& see) const {
  Cursor cursor(*this);
  for (std::uint32_t id = first; id < last; ++id) {
    VARVE_TRY(cursor.seek(id));
    if (!see(id, cursor.value())) break;
  }
  return {};
}

Status Dictionary::visit(std::span<const std::uint32_t> ids, const See& see) const {
  Cursor cursor(*this);
  for (const std::uint32_t id : ids) {
    VARVE_TRY(cursor.seek(id));
    if (!see(id, cursor.value())) break;
  }
  return {};
}

}  // namespace varve::storage::block
