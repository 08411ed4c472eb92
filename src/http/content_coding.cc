// SPDX-License-Identifier: Apache-2.0
// Whole gzip bodies go through libdeflate, which makes them of zlib's size at level 4 in a fifth of
// the time; streams wait until they are whole, and only what has become long without an end goes
// through zlib.
#include "http/content_coding.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/release_memory.h"
#include "base/try.h"

namespace varve::http {
namespace {

// Responses are compressed while somebody waits. For a byte of a panel's JSON these cost 1.9
// (zstd), 2.9 (libdeflate) and 5.3 ns (zlib), and leave 19, 22 and 25 %; zlib at level 4 takes 16
// ns and leaves 21 %.
constexpr int kZstdLevel = 1;
constexpr int kGzipLevel = 1;
constexpr int kGzipStreamLevel = 1;
// What a gzip stream may hold back, and the most that is compressed in one go: 3 ms.
constexpr std::size_t kGatheredMax = 1 << 20;
// Of streams whose frame does not say its length: RFC 9659's bound for zstd over HTTP.
constexpr int kZstdWindowLogMax = 23;
constexpr std::size_t kGrowthStart = 64 << 10;
// DEFLATE cannot expand further than this.
constexpr std::size_t kDeflateExpansionMax = 1032;

using Inflater = std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>;
using Deflater = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;
using ZstdReader = std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)>;
using ZstdWriter = std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)>;

Error too_large(std::string_view coding, std::size_t max_bytes) {
  return Error(ErrorCode::kLimitExceeded,
               fmt::format("{}: the decompressed body is larger than {} bytes", coding, max_bytes));
}

Error corrupt(std::string_view coding, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{}: corrupt input: {}", coding, why));
}

// Makes `out` so large, if whoever counts its memory lets it.
Status hold(std::string& out, std::size_t bytes, const MayHold& may_hold) {
  if (bytes > out.capacity()) {
    const std::size_t capacity = std::max(bytes, 2 * out.capacity());  // what a string would take
    if (may_hold && !may_hold(capacity)) {
      out = {};
      return Error(ErrorCode::kUnavailable, "no memory for the decompressed body");
    }
    out.reserve(capacity);
  }
  out.resize(bytes);
  return {};
}

// The length that the last gzip member claims, the best guess at the whole. Modulo 2^32 and from
// outside: only ever a first size to try.
std::size_t gzip_length_hint(std::string_view compressed) {
  std::size_t length = 0;
  for (std::size_t i = 1; i <= 4; ++i) {
    length = length << 8 | static_cast<unsigned char>(compressed[compressed.size() - i]);
  }
  return length;
}

class GzipStream final : public StreamCompressor {
 public:
  ~GzipStream() override {
    if (streaming_) ::deflateEnd(&stream_);
  }
  GzipStream() = default;
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  void write(std::string_view piece, bool last, std::string& out) override {
    if (streaming_) return pass(piece, last, out);
    gathered_ += piece;
    if (last) {
      std::string whole;
      gzip_compress(gathered_, whole);
      out += whole;
    } else if (gathered_.size() >= kGatheredMax) {
      const int rc =
          ::deflateInit2(&stream_, kGzipStreamLevel, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
      VARVE_CHECK(rc == Z_OK);
      streaming_ = true;
      pass(gathered_, false, out);
    } else {
      return;
    }
    base::release_memory(gathered_);
  }

 private:
  void pass(std::string_view piece, bool last, std::string& out) {
    // zlib takes 32-bit lengths and promises not to write to its input.
    do {
      const std::string_view part = piece.substr(0, std::size_t{1} << 30);
      piece.remove_prefix(part.size());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
      stream_.avail_in = static_cast<uInt>(part.size());
      flush(!piece.empty() ? Z_NO_FLUSH : last ? Z_FINISH : Z_SYNC_FLUSH, out);
    } while (!piece.empty());
  }

  void flush(int mode, std::string& out) {
    do {
      const std::size_t used = out.size();
      out.resize(used + kGrowthStart);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      stream_.avail_out = static_cast<uInt>(kGrowthStart);
      ::deflate(&stream_, mode);
      out.resize(used + kGrowthStart - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  std::string gathered_;  // until it is streaming_
  bool streaming_ = false;
  z_stream stream_{};
};

class ZstdStream final : public StreamCompressor {
 public:
  ZstdStream() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    VARVE_CHECK(context_ != nullptr);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
  }

  void write(std::string_view piece, bool last, std::string& out) override {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    std::size_t left = 0;
    do {
      const std::size_t used = out.size();
      out.resize(used + kGrowthStart);
      ZSTD_outBuffer to{out.data() + used, kGrowthStart, 0};
      left = ZSTD_compressStream2(context_.get(), &to, &in, last ? ZSTD_e_end : ZSTD_e_flush);
      VARVE_CHECK(!ZSTD_isError(left));
      out.resize(used + to.pos);
    } while (left != 0 || in.pos < in.size);
  }

 private:
  ZstdWriter context_;
};

}  // namespace

std::string_view to_string(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kIdentity: return "";
    case ContentCoding::kGzip: return "gzip";
    case ContentCoding::kZstd: return "zstd";
  }
  return "";
}

Status gzip_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out,
                       const MayHold& may_hold) {
  static thread_local Inflater inflater(libdeflate_alloc_decompressor(),
                                        &libdeflate_free_decompressor);
  VARVE_CHECK(inflater != nullptr);
  // What `out` holds is written over, not emptied first: a string that grows again is zeroed.
  if (compressed.size() < 18) {
    out.clear();
    return corrupt("gzip", "shorter than a header and a trailer");
  }
  const std::size_t possible = compressed.size() * kDeflateExpansionMax;
  std::size_t room = std::min({gzip_length_hint(compressed), possible, max_bytes});
  room = std::max(room, std::min(max_bytes, std::size_t{1}));
  std::size_t used = 0;
  while (!compressed.empty()) {
    VARVE_TRY(hold(out, used + room, may_hold));
    std::size_t read = 0;
    std::size_t written = 0;
    const libdeflate_result result =
        libdeflate_gzip_decompress_ex(inflater.get(), compressed.data(), compressed.size(),
                                      out.data() + used, room, &read, &written);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (used + room >= max_bytes) {
        out.clear();
        return too_large("gzip", max_bytes);
      }
      room = std::min(std::max(room * 2, kGrowthStart), max_bytes - used);
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) {
      out.clear();
      return corrupt("gzip", "not a whole gzip member");
    }
    used += written;
    compressed.remove_prefix(read);
    room = std::min(kGrowthStart, max_bytes - used);
  }
  out.resize(used);
  return {};
}

