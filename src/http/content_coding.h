// SPDX-License-Identifier: Apache-2.0
// The content codings of HTTP: gzip and zstd, whole bodies and streams. Decompression is bounded by
// its output, so that a small body cannot become a large one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::http {

enum class ContentCoding : std::uint8_t { kIdentity, kGzip, kZstd };

// The coding by its name in Content-Encoding ("" and "identity", "gzip", "x-gzip", "zstd", in any
// case). kInvalidArgument for others: answer 415.
Result<ContentCoding> content_coding(std::string_view name);

// How much an Accept-Encoding header likes the coding, from 0 (not at all) to 1; nothing if it does
// not name it. The coding's name is in lower case: "br".
std::optional<double> coding_weight(std::string_view accept_encoding, std::string_view coding);

// The coding of Varve's choice (zstd before gzip, if liked equally) among those an Accept-Encoding
// header allows.
ContentCoding choose_coding(std::string_view accept_encoding);

// "gzip", "zstd"; "" for identity.
std::string_view to_string(ContentCoding coding);

// Whether `out` may come to hold so many bytes; asked before it does.
using MayHold = std::function<bool(std::size_t)>;

// Decompress a whole body into `out`, replacing it. kLimitExceeded as soon as the output passes
// max_bytes; kUnavailable if `may_hold` says no (without one, nobody counts); kInvalidArgument for
// anything that is not one or more whole members or frames.
Status gzip_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out,
                       const MayHold& may_hold = {});
Status zstd_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out,
                       const MayHold& may_hold = {});
// By coding; copies for identity.
Status decompress(ContentCoding coding, std::string_view compressed, std::size_t max_bytes,
                  std::string& out, const MayHold& may_hold = {});

// Compress a whole body into `out`, replacing it, at the speed end of each coding.
void gzip_compress(std::string_view plain, std::string& out);
void zstd_compress(std::string_view plain, std::string& out);

// Compresses a body that comes in pieces. For one thread at a time.
class StreamCompressor {
 public:
  virtual ~StreamCompressor() = default;
  // Null for identity.
  static std::unique_ptr<StreamCompressor> create(ContentCoding coding);
  // Appends to `out` what can be sent; the last piece ends the stream. gzip holds back the first 1
  // MiB, or all if there is no more; else each piece is flushed, so that a reader gets what has
  // been written (but for the last hundred bytes or so where somebody knows the text,
  // points_gzip.h).
  virtual void write(std::string_view piece, bool last, std::string& out) = 0;
};

}  // namespace varve::http
