// SPDX-License-Identifier: Apache-2.0
// Each segment is scanned alone (perhaps in parallel), then the scans are joined in order. Whether
// something is missing shows in the sequence numbers, not in how a segment ends: every segment ends
// in zeros, in frames of the file's former life, or in a torn frame of a crash that was survived.
#include "storage/wal/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/wal/bytes.h"
#include "storage/wal/format.h"
#include "storage/wal/log_state.h"

namespace varve::storage::wal {
namespace {

struct Frame {
  std::uint64_t first_seq = 0;
  std::uint64_t seq = 0;
  std::string_view payload;
};

struct SegmentScan {
  std::uint32_t id = 0;
  std::string path;
  std::unique_ptr<fs::MappedFile> file;
  std::optional<Error> error;   // the file cannot be read
  std::vector<Frame> frames;    // good ones from the beginning on
  std::uint64_t end = 0;        // behind them
  std::string end_reason;       // why the bytes at `end` are no frame
  std::uint64_t torn_bytes = 0;  // a frame of this segment begins at `end` and is incomplete
  std::uint64_t later_seq = 0;  // the newest good frame behind a bad one, 0: none
};

// A whole, good frame at the front of `bytes`, else nullopt and why.
std::optional<FrameHeader> check_frame(std::string_view bytes, std::uint32_t segment,
                                       std::string& reason) {
  const auto header = decode_frame_header(bytes);
  if (!header) {
    reason = "no frame header";
  } else if (header->segment != segment) {
    reason = fmt::format("frame of segment {}", header->segment);
  } else if (header->payload_bytes > bytes.size() - kFrameHeaderBytes) {
    reason = fmt::format("frame of {} bytes in a file with {} left", header->payload_bytes,
                         bytes.size() - kFrameHeaderBytes);
  } else if (header->first_seq == 0 || header->first_seq > header->seq) {
    reason = fmt::format("frame numbered {} to {}", header->first_seq, header->seq);
  } else {
    const std::string_view frame = bytes.substr(0, kFrameHeaderBytes + header->payload_bytes);
    const std::uint64_t computed = checksum_of(std::span(&frame, 1));
    if (computed == header->checksum) return header;
    reason = fmt::format("checksum mismatch (stored {:016x}, computed {:016x})", header->checksum,
                         computed);
  }
  return std::nullopt;
}

// How much of `bytes` a frame of this segment takes that was begun but is not whole.
std::uint64_t begun_bytes(std::string_view bytes, std::uint32_t segment) {
  if (bytes.size() < sizeof kFrameMagic || get<std::uint32_t>(bytes.data()) != kFrameMagic)
    return 0;
  const auto header = decode_frame_header(bytes);
  if (!header) return bytes.size();  // the file ends within the header
  if (header->segment != segment) return 0;
  return std::min<std::uint64_t>(kFrameHeaderBytes + header->payload_bytes, bytes.size());
}

// Looks behind a bad frame for a good one: proof that the bad one is damage, not a torn tail.
std::uint64_t find_later(std::string_view bytes, std::uint32_t segment, std::uint64_t after_seq) {
  const std::uint32_t magic = kFrameMagic;
  const std::string_view needle(reinterpret_cast<const char*>(&magic), sizeof magic);
  std::uint64_t newest = 0;
  std::uint64_t budget = 4 * bytes.size();  // against forged headers that all ask for a checksum
  std::string ignored;
  for (std::size_t at = bytes.find(needle); at != std::string_view::npos;) {
    const auto header = decode_frame_header(bytes.substr(at));
    if (header && header->segment == segment && header->seq > after_seq) {
      const std::uint64_t cost = std::min<std::uint64_t>(header->payload_bytes, bytes.size());
      if (cost > budget) break;
      budget -= cost;
      if (check_frame(bytes.substr(at), segment, ignored)) {
        newest = std::max(newest, header->seq);
        at = bytes.find(needle, at + kFrameHeaderBytes + header->payload_bytes);
        continue;
      }
    }
    at = bytes.find(needle, at + 1);
  }
  return newest;
}

bool sections_are_sound(std::string_view payload, std::uint32_t shards_max) {
  ByteReader in(payload);
  while (!in.done()) {
    const auto kind = static_cast<SectionKind>(in.fixed<std::uint8_t>());
    in.take(1);
    const auto shard = in.fixed<std::uint16_t>();
    in.take(in.fixed<std::uint32_t>());
    if (!in.ok() || shard >= shards_max) return false;
    if (kind != SectionKind::kSeries && kind != SectionKind::kRun) return false;
  }
  return in.ok();
}

void scan_segment(SegmentScan& scan, fs::FileSystem& files, std::uint32_t shards_max) {
  auto mapped = files.map(scan.path);
  if (!mapped.ok()) {
    scan.error = std::move(mapped).error();
    return;
  }
  scan.file = std::move(mapped).value();
  const std::string_view bytes = scan.file->bytes();
  std::uint64_t last_seq = 0;
  for (;;) {
    const std::string_view rest = bytes.substr(scan.end);
    const auto header = check_frame(rest, scan.id, scan.end_reason);
    if (!header) {
      scan.torn_bytes = begun_bytes(rest, scan.id);
      break;
    }
    if (last_seq != 0 && header->first_seq != last_seq + 1) {
      scan.end_reason = fmt::format("frame {} after {}", header->first_seq, last_seq);
      break;
    }
    const std::string_view payload = rest.substr(kFrameHeaderBytes, header->payload_bytes);
    if (!sections_are_sound(payload, shards_max)) {
      scan.end_reason = fmt::format("frame {} with malformed sections", header->seq);
      break;
    }
    scan.frames.push_back({header->first_seq, header->seq, payload});
    last_seq = header->seq;
    scan.end += kFrameHeaderBytes + header->payload_bytes;
  }
  if (scan.end < bytes.size()) {
    scan.later_seq = find_later(bytes.substr(scan.end), scan.id, last_seq);
  }
}

void add_sections(const Frame& frame, std::uint32_t segment, Recovered& out) {
  const FramePosition position{frame.seq, segment};
  ByteReader in(frame.payload);
  while (!in.done()) {
    const auto kind = static_cast<SectionKind>(in.fixed<std::uint8_t>());
    in.take(1);
    const auto shard = in.fixed<std::uint16_t>();
    const std::string_view bytes = in.take(in.fixed<std::uint32_t>());
    if (kind == SectionKind::kSeries) {
      out.series.push_back({position, bytes});
      continue;
    }
    if (out.runs_by_shard.size() <= shard) out.runs_by_shard.resize(shard + std::size_t{1});
    out.runs_by_shard[shard].push_back({position, bytes});
  }
}

void add_damage(const SegmentScan& scan, std::uint64_t frames_lost, std::string_view what,
                Recovered& out) {
  out.frames_lost += frames_lost;
  out.damages.push_back({scan.id, scan.end, frames_lost,
                         fmt::format("{} at {}: {}; {} frames lost", scan.path, scan.end, what,
                                     frames_lost)});
}

std::string segments_text(std::uint32_t first, std::uint32_t last) {
  return first == last ? fmt::format("segment {} is missing", first)
                       : fmt::format("segments {} to {} are missing", first, last);
}

// What is missing before `scan`: whole segments, or the end of the one before.
std::string gap_text(const SegmentScan* before, const SegmentScan& scan,
                     std::uint32_t retired_before) {
  const std::uint32_t first =
      before != nullptr ? before->id + 1 : std::max(retired_before, std::uint32_t{1});
  if (first < scan.id) return segments_text(first, scan.id - 1);
  return before != nullptr ? before->end_reason : "frames before it are missing";
}

// Holds what was found against what the log said of itself: whether it ends where it should.
void check_end(const std::string& directory, const LogStateReading& said, const SegmentScan* last,
               Recovered& out) {
  const LogState& state = said.state;
  if (state.segment == 0 || state.segment < state.retired_before) return;
  const std::uint64_t lost = state.closed && state.seq >= out.next.seq
                                 ? state.seq + 1 - out.next.seq
                                 : 0;
  const std::string unknown = state.closed ? fmt::format("{} frames lost", lost)
                                           : std::string("how many frames are lost is not known");
  const std::uint32_t newest = last != nullptr ? last->id : 0;
  if (newest < state.segment) {
    const std::uint32_t first = std::max({newest + 1, state.retired_before, 1U});
    out.damages.push_back({state.segment, 0, lost,
                           fmt::format("{}: {}, of those the log was written to last; {}",
                                       directory, segments_text(first, state.segment), unknown)});
    out.next.segment = state.segment + 1;
  } else if (lost > 0) {
    out.damages.push_back({newest, last->end, lost,
                           fmt::format("{} at {}: the log was closed behind frame {}; {}",
                                       last->path, last->end, state.seq, unknown)});
  } else if (newest == state.segment && !state.closed && !said.damage &&
             last->file->bytes().size() < state.bytes) {
    // (With a damaged slot it may be that one that said that the log was closed.)
    out.damages.push_back(
        {newest, last->end, 0,
         fmt::format("{} at {}: the file was cut, it had {} bytes and was not closed; {}",
                     last->path, last->file->bytes().size(), state.bytes, unknown)});
  }
  out.frames_lost += lost;
  out.next.seq += lost;
}

}  // namespace

Result<Recovered> recover(const std::string& directory, fs::FileSystem& files,
                          const RecoverOptions& options) {
  // Before the names: a log that is being written has no fewer segments by then.
  auto state = read_log_state(files, directory);
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory));
  if (!state.ok() && state.error().code() != ErrorCode::kCorruption) return state.error();
  const bool known = state.ok() && *state;
  const LogStateReading said = known ? **state : LogStateReading();
  std::vector<SegmentScan> scans;
  for (const std::string& name : names) {
    const auto id = parse_segment_name(name);
    if (!id) continue;
    scans.emplace_back();
    scans.back().id = *id;
    scans.back().path = fs::join(directory, name);
  }
  std::sort(scans.begin(), scans.end(),
            [](const SegmentScan& a, const SegmentScan& b) { return a.id < b.id; });
  const auto scan_one = [&](std::size_t i) { scan_segment(scans[i], files, options.shards_max); };
  if (options.pool != nullptr) {
    options.pool->parallel_for(scans.size(), scan_one);
  } else {
    for (std::size_t i = 0; i < scans.size(); ++i) scan_one(i);
  }

  Recovered out;
  out.segments = scans.size();
  std::uint64_t expected = options.after_seq + 1;
  const SegmentScan* before = nullptr;  // the last scan that had something to say
  bool continued = false;               // a frame was taken, so that numbers must go on from it
  for (SegmentScan& scan : scans) {
    if (scan.error) return std::move(*scan.error);
    for (const Frame& frame : scan.frames) {
      if (frame.first_seq > expected) {
        const SegmentScan& culprit = before != nullptr ? *before : scan;
        if (before != nullptr || !options.begins_anywhere) {
          add_damage(culprit, frame.first_seq - expected,
                     gap_text(before, scan, said.state.retired_before), out);
        }
      }
      before = &scan;
      if (frame.seq < expected) {
        if (continued) {
          add_damage(scan, 0, fmt::format("frame {} again; ignored", frame.seq), out);
        }
        continue;
      }
      add_sections(frame, scan.id, out);
      ++out.frames;
      continued = true;
      expected = frame.seq + 1;
    }
    if (scan.later_seq >= expected || scan.torn_bytes > 0) before = &scan;
    const bool last = &scan == &scans.back();
    if (last && scan.later_seq >= expected) {
      add_damage(scan, scan.later_seq + 1 - expected, scan.end_reason, out);
      expected = scan.later_seq + 1;
    } else if (last) {
      out.torn_bytes = scan.torn_bytes;
    }
    // An untouched segment is a file the log had ready; it can be begun again under its number.
    const bool untouched = scan.frames.empty() && scan.torn_bytes == 0 && scan.later_seq == 0;
    out.next.segment = untouched && last ? scan.id : scan.id + 1;
  }
  out.next.seq = expected;
  if (known) {
    // Beside a log that is being written or closed it may have changed meanwhile.
    const auto now = read_log_state(files, directory);
    const SegmentScan* const last = scans.empty() ? nullptr : &scans.back();
    const bool still = now.ok() && *now == said;
    if (still) check_end(directory, said, last, out);
    if (still && said.damage) {
      out.damages.push_back({0, 0, 0,
                             said.damage->message() +
                                 "; what the log said of itself before or after that counts"});
    }
  } else if (!state.ok()) {
    out.damages.push_back({0, 0, 0,
                           state.error().message() +
                               "; whether the end of the log is missing is not known"});
  } else if (out.frames > 0 || options.used) {
    out.damages.push_back({0, 0, 0,
                           fmt::format("{}: missing{}; whether the end of the log is missing is "
                                       "not known",
                                       log_state_path(directory),
                                       scans.empty() ? ", and so are all segments" : "")});
  }
  for (SegmentScan& scan : scans) out.files.push_back(std::move(scan.file));
  return out;
}

}  // namespace varve::storage::wal
