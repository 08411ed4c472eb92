// SPDX-License-Identifier: Apache-2.0
#include "storage/snapshot_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "storage/head/bytes.h"

namespace varve::storage {
namespace {

using head::PieceKind;

Error malformed(std::string_view what) {
  return Error(ErrorCode::kCorruption, "malformed " + std::string(what));
}

}  // namespace

Result<SnapshotReader> SnapshotReader::open(fs::FileSystem& files, const std::string& directory,
                                            std::uint32_t expected, bool repair,
                                            base::Logger& log) {
  VARVE_TRY(files.create_directories(directory));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory));
  SnapshotReader reader(log);
  std::vector<std::uint32_t> numbers;
  for (const std::string& name : names) {
    if (name.ends_with(".tmp")) {
      VARVE_TRY(files.remove(fs::join(directory, name)));
    } else if (const auto number = head::parse_snapshot_name(name)) {
      numbers.push_back(*number);
    }
  }
  std::sort(numbers.rbegin(), numbers.rend());
  if (expected > (numbers.empty() ? 0 : numbers.front())) {
    reader.path_ = fs::join(directory, head::snapshot_name(expected));
    const Error missing(ErrorCode::kCorruption,
                        fmt::format("{}: missing, though the log goes on where this snapshot of "
                                    "the head ends",
                                    reader.path_));
    if (!repair) {
      return Error(missing.code(),
                   missing.message() +
                       "; put it back from a copy, or start once with --repair to go on without "
                       "what was in memory when it was taken");
    }
    reader.missing_ = true;
    reader.report(missing);
    reader.info_.damaged.push_back(expected);
  }
  for (const std::uint32_t number : numbers) {
    reader.path_ = fs::join(directory, head::snapshot_name(number));
    VARVE_TRY_ASSIGN(reader.file_, files.map(reader.path_));
    std::vector<Error> gaps;
    reader.pieces_ = head::find_pieces(reader.file_->bytes(), gaps);
    for (const Error& gap : gaps) reader.report(gap);
    const bool any =
        std::any_of(reader.pieces_.begin(), reader.pieces_.end(),
                    [](const head::Piece& piece) { return piece.info.kind == PieceKind::kShard; });
    if (!any) {
      // An older one is only there if the last removal was cut short; it is all there is then.
      reader.report(malformed("snapshot: nothing in it can be read"));
      reader.info_.damaged.push_back(number);
      reader.pieces_.clear();
      continue;
    }
    reader.info_.number = number;
    reader.info_.bytes = reader.file_->bytes().size();
    if (!gaps.empty()) reader.info_.damaged.push_back(number);
    for (const head::Piece& piece : reader.pieces_) {
      if (piece.info.kind == PieceKind::kShard && piece.info.shard < head::kShards) {
        reader.seqs_[piece.info.shard] = piece.info.seq;
      }
    }
    break;
  }
  return reader;
}

void SnapshotReader::report(const Error& error) {
  damaged_->store(true, std::memory_order_relaxed);
  log_->error("storage: snapshot of the head damaged, going on without that part",
              {{"file", path_}, {"err", error.message()}});
}

void SnapshotReader::each(PieceKind kind, const std::function<Status(std::string_view)>& decode) {
  std::string scratch;
  for (const head::Piece& piece : pieces_) {
    if (piece.info.kind != kind) continue;
    const Result<std::string_view> bytes = piece.open(scratch);
    const Status status = bytes.ok() ? decode(*bytes) : Status(bytes.error());
    if (!status.ok()) report(status.error());
  }
}

std::uint64_t SnapshotReader::needed_after_seq() const {
  return *std::min_element(seqs_.begin(), seqs_.end());
}
std::uint64_t SnapshotReader::newest_seq() const {
  return *std::max_element(seqs_.begin(), seqs_.end());
}
std::uint32_t SnapshotReader::newest_segment() const {
  std::uint32_t newest = 0;
  for (const head::Piece& piece : pieces_) newest = std::max(newest, piece.info.segment);
  return newest;
}

