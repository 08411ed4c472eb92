// SPDX-License-Identifier: Apache-2.0
// What the two ways of reading a remote write request (with care, and by what it looks like) share.
// Source of the field numbers: prometheus prompb/{remote,types}.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "varve/labels.h"
#include "varve/result.h"
#include "wire/protobuf_cursor.h"

namespace varve::wire {

inline constexpr std::uint64_t kTimeSeriesTag = bytes_tag(1), kMetadataTag = bytes_tag(3);
inline constexpr std::uint64_t kLabelTag = bytes_tag(1), kSampleTag = bytes_tag(2),
                               kExemplarTag = bytes_tag(3), kHistogramTag = bytes_tag(4);
inline constexpr std::uint64_t kSampleValueTag = fixed64_tag(1),
                               kSampleTimestampTag = varint_tag(2);

// `0a LL 0a 08 __name__ 12 01 x`: a shorter key cannot hold a metric name.
inline constexpr std::size_t kKeyMinBytes = 15;

// As RemoteWriteKeyDecoder::decode(); `broken` for what holds another field than labels.
Result<Labels> decode_key(std::string_view key, ErrorCode broken);

}  // namespace varve::wire
