// SPDX-License-Identifier: Apache-2.0
#include "storage/shard_replay.h"

#include <bit>
#include <memory>
#include <mutex>
#include <utility>
#include <variant>

#include "storage/head/shard_image.h"

namespace varve::storage {
namespace {

using head::ChunkRef;
using head::HotSeries;

// A float run holds what was taken in order, so only the order in time is looked at: what is not
// newer than its series can only be there because a former version wrote late samples into runs.
constexpr head::OutOfOrderRule kAcceptLate{TimeRange::all().min_ms, true};

class ShardReplayer {
 public:
  ShardReplayer(head::Head& head, unsigned shard, const ReplayScope& scope, ShardReplay& out)
      : head_(head),
        number_(shard),
        shard_(head.shard_at(shard)),
        last_id_(scope.last_id),
        first_column_(scope.first_column),
        retired_(scope.retired),
        cut_(scope.cut),
        out_(out) {}

  // The shard as the snapshot has it, then what the log has of it behind frame `covered_seq`.
  void replay(SnapshotReader& snapshot, const std::vector<wal::Section>* sections) {
    const std::lock_guard lock(shard_.mutex);
    const std::uint64_t covered_seq = snapshot.covered_seq(number_);
    const bool has_cut = cut_ && number_ < cut_->seqs.size();
    // Frames up to this one have nothing from before the cut that is not in blocks.
    std::uint64_t cut_seq = has_cut ? cut_->seqs[number_] : 0;
    {
      head::ShardImage image;
      snapshot.shard(number_, image);
      restore(image, has_cut && covered_seq > cut_seq);
    }
    if (has_cut && covered_seq > cut_seq) {
      forget_cut(head::TakeLate::kFrozen);
    }
    bool to_forget = has_cut && covered_seq <= cut_seq;
    if (sections != nullptr) {
      for (const wal::Section& section : *sections) {
        if (section.position.seq <= covered_seq) continue;
        if (to_forget && section.position.seq > cut_seq) {
          forget_cut(head::TakeLate::kAll);
          to_forget = false;
        }
        replay_section(section);
      }
    }
    if (to_forget) forget_cut(head::TakeLate::kAll);
    if (has_cut) shard_.set_cut(cut_->time_ms);
  }

 private:
  void replay_section(const wal::Section& section) {
    decoder_.open(section.bytes);
    for (;;) {
      const auto record = decoder_.next();
      if (!record.ok()) {
        out_.errors.push_back("frame " + std::to_string(section.position.seq) + ": " +
                              record.error().message());
        return;
      }
      if (std::holds_alternative<std::monostate>(**record)) return;
      apply(**record);
    }
  }

  template <typename Visit>
  void visit_series(const Visit& visit) {
    constexpr std::uint64_t kNeighbours = head::kNeighbours;
    for (std::uint64_t first = number_ * kNeighbours; first <= last_id_;
         first += kNeighbours * head::kShards) {
      for (std::uint64_t id = first; id < first + kNeighbours && id <= last_id_; ++id) {
        HotSeries& series = head_.series(static_cast<SeriesId>(id));
        if (series.is(HotSeries::kKnown)) visit(series, static_cast<SeriesId>(id));
      }
    }
  }

  void forget_cut(head::TakeLate late) {
    out_.min_ms = TimeRange::all().max_ms;
    visit_series([&](HotSeries& series, SeriesId id) {
      out_.min_ms = std::min(out_.min_ms, shard_.forget_before(series, id, cut_->time_ms, late));
    });
    out_.min_known = true;
  }

  // `cut_before`: the snapshot was taken after the cut, so that what was frozen for it is in blocks
  // and late samples it still has are not.
  void restore(head::ShardImage& image, bool cut_before) {
    const std::uint64_t* words = image.words.data();
    const ChunkRef* chunk = image.chunks.data();
    std::size_t histograms = 0, late = 0, frozen = 0, deleted = 0;
    const bool drop_frozen = cut_before && image.frozen_before_ms <= cut_->time_ms;
    std::vector<ChunkRef> chunks;
    for (std::size_t i = 0; i < image.ids.size(); ++i) {
      const std::uint32_t id = image.ids[i];
      const HotSeries& hot = image.hot[i];
      chunks.clear();
      for (std::uint32_t k = 0; k < image.chunk_counts[i]; ++k, ++chunk) add_chunk(*chunk, chunks);
      HotSeries* const series = find(id);
      if (series != nullptr) {
        shard_.restore_series(*series, hot, words, chunks);
        series->unset(HotSeries::kOutOfOrder);
        out_.samples += hot.gorilla.count;
      }
      words += hot.gorilla.word_count;
      if (hot.is(HotSeries::kHistograms)) {
        const auto& from = image.histograms[histograms++];
        if (series != nullptr) {
          const Status restored = shard_.restore_histograms(*series, from);
          if (!restored.ok()) out_.errors.push_back(restored.error().message());
        }
      }
      if (late < image.late.size() && image.late[late].id == id) {
        if (series != nullptr) restore_late(*series, std::move(image.late[late]));
        ++late;
      }
      if (frozen < image.frozen.size() && image.frozen[frozen].id == id) {
        if (series != nullptr && !drop_frozen) {
          restore_late(*series, std::move(image.frozen[frozen]));
        }
        ++frozen;
      }
      if (hot.is(HotSeries::kDeleted)) {
        if (series != nullptr) shard_.restore_deleted(*series, std::move(image.deleted[deleted]));
        ++deleted;
      }
    }
  }

