// SPDX-License-Identifier: Apache-2.0
#include "http/answer_reader.h"

#include <algorithm>
#include <charconv>

#include "base/ascii_case.h"

namespace varve::http {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// All of the text as a number, digits only.
std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number, base);
  if (text.empty() || stop != end || problem != std::errc()) return std::nullopt;
  return number;
}

// `HTTP/1.1 200 OK`; 0 if it is not that.
int parse_status(std::string_view line) {
  if (!line.starts_with("HTTP/1.1 ") || line.size() < 12) return 0;
  if (line.size() > 12 && line[12] != ' ') return 0;
  const auto status = parse_number(line.substr(9, 3), 10);
  return status ? static_cast<int>(*status) : 0;
}

// Whether a client may hand over an answer of this status as it is.
bool plain_status(int status) {
  return (status >= 200 && status < 300 && status != 204 && status != 205) ||
         (status >= 400 && status < 600 && status != 401 && status != 407 && status != 421);
}

}  // namespace

AnswerReader::State AnswerReader::read(std::string_view bytes, const TakeBody& take) {
  while (!bytes.empty()) {
    switch (part_) {
      case Part::kHead: {
        const std::size_t before = line_.size();
        line_.append(bytes.substr(0, kHeadMaxBytes - before));
        const auto end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
        if (end == std::string::npos) {
          if (line_.size() == kHeadMaxBytes) return State::kForeign;
          return State::kHead;
        }
        bytes.remove_prefix(end + 4 - before);
        const State state = parse_head(std::string_view(line_).substr(0, end));
        line_.clear();
        if (state != State::kBody)
          return state == State::kDone && !bytes.empty() ? State::kForeign : state;
        break;
      }
      case Part::kLength:
      case Part::kChunk: {
        const std::string_view piece =
            bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
        if (!take(piece)) return State::kStopped;
        bytes.remove_prefix(piece.size());
        left_ -= piece.size();
        if (left_ > 0) break;
        if (part_ == Part::kLength) return bytes.empty() ? State::kDone : State::kForeign;
        part_ = Part::kChunkEnd;
        break;
      }
      case Part::kChunkLine:
      case Part::kChunkEnd:
      case Part::kLastLine: {
        if (!take_line(bytes)) {
          if (line_.size() >= kChunkLineMaxBytes) return State::kForeign;
          return State::kBody;
        }
        const State state = parse_chunk_line();
        line_.clear();
        if (state != State::kBody)
          return state == State::kDone && !bytes.empty() ? State::kForeign : state;
        break;
      }
    }
  }
  return part_ == Part::kHead ? State::kHead : State::kBody;
}

// Moves a line over, as far as it is there; whether it is whole.
bool AnswerReader::take_line(std::string_view& bytes) {
  const auto newline = bytes.find('\n');
  const std::size_t size = newline == std::string_view::npos ? bytes.size() : newline + 1;
  line_.append(bytes.substr(0, std::min(size, kChunkLineMaxBytes - line_.size())));
  bytes.remove_prefix(size);
  return line_.ends_with('\n');
}

// kBody: to be gone on with.
AnswerReader::State AnswerReader::parse_chunk_line() {
  if (!line_.ends_with("\r\n")) return State::kForeign;
  const std::string_view line = std::string_view(line_).substr(0, line_.size() - 2);
  if (part_ == Part::kChunkLine) {
    const auto size = parse_number(trim(line.substr(0, line.find(';'))), 16);
    if (!size) return State::kForeign;
    left_ = *size;
    part_ = left_ > 0 ? Part::kChunk : Part::kLastLine;
    return State::kBody;
  }
  if (!line.empty()) return State::kForeign;
  if (part_ == Part::kLastLine) return State::kDone;
  part_ = Part::kChunkLine;
  return State::kBody;
}

AnswerReader::State AnswerReader::parse_head(std::string_view text) {
  const auto next_line = [&text] {
    const auto end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    return line;
  };
  head_.status = parse_status(next_line());
  if (!plain_status(head_.status)) return State::kForeign;
  while (!text.empty()) {
    const std::string_view line = next_line();
    const auto colon = line.find(':');
    // A blank before the colon, or a line that goes on the one before it, is how attacks begin.
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos ||
        line.find_first_of("\n\r") != std::string_view::npos) {
      return State::kForeign;
    }
    if (!parse_field(line.substr(0, colon), trim(line.substr(colon + 1)))) return State::kForeign;
  }
  if (chunked_ == head_.length.has_value()) return State::kForeign;
  part_ = chunked_ ? Part::kChunkLine : Part::kLength;
  left_ = head_.length.value_or(0);
  return !chunked_ && left_ == 0 ? State::kDone : State::kBody;
}

bool AnswerReader::parse_field(std::string_view name, std::string_view value) {
  if (base::equals_in_any_case(name, "content-length")) {
    const auto length = parse_number(value, 10);
    if (!length || head_.length) return false;
    head_.length = length;
  } else if (base::equals_in_any_case(name, "transfer-encoding")) {
    if (chunked_ || !base::equals_in_any_case(value, "chunked")) return false;
    chunked_ = true;
  } else if (base::equals_in_any_case(name, "content-encoding")) {
    if (!head_.content_encoding.empty()) return false;
    head_.content_encoding = value;
  } else if (base::equals_in_any_case(name, "content-type")) {
    head_.content_type = value;
  } else if (base::equals_in_any_case(name, "connection")) {
    if (!base::equals_in_any_case(value, "keep-alive")) head_.keep_alive = false;
  } else if (base::equals_in_any_case(name, "trailer") ||
             base::equals_in_any_case(name, "upgrade")) {
    return false;
  }
  return true;
}

}  // namespace varve::http
