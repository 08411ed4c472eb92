// SPDX-License-Identifier: Apache-2.0
#include "storage/head_snapshots.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "base/try.h"
#include "storage/head/bytes.h"
#include "storage/head/shard_image.h"

namespace varve::storage {
namespace {

using head::PieceKind;

constexpr std::size_t kSeriesPieceBytes = 1 << 20;
constexpr std::size_t kColumnsPerPiece = 1 << 16;
// To replay a byte of the log takes a quarter of the time that a byte of a snapshot takes to be
// written and read: what doubles the time of a recovery at the worst halves what ingest pays for
// snapshots.
constexpr std::uint64_t kLogPerSnapshot = 2;
constexpr std::chrono::nanoseconds kRetryMin = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds kRetryMax = std::chrono::minutes(1);

}  // namespace

HeadSnapshots::HeadSnapshots(fs::FileSystem& files, std::string directory, head::Head& head,
                             WritePath& write_path, wal::Log& log, const Recovery& recovered,
                             std::uint64_t log_bytes_min, const base::Clock& clock,
                             base::Logger& logger, base::MetricsRegistry& metrics)
    : files_(files),
      directory_(std::move(directory)),
      head_(head),
      write_path_(write_path),
      log_(log),
      clock_(clock),
      logger_(logger),
      log_bytes_min_(log_bytes_min),
      number_(recovered.snapshot.number),
      damaged_(recovered.snapshot.damaged),
      damaged_segments_(recovered.damaged_segments),
      bytes_(recovered.snapshot.bytes),
      log_bytes_before_(recovered.replayed_bytes),
      taken_(metrics.counter("varve_head_snapshots_total", "Snapshots of the head taken.")),
      failed_(metrics.counter("varve_head_snapshots_failed_total",
                              "Snapshots of the head that could not be written.")),
      written_bytes_(metrics.counter("varve_head_snapshot_written_bytes_total",
                                     "Bytes of snapshots of the head written.")),
      seconds_(metrics.histogram("varve_head_snapshot_duration_seconds",
                                 "Duration of snapshots of the head.",
                                 {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30})) {}

bool HeadSnapshots::due() const {
  if (failures_ > 0 && clock_.monotonic() < retry_at_) return false;
  const std::uint64_t grown = log_bytes_before_ + log_.written_bytes() - written_before_;
  return log_bytes_min_ == 0 || grown >= std::max(log_bytes_min_, kLogPerSnapshot * bytes_) ||
         head_.spill().has_dropped() || !damaged_.empty();
}

bool HeadSnapshots::worthwhile() const {
  // Writing and reading a snapshot costs about as much per byte as replaying does in four.
  const std::uint64_t grown = log_bytes_before_ + log_.written_bytes() - written_before_;
  return grown > std::max(bytes_ / 4, log_bytes_min_ / 16) || head_.spill().has_dropped();
}

Status HeadSnapshots::take() {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t written = log_.written_bytes();
  const std::uint32_t number =
      std::max(number_,
               damaged_.empty() ? 0 : *std::max_element(damaged_.begin(), damaged_.end())) +
      1;
  std::unique_ptr<head::SnapshotWriter> writer;
  std::uint32_t first_segment = 0;
  Status status = check_space();
  if (status.ok()) {
    auto created = head::SnapshotWriter::create(files_, directory_, number);
    if (created.ok()) {
      writer = std::move(*created);
    } else {
      status = std::move(created).error();
    }
  }
  if (writer != nullptr) {
    status = write(*writer, first_segment);
    if (status.ok()) {
      status = writer->finish();
    } else {
      writer->discard();
    }
  }
  if (!status.ok()) {
    failed_.add();
    retry_at_ =
        clock_.monotonic() + std::min(kRetryMax, kRetryMin * (1U << std::min(failures_, 10U)));
    ++failures_;
    return std::move(status).error().with("snapshot of the head");
  }
  const std::uint32_t before = std::exchange(number_, number);
  failures_ = 0;
  bytes_ = writer->size_bytes();
  series_pieces_ = std::move(fresh_series_pieces_);
  written_before_ = written;
  log_bytes_before_ = 0;
  if (before != 0 && std::find(damaged_.begin(), damaged_.end(), before) == damaged_.end()) {
    static_cast<void>(files_.remove(fs::join(directory_, head::snapshot_name(before))).ok());
  }
  let_go(first_segment);
  taken_.add();
  written_bytes_.add(static_cast<double>(bytes_));
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  seconds_.observe(seconds);
  logger_.info("storage: snapshot of the head",
               {{"number", number_}, {"bytes", bytes_}, {"duration_s", seconds}});
  return {};
}

// The one before stays until this one is durable. How much the head has grown is not known before
// it is written: a tenth more.
Status HeadSnapshots::check_space() const {
  const std::uint64_t needed = bytes_ + bytes_ / 10 + head_.spill().pending_bytes();
  VARVE_TRY_ASSIGN(const std::uint64_t free, files_.free_bytes(directory_));
  if (free > needed) return {};
  return Error(ErrorCode::kLimitExceeded,
               fmt::format("no space on the disk: more than {} bytes are needed, {} are free",
                           needed, free));
}

Status HeadSnapshots::write(head::SnapshotWriter& writer, std::uint32_t& first_segment) {
  std::string raw;
  head::put_uvarint(raw, head::kShards);
  VARVE_TRY(writer.add({.kind = PieceKind::kBegin}, raw));

  head::ShardImage image;
  wal::FramePosition newest;
  wal::FramePosition oldest{~std::uint64_t{0}, ~std::uint32_t{0}};
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    image.clear();
    wal::FramePosition covered;
    VARVE_TRY(write_path_.visit_at_boundary(
        shard, shard + 1, [&](unsigned visited, const wal::FramePosition& position) {
          covered = position;
          head_.copy_shard(visited, image);
        }));
    raw.clear();
    encode_image(image, raw);
    VARVE_TRY(writer.add({.kind = PieceKind::kShard,
                          .shard = static_cast<std::uint16_t>(shard),
                          .segment = covered.segment,
                          .seq = covered.seq},
                         raw));
    newest.seq = std::max(newest.seq, covered.seq);
    oldest.segment = std::min(oldest.segment, covered.segment);
  }
  first_segment = oldest.segment;
  image = {};

