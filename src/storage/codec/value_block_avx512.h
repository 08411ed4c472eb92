// SPDX-License-Identifier: Apache-2.0
// Decimal value blocks decoded in registers, eight values at a time from packed bits to doubles:
// half the time of the way over memory that decode_ints() and from_decimals() take.
#pragma once

#include <cstddef>
#include <cstdint>

#include "storage/codec/byte_reader.h"
#include "storage/codec/int_block.h"

namespace varve::storage::codec {

// Whether this machine has what the function below is made of (F, BW, DQ and VBMI).
bool have_avx512_blocks();

// As decode_ints() followed by from_decimals(), bit for bit, for every codec but kConst. False if
// the bytes are no block. Precondition: have_avx512_blocks(), 1 <= count <= kIntsMax.
bool decode_decimals_avx512(ByteReader& reader, BlockCodec codec, std::uint8_t second_byte,
                            std::size_t count, unsigned exponent, double* out);

}  // namespace varve::storage::codec
