// SPDX-License-Identifier: Apache-2.0
#include "http/points_gzip.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/deflate_block.h"
#include "http/points_matcher.h"

namespace varve::http {
namespace {

// A block has codes of its own. Longer ones would save their heads, 80 bytes, but wait longer in
// the cache.
constexpr std::size_t kBlockBytes = 64 << 10;

// What one block needs while it is made; no stream keeps it.
struct Scratch {
  TokenList tokens;
  std::vector<unsigned char> bytes;
};

void append_little_endian(std::uint32_t number, std::string& out) {
  for (unsigned byte = 0; byte < 4; ++byte) out += static_cast<char>(number >> (8 * byte));
}

class PointsGzip final : public StreamCompressor {
 public:
  void write(std::string_view piece, bool last, std::string& out) override;
  // As if it were a new one.
  void restart();

 private:
  void write_blocks(bool last, std::string& out);

  PointsMatcher matcher_;
  std::string text_;      // what matches may refer to, then what is to be written, then kBehind
  std::size_t done_ = 0;  // bytes of text_ that are written
  std::size_t size_ = 0;  // of text_ without kBehind
  BitWriter bits_;
  bool begun_ = false;
  std::uint32_t checksum_ = 0;
  std::uint32_t length_ = 0;  // modulo 2^32, as the trailer wants it
};

void PointsGzip::restart() {
  matcher_.restart(size_);
  done_ = size_ = 0;
  bits_ = {};
  begun_ = false;
  checksum_ = length_ = 0;
}

void PointsGzip::write(std::string_view piece, bool last, std::string& out) {
  if (!begun_) {
    begun_ = true;
    // Deflate; no name, no time; made for speed (RFC 1952's XFL); on a system nobody need know.
    out.append("\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff", 10);
  }
  checksum_ = libdeflate_crc32(checksum_, piece.data(), piece.size());
  length_ += static_cast<std::uint32_t>(piece.size());
  if (done_ > kDistanceMax) {
    const std::size_t drop = done_ - kDistanceMax;
    text_.erase(0, drop);
    matcher_.forget(drop);
    done_ -= drop;
    size_ -= drop;
  }
  text_.resize(size_);
  text_.reserve(size_ + piece.size() + PointsMatcher::kBehind);
  text_ += piece;
  size_ = text_.size();
  text_.append(PointsMatcher::kBehind, '\0');
  write_blocks(last, out);
  if (!last) return;
  append_little_endian(checksum_, out);
  append_little_endian(length_, out);
}

void PointsGzip::write_blocks(bool last, std::string& out) {
  static thread_local Scratch scratch;
  bool ended = false;
  while (!ended) {
    const std::size_t to = std::min(size_, done_ + kBlockBytes);
    ended = to == size_;
    TokenList& tokens = scratch.tokens;
    tokens.clear();
    const std::size_t from = done_;
    done_ = matcher_.run(text_.data(), from, to, last && ended, tokens);
    if (done_ == from && !(last && ended)) continue;
    scratch.bytes.resize(std::max(scratch.bytes.size(), block_bound(done_ - from)));
    bits_.begin(scratch.bytes.data());
    write_block(tokens, text_.data() + from, last && ended, bits_);
    if (last && ended) bits_.finish();
    out.append(reinterpret_cast<const char*>(scratch.bytes.data()),
               static_cast<std::size_t>(bits_.end() - scratch.bytes.data()));
  }
}

}  // namespace

std::unique_ptr<StreamCompressor> make_points_gzip() {
  // Its tables are what they must be, the rest need not be zeroed.
  return std::make_unique_for_overwrite<PointsGzip>();
}

void points_gzip(std::string_view plain, std::string& out) {
  static thread_local PointsGzip gzip;
  out.clear();
  gzip.restart();
  gzip.write(plain, true, out);
}

}  // namespace varve::http
