// SPDX-License-Identifier: Apache-2.0
// Snappy blocks, the framing of remote write bodies. The codings that HTTP itself names (gzip,
// zstd) belong to http/content_coding.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::wire {

// Decompresses a snappy block into `out`, replacing it. The length that the block claims is checked
// against max_bytes and against what its own size can expand to before anything is allocated.
// Reuse `out` from call to call: a fresh buffer of 400 kB costs more in page faults than the
// decompression. kLimitExceeded past max_bytes; kInvalidArgument "snappy: corrupt input" otherwise.
Status snappy_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out);

// Compresses into `out`, replacing it. Precondition: plain is shorter than 4 GiB.
void snappy_compress(std::string_view plain, std::string& out);

}  // namespace varve::wire
