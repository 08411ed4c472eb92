// SPDX-License-Identifier: Apache-2.0
// Prometheus remote write 2 (io.prometheus.write.v2.Request): protobuf bytes to a storage batch,
// read in place. What a label costs is a look at two hashes; labels are put together only for
// series that storage has never seen. Compression is the caller's business (wire/compression.h), as
// are headers and status codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "storage/write_batch.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "wire/remote_write.h"
#include "wire/symbol_table.h"

namespace varve::wire {

// Keys of remote write 2 in WriteBatch::key_space.
inline constexpr std::uint64_t kRemoteWrite2KeySpace = 0x52573200;

// Whether what a series says of its metric family is made labels of it, `__type__` and `__unit__`,
// in place of any that it has: where a type or a unit is told.
enum class MetadataLabels : unsigned char { kNone, kTypeAndUnit };

// Reusable, for one thread at a time; a decoder that is kept keeps its buffers.
class WriteRequest2Decoder {
 public:
  WriteRequest2Decoder() = default;
  WriteRequest2Decoder(const WriteRequest2Decoder&) = delete;
  WriteRequest2Decoder& operator=(const WriteRequest2Decoder&) = delete;

  // Replaces the contents of `out`, whose keys and decoder are loans from `protobuf` and from this
  // decoder, until its next call. Samples keep their bits. Unknown fields are skipped. A series
  // whose references lead nowhere, whose labels are too long, or that has neither samples nor
  // histograms is left out and reported. `zeros`, if given, is replaced too: a sample of zero where
  // a sample or histogram says that its counter began, by the same keys. It lives as long as `out`.
  // kInvalidArgument: broken protobuf, saying where; nothing of it is to be used. kLimitExceeded:
  // the batch would pass kBatchMaxBytes.
  Result<DecodeReport> decode(std::string_view protobuf, storage::WriteBatch& out,
                              storage::WriteBatch* zeros = nullptr,
                              MetadataLabels metadata_labels = MetadataLabels::kNone);
  // Storage has not taken the last batch: what it said of families is to be said again.
  void forget_told() { metadata_told_.clear(); }
  // What is kept between requests, and giving it back after a huge one.
  std::size_t memory_bytes() const;
  void shrink();

 private:
  friend class Walk2;

  // What a series is named by. The key is a view of `key`, and Keys finds the rest behind it.
  struct Record {
    SymbolKey key;
    std::string_view refs;
  };
  struct TypeAndUnit {
    std::int32_t type = 0;  // 0: unknown
    std::uint32_t unit_ref = 0;
    bool told = false;
  };
  class Keys final : public storage::KeyDecoder {
   public:
    explicit Keys(const WriteRequest2Decoder& owner) : owner_(owner) {}
    // Only for keys of the batch at hand.
    Result<Labels> decode(std::string_view key) const override;

   private:
    const WriteRequest2Decoder& owner_;
  };

  // Requests after which metadata that was handed on before is handed on again: storage may have
  // got other metadata meanwhile, or forgotten it.
  static constexpr std::size_t kMetadataRepeat = 1000;
  static constexpr std::size_t kMetadataRemembered = 100'000;

  SymbolTable symbols_;
  std::vector<std::string_view> series_;   // messages
  std::vector<Record> records_;            // one per entry of the batch
  std::vector<TypeAndUnit> typed_;         // the same, or empty: nothing is made a label
  std::deque<std::string> gathered_refs_;  // of series whose references do not stand together
  std::vector<bool> metadata_seen_;        // of this request, by the symbol of the metric name
  std::unordered_set<std::uint64_t> metadata_told_;
  std::size_t requests_ = 0;
  Keys keys_{*this};
};

}  // namespace varve::wire