void SnapshotReader::shard(unsigned shard, head::ShardImage& image) {
  image.clear();
  std::string scratch;
  bool found = pieces_.empty();  // no snapshot at all is no damage
  for (const head::Piece& piece : pieces_) {
    if (piece.info.kind != PieceKind::kShard || piece.info.shard != shard) continue;
    found = true;
    const Result<std::string_view> bytes = piece.open(scratch);
    const Status status = bytes.ok() ? decode_image(*bytes, shard, image) : Status(bytes.error());
    if (status.ok()) return;
    image.clear();
    report(status.error());
  }
  if (!found) report(malformed("snapshot: shard " + std::to_string(shard) + " is missing"));
}

void SnapshotReader::columns(
    const std::function<Status(std::uint64_t, std::vector<head::TimeColumn>&)>& take) {
  std::vector<head::TimeColumn> columns;
  each(PieceKind::kColumns, [&](std::string_view bytes) -> Status {
    std::uint64_t begin = 0;
    VARVE_TRY(head::decode_columns(bytes, begin, columns));
    return take(begin, columns);
  });
}

bool SnapshotReader::head_files(std::vector<head::SpillFileInfo>& out) {
  bool known = pieces_.empty() && info_.damaged.empty();  // without a snapshot there are none
  each(PieceKind::kFiles, [&](std::string_view bytes) -> Status {
    head::ImageReader in(bytes);
    out.resize(in.count(10));
    for (head::SpillFileInfo& file : out) {
      file.number = in.uvarint();
      file.bytes = in.uvarint();
      file.newest_ms = in.fixed<Timestamp>();
    }
    if (!in.ok() || !in.done()) return malformed("list of head files");
    known = true;
    return {};
  });
  if (!known) out.clear();
  return known;
}

void SnapshotReader::series(const std::function<void(SeriesId, std::string_view)>& take) {
  std::uint64_t last = 0;
  each(PieceKind::kSeries, [&](std::string_view bytes) -> Status {
    head::ImageReader in(bytes);
    std::uint64_t id = 0;
    while (!in.done()) {
      id += in.uvarint();
      const std::string_view labels = in.string();
      if (!in.ok() || id <= last || id > 0xffffffff || !Labels::valid_bytes(labels)) {
        return malformed("series");
      }
      last = id;
      take(static_cast<SeriesId>(id), labels);
    }
    return {};
  });
}

void SnapshotReader::exemplars(const std::function<void(SeriesId, const ExemplarSample&)>& take) {
  each(PieceKind::kExemplars, [&](std::string_view bytes) -> Status {
    head::ImageReader in(bytes);
    while (!in.done()) {
      const std::uint64_t id = in.uvarint();
      ExemplarSample exemplar;
      exemplar.timestamp_ms = in.fixed<Timestamp>();
      exemplar.value = in.fixed<double>();
      const std::string_view labels = in.string();
      if (!in.ok() || id == 0 || id > 0xffffffff || !Labels::valid_bytes(labels)) {
        return malformed("exemplar");
      }
      exemplar.labels = Labels::from_bytes(std::string(labels));
      take(static_cast<SeriesId>(id), exemplar);
    }
    return {};
  });
}

void SnapshotReader::metadata(const std::function<void(const MetadataEntry&)>& take) {
  each(PieceKind::kMetadata, [&](std::string_view bytes) -> Status {
    head::ImageReader in(bytes);
    while (!in.done()) {
      MetadataEntry entry;
      for (std::string* text : {&entry.metric_family, &entry.type, &entry.help, &entry.unit}) {
        *text = in.string();
      }
      if (!in.ok()) return malformed("metadata");
      take(entry);
    }
    return {};
  });
}

SnapshotReader::End SnapshotReader::end() {
  End end;
  each(PieceKind::kEnd, [&](std::string_view bytes) -> Status {
    head::ImageReader in(bytes);
    end.next_id = in.fixed<std::uint32_t>();
    end.min_ms = in.fixed<Timestamp>();
    end.max_ms = in.fixed<Timestamp>();
    if (!in.ok() || !in.done()) return malformed("end");
    end.known = true;
    return {};
  });
  if (!end.known && !pieces_.empty()) report(malformed("snapshot: its end is missing"));
  return end;
}

}  // namespace varve::storage
