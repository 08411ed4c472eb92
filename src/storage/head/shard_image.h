// SPDX-License-Identifier: Apache-2.0
// What a snapshot keeps of one shard, in memory and as bytes. Taking one is copying, so that it is
// short under the shard's mutex; making bytes of it is done without. See FORMAT.md, "Snapshot".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/codec/gorilla.h"
#include "storage/head/series.h"
#include "varve/query.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::head {

// Parallel arrays: by series, in the order of their ids. A value; reused from shard to shard.
struct ShardImage {
  // The open histogram chunk of a series, or, without one, the newest histogram it had.
  struct Histograms {
    std::uint32_t id = 0;
    Timestamp first_ms = 0;
    Timestamp last_ms = 0;
    std::vector<std::uint8_t> open;
    HistogramPtr last;  // null if there is an open chunk
  };
  struct Late {
    std::uint32_t id = 0;
    std::vector<Sample> floats;
    std::vector<HistogramPoint> histograms;
  };
  struct Deleted {
    std::uint32_t id = 0;
    std::vector<TimeRange> ranges;
  };

  Timestamp frozen_before_ms = TimeRange::all().min_ms;

  std::vector<std::uint32_t> ids;
  std::vector<HotSeries> hot;               // `words` and `chunks` mean nothing
  std::vector<std::uint32_t> chunk_counts;  // of each series
  std::vector<std::uint64_t> words;         // of all open chunks, hot[i].gorilla.word_count of each
  std::vector<ChunkRef> chunks;             // of all series, newest first within one

  std::vector<Histograms> histograms;
  std::vector<Late> late, frozen;
  std::vector<Deleted> deleted;

  void clear();
};

// Appends the bytes.
void encode_image(const ShardImage& image, std::string& out);
// kCorruption if they make no sense; every id is then of shard `shard`, every count and flag is one
// the head can hold, and open chunks decode. That columns and places exist is not checked.
Status decode_image(std::string_view bytes, unsigned shard, ShardImage& image);

}  // namespace varve::storage::head