  // What the shards refer to, as of now: a little more, never less.
  VARVE_TRY(add_columns(writer));
  VARVE_TRY_ASSIGN(const std::vector<head::SpillFileInfo> files, head_.spill().sync());
  raw.clear();
  head::put_uvarint(raw, files.size());
  for (const head::SpillFileInfo& file : files) {
    head::put_uvarint(raw, file.number);
    head::put_uvarint(raw, file.bytes);
    head::put_fixed(raw, file.newest_ms);
  }
  VARVE_TRY(writer.add({.kind = PieceKind::kFiles}, raw));
  std::uint32_t next_id = 0;
  VARVE_TRY(add_series(writer, next_id));
  VARVE_TRY(add_sides(writer));

  raw.clear();
  head::put_fixed(raw, next_id);
  head::put_fixed(raw, head_.min_time_ms());
  head::put_fixed(raw, head_.max_time_ms());
  VARVE_TRY(writer.add({.kind = PieceKind::kEnd}, raw));
  // Else the log could lack frames of which the snapshot has a part.
  return log_.wait_durable(newest.seq);
}

Status HeadSnapshots::add_columns(head::SnapshotWriter& writer) {
  const head::TimeColumns::Span all = head_.columns().span();
  std::vector<head::TimeColumn> columns;
  std::string raw;
  for (std::uint64_t at = all.begin; at < all.end; at += kColumnsPerPiece) {
    const head::TimeColumns::Span part{at, std::min<std::uint64_t>(all.end, at + kColumnsPerPiece)};
    head_.columns().copy(part, columns);
    raw.clear();
    head::encode_columns(part.begin, columns, raw);
    VARVE_TRY(writer.add({.kind = PieceKind::kColumns}, raw));
  }
  return {};
}

Status HeadSnapshots::add_series(head::SnapshotWriter& writer, std::uint32_t& next_id) {
  std::shared_ptr<const index::HeadIndex> index;
  SeriesId bound{};
  {
    // Whose record stands in a frame that may go is in the index: both happen under this mutex.
    const std::lock_guard lock(head_.create_mutex);
    index = head_.index();
    bound = index->bound();
    next_id = head_.next_id();
  }
  fresh_series_pieces_.clear();
  const std::uint64_t end = std::uint64_t{static_cast<std::uint32_t>(bound)} + 1;
  std::unique_ptr<fs::File> before;
  if (!series_pieces_.empty()) {
    auto opened = files_.open_read(fs::join(directory_, head::snapshot_name(number_)));
    if (opened.ok()) before = std::move(opened).value();
  }
  std::uint64_t next = 1;
  for (const SeriesPiece& piece : series_pieces_) {
    if (before == nullptr) break;
    // Ids are never given twice: as many series as there were are the same ones.
    std::uint32_t count = 0;
    for (std::uint64_t id = piece.first; id < piece.end; ++id) {
      count += index->has(static_cast<SeriesId>(id)) ? 1 : 0;
    }
    if (!piece.whole || count != piece.count) continue;
    VARVE_TRY(add_series(writer, *index, next, piece.first));
    VARVE_TRY_ASSIGN(const bool reused, reuse(writer, *before, piece));
    next = reused ? piece.end : piece.first;
  }
  return add_series(writer, *index, next, end);
}

