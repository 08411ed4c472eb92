// SPDX-License-Identifier: Apache-2.0
// Prometheus remote write 1: protobuf bytes to a storage batch, read in place. Nothing is done per
// label here: the raw bytes of a series' labels are its key, and only keys that storage has never
// seen are turned into labels, by RemoteWriteKeyDecoder.
// Compression is the caller's business (wire/compression.h), as are headers and status codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "storage/write_batch.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::wire {

// Keys of remote write 1 in WriteBatch::key_space.
inline constexpr std::uint64_t kRemoteWrite1KeySpace = 0x52573100;

// The most that the arrays of one batch may occupy. A body of honest samples stays below four
// times its size; only a body made of empty messages comes near this.
inline constexpr std::size_t kBatchMaxBytes = std::size_t{256} << 20;

// The most that the labels of one series may take in the message.
inline constexpr std::size_t kKeyMaxBytes = std::size_t{1} << 20;

// A key (the label fields of a TimeSeries as they stood in the message) to labels: sorted, labels
// with an empty value dropped. kInvalidArgument in Prometheus's words, with the labels, for: broken
// protobuf, no or an empty metric name, an empty label name, a duplicate name, invalid UTF-8.
// Stateless and thread-safe.
class RemoteWriteKeyDecoder final : public storage::KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override;
};

// What a decoded request left out. Its neighbours are in the batch.
struct DecodeReport {
  std::uint64_t refused_series =
      0;  // series whose labels are too short for a metric name or too long
  std::uint64_t refused_histograms = 0;  // histograms that contradict themselves
  std::uint64_t refused_exemplars = 0;   // exemplars with invalid labels
  // Samples and histograms whose series says nothing of its family; version 1 never does.
  std::uint64_t samples_without_metadata = 0;
  std::string first_error;               // of the series and histograms; names the series

  bool all_decoded() const { return refused_series + refused_histograms == 0; }
};

// The type of a metric family by its number in both versions of the protocol: "counter", "unknown".
std::string_view metadata_type_name(std::int32_t type);

// Reusable, for one thread at a time; a decoder that is kept keeps its buffers.
class WriteRequestDecoder {
 public:
  // Replaces the contents of `out`, whose keys are loans from `protobuf` and from this decoder,
  // until its next call. Samples keep their bits (stale markers). Unknown fields are skipped; a
  // series without samples, histograms or exemplars is left out.
  // kInvalidArgument: broken protobuf, saying where; nothing of it is to be used. kLimitExceeded:
  // the batch would pass kBatchMaxBytes.
  // Cost: about 20 ns for a sample that comes with nine labels of its own.
  Result<DecodeReport> decode(std::string_view protobuf, storage::WriteBatch& out);

  // The same for what nearly all requests are: series of labels first and then samples, and nothing
  // else. It reads no label, but takes for samples what looks so at the end of a series, and what
  // is before them for the key. That is right if the key is one that decode() has given before. A
  // key that storage does not know goes to out.decoder, which refuses what is not label fields
  // alone with kCorruption; append() then applies nothing, and the request has to be decode()d. So
  // has one that nullopt is returned for. Cost: about 9 ns a sample.
  std::optional<DecodeReport> guess(std::string_view protobuf, storage::WriteBatch& out);

 private:
  std::deque<std::string> gathered_keys_;  // of series whose labels do not stand together
};

}  // namespace varve::wire