Status zstd_decompress(std::string_view compressed, std::size_t max_bytes, std::string& out,
                       const MayHold& may_hold) {
  static thread_local ZstdReader context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  VARVE_CHECK(context != nullptr);
  out.clear();
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  // A frame that says its length gets room for it at once, if its own size makes it believable.
  const unsigned long long claimed = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR) return corrupt("zstd", "not a zstd frame");
  std::size_t room = kGrowthStart;
  if (claimed != ZSTD_CONTENTSIZE_UNKNOWN) {
    if (claimed > max_bytes) return too_large("zstd", max_bytes);
    room = std::max<std::size_t>(std::min<std::size_t>(claimed, compressed.size() * 64), 1);
  }
  room = std::min(room, max_bytes);
  std::size_t used = 0;
  for (;;) {
    VARVE_TRY(hold(out, used + room, may_hold));
    ZSTD_outBuffer to{out.data() + used, room, 0};
    const std::size_t rest = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(rest)) {
      out.clear();
      return corrupt("zstd", ZSTD_getErrorName(rest));
    }
    used += to.pos;
    if (rest == 0 && in.pos == in.size) break;
    if (to.pos < room) {
      if (in.pos < in.size) continue;  // the next frame
      out.clear();
      return corrupt("zstd", "the last frame is cut off");
    }
    // A full buffer may be the whole body: only a call that is given no room shows it.
    if (used >= max_bytes && room == 0) {
      out.clear();
      return too_large("zstd", max_bytes);
    }
    room = std::min(std::max(used, kGrowthStart), max_bytes - used);
  }
  out.resize(used);
  return {};
}

Status decompress(ContentCoding coding, std::string_view compressed, std::size_t max_bytes,
                  std::string& out, const MayHold& may_hold) {
  switch (coding) {
    case ContentCoding::kGzip: return gzip_decompress(compressed, max_bytes, out, may_hold);
    case ContentCoding::kZstd: return zstd_decompress(compressed, max_bytes, out, may_hold);
    case ContentCoding::kIdentity: break;
  }
  if (compressed.size() > max_bytes) return too_large("identity", max_bytes);
  VARVE_TRY(hold(out, compressed.size(), may_hold));
  out.assign(compressed);
  return {};
}

void gzip_compress(std::string_view plain, std::string& out) {
  static thread_local Deflater deflater(libdeflate_alloc_compressor(kGzipLevel),
                                        &libdeflate_free_compressor);
  VARVE_CHECK(deflater != nullptr);
  out.resize(libdeflate_gzip_compress_bound(deflater.get(), plain.size()));
  out.resize(
      libdeflate_gzip_compress(deflater.get(), plain.data(), plain.size(), out.data(), out.size()));
}

void zstd_compress(std::string_view plain, std::string& out) {
  static thread_local ZstdWriter context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  VARVE_CHECK(context != nullptr);
  out.resize(ZSTD_compressBound(plain.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), plain.data(),
                                             plain.size(), kZstdLevel);
  VARVE_CHECK(!ZSTD_isError(size));
  out.resize(size);
}

std::unique_ptr<StreamCompressor> StreamCompressor::create(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::kGzip: return std::make_unique<GzipStream>();
    case ContentCoding::kZstd: return std::make_unique<ZstdStream>();
    case ContentCoding::kIdentity: break;
  }
  return nullptr;
}

}  // namespace varve::http