// Writes the labels of [begin, end).
Status HeadSnapshots::add_series(head::SnapshotWriter& writer, const index::HeadIndex& index,
                                 std::uint64_t begin, std::uint64_t end) {
  std::string raw;
  std::uint64_t before = 0;
  SeriesPiece piece{.first = begin};
  const auto write_piece = [&](std::uint64_t piece_end) -> Status {
    if (raw.empty()) return {};
    piece.end = piece_end;
    piece.offset = writer.size_bytes();
    piece.whole = raw.size() >= kSeriesPieceBytes / 2;
    VARVE_TRY(writer.add({.kind = PieceKind::kSeries}, raw));
    piece.bytes = static_cast<std::uint32_t>(writer.size_bytes() - piece.offset);
    fresh_series_pieces_.push_back(piece);
    piece = {.first = piece_end};
    raw.clear();
    return {};
  };
  for (std::uint64_t id = begin; id < end; ++id) {
    const auto series = static_cast<SeriesId>(id);
    if (!index.has(series)) continue;
    head::put_uvarint(raw, id - (raw.empty() ? 0 : before));
    head::put_string(raw, index.labels(series).bytes());
    before = id;
    ++piece.count;
    if (raw.size() >= kSeriesPieceBytes) VARVE_TRY(write_piece(id + 1));
  }
  return write_piece(end);
}

// Whether the piece is in the new snapshot as it was in the last one; if not, nothing is.
Result<bool> HeadSnapshots::reuse(head::SnapshotWriter& writer, const fs::File& before,
                                  const SeriesPiece& piece) {
  std::string stored(piece.bytes, '\0');
  const auto read = before.read_at(piece.offset, std::span(stored.data(), stored.size()));
  if (!read.ok() || *read != stored.size()) return false;
  std::vector<Error> gaps;
  const std::vector<head::Piece> found = head::find_pieces(stored, gaps);
  if (found.size() != 1 || !gaps.empty() || found[0].info.kind != PieceKind::kSeries ||
      !found[0].verify().ok()) {
    return false;
  }
  fresh_series_pieces_.emplace_back(piece).offset = writer.size_bytes();
  VARVE_TRY(writer.add_stored(stored));
  return true;
}

Status HeadSnapshots::add_sides(head::SnapshotWriter& writer) {
  std::string raw;
  for (const auto& [id, point] : head_.exemplars().all()) {
    head::put_uvarint(raw, static_cast<std::uint32_t>(id));
    head::put_fixed(raw, point.timestamp_ms);
    head::put_fixed(raw, point.value);
    head::put_string(raw, point.labels.bytes());
  }
  VARVE_TRY(writer.add({.kind = PieceKind::kExemplars}, raw));
  raw.clear();
  for (const MetadataEntry& entry : head_.metadata().list()) {
    for (const std::string* text : {&entry.metric_family, &entry.type, &entry.help, &entry.unit}) {
      head::put_string(raw, *text);
    }
  }
  return writer.add({.kind = PieceKind::kMetadata}, raw);
}

// Nothing of this is needed to go on: what cannot be done now is done after the next snapshot or at
// the next start.
void HeadSnapshots::let_go(std::uint32_t first_segment) {
  for (const std::uint32_t number : damaged_) {
    const std::string path = fs::join(directory_, head::snapshot_name(number));
    static_cast<void>(files_.rename(path, path + ".corrupt").ok());
  }
  damaged_.clear();
  Status status = head_.spill().remove_dropped();
  if (status.ok()) status = log_.retire(first_segment, damaged_segments_, number_);
  if (!status.ok()) {
    logger_.warn("storage: cannot let go of old files of the head",
                 {{"err", status.error().message()}});
  }
}

}  // namespace varve::storage