  void restore_late(HotSeries& series, head::ShardImage::Late late) {
    out_.samples += late.floats.size() + late.histograms.size();
    shard_.restore_late(series, std::move(late));
  }

  void add_chunk(ChunkRef chunk, std::vector<ChunkRef>& chunks) {
    chunk.column -= first_column_;
    if (!head_.columns().held(chunk.column)) {
      ++out_.chunks_lost;
      return;
    }
    const head::TimeColumn column = head_.columns()[chunk.column];
    // Blocks have it, and its file may be gone.
    if (column.count > 0 && cut_ && column.range.max_ms < cut_->time_ms) return;
    if (column.count == 0 || !head_.spill().held(chunk.place)) {
      ++out_.chunks_lost;
      out_.samples_lost += column.count;
      return;
    }
    out_.samples += column.count;
    chunks.push_back(chunk);
  }

  // The series of an id in the log, or nullptr if its record was lost (or the bytes lie).
  HotSeries* find(std::uint32_t id) {
    if (id == 0 || head::shard_of(static_cast<SeriesId>(id)) != number_) return nullptr;
    if (id <= last_id_) {
      HotSeries& series = head_.series(static_cast<SeriesId>(id));
      if (series.is(HotSeries::kKnown)) return &series;
    }
    if (std::binary_search(retired_.begin(), retired_.end(), static_cast<SeriesId>(id)))
      return nullptr;
    out_.lost_id_max = std::max(out_.lost_id_max, id);
    return nullptr;
  }

  void apply(const wal::RunRecord& record) {
    if (const auto* floats = std::get_if<wal::FloatRun>(&record)) {
      apply_floats(*floats);
    } else if (const auto* late = std::get_if<wal::LateFloatRecord>(&record)) {
      HotSeries* series = find(static_cast<std::uint32_t>(late->id));
      if (series == nullptr) {
        lose(late->id);
        return;
      }
      shard_.insert_late(*series, late->id, late->sample);
      ++out_.samples;
    } else if (const auto* histogram = std::get_if<wal::HistogramRecord>(&record)) {
      HotSeries* series = find(static_cast<std::uint32_t>(histogram->id));
      if (series == nullptr || !codec::check_histogram(histogram->sample.histogram).ok()) {
        lose(histogram->id);
        return;
      }
      if (histogram->late) {
        shard_.insert_late(*series, histogram->id,
                           {histogram->sample.timestamp_ms,
                            std::make_shared<const Histogram>(histogram->sample.histogram)});
        ++out_.samples;
        return;
      }
      shard_.append_histogram(*series, histogram->id, histogram->sample.timestamp_ms,
                              histogram->sample.histogram, kAcceptLate);
      out_.count(histogram->sample.timestamp_ms);
    } else if (const auto* tombstone = std::get_if<wal::TombstoneRecord>(&record)) {
      if (HotSeries* series = find(static_cast<std::uint32_t>(tombstone->id))) {
        shard_.delete_samples(*series, tombstone->id, tombstone->range);
      }
    } else if (const auto* exemplar = std::get_if<wal::ExemplarRecord>(&record)) {
      if (find(static_cast<std::uint32_t>(exemplar->id)) != nullptr) {
        out_.exemplars.push_back(*exemplar);
      }
    }
  }

  void apply_floats(const wal::FloatRun& run) {
    constexpr std::size_t kAhead = 12;
    const std::size_t count = run.ids.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kAhead < count && run.ids[i + kAhead] <= last_id_) {
        __builtin_prefetch(&head_.series(static_cast<SeriesId>(run.ids[i + kAhead])), 1);
      }
      HotSeries* series = find(run.ids[i]);
      if (series == nullptr || (run.raw[i] == 0 && !series->is(HotSeries::kHasFloat))) {
        lose(static_cast<SeriesId>(run.ids[i]));
        continue;
      }
      const std::uint64_t previous = std::bit_cast<std::uint64_t>(series->gorilla.last_value);
      const std::uint64_t bits = run.raw[i] != 0 ? run.bits[i] : run.bits[i] ^ previous;
      shard_.append_float(*series, static_cast<SeriesId>(run.ids[i]), run.times[i],
                          std::bit_cast<double>(bits), kAcceptLate);
      out_.count(run.times[i]);
    }
  }

  void lose(SeriesId id) {
    if (!std::binary_search(retired_.begin(), retired_.end(), id)) ++out_.samples_lost;
  }

  head::Head& head_;
  const unsigned number_;
  head::Shard& shard_;
  const std::uint32_t last_id_;
  const std::uint32_t first_column_;
  const std::vector<SeriesId>& retired_;
  const std::optional<HeadCut>& cut_;
  ShardReplay& out_;
  wal::RunDecoder decoder_;
};

}  // namespace

void replay_shard(head::Head& head, unsigned shard, const ReplayScope& scope,
                  SnapshotReader& snapshot, const std::vector<wal::Section>* sections,
                  ShardReplay& out) {
  ShardReplayer(head, shard, scope, out).replay(snapshot, sections);
}

}  // namespace varve::storage
