// SPDX-License-Identifier: Apache-2.0
#include "wire/protobuf_cursor.h"

namespace varve::wire {

void ProtobufCursor::throw_end() { throw protozero::end_of_buffer_exception{}; }
void ProtobufCursor::throw_tag() { throw protozero::invalid_tag_exception{}; }
void ProtobufCursor::throw_type() { throw protozero::unknown_pbf_wire_type_exception{}; }

}  // namespace varve::wire
