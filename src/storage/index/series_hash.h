// SPDX-License-Identifier: Apache-2.0
// The 128-bit name of a series: a keyed hash of its canonical labels. Equal hashes are taken for
// the same series wherever that is asked (head, blocks, joins between them), so the key is a secret
// of the database: it is drawn when the directory is made and kept in its MANIFEST.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::storage::index {

struct SeriesHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const SeriesHash&, const SeriesHash&) = default;
};

// Immutable, freely copied. The hash is XXH3-128 with a secret of 192 bytes.
class SeriesHasher {
 public:
  static constexpr std::size_t kSecretBytes = 192;

  // With a new secret from the system's random device.
  static SeriesHasher random();
  // From to_hex(); kCorruption if it is not one.
  static Result<SeriesHasher> from_hex(std::string_view hex);
  std::string to_hex() const;

  // `bytes`: Labels::bytes(), canonical.
  SeriesHash labels(std::string_view bytes) const;
  // Of a key in a protocol's key space: apart from all other spaces and from canonical labels.
  SeriesHash key(std::string_view bytes, std::uint64_t key_space) const;

  // Tells secrets apart without giving them away; kept in blocks.
  std::uint64_t fingerprint() const;

 private:
  SeriesHasher() = default;
  alignas(64) std::array<std::uint8_t, kSecretBytes> secret_{};
};

}  // namespace varve::storage::index
