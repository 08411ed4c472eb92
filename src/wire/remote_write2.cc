// SPDX-License-Identifier: Apache-2.0
// Source of the field numbers: prometheus prompb/io/prometheus/write/v2/types.proto, 3.14. Field 6
// of a series is how release candidates of the protocol said when a counter began.
#include "wire/remote_write2.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <utility>

#include "base/check.h"
#include "base/release_memory.h"
#include "base/try.h"
#include "model/start_zero.h"
#include "wire/batch_budget.h"
#include "wire/exposition.h"
#include "wire/label_checks.h"
#include "wire/native_histogram.h"
#include "wire/protobuf_cursor.h"

namespace varve::wire {

using storage::SeriesEntry;
using storage::WriteBatch;

static_assert(std::endian::native == std::endian::little, "doubles are copied as they stand");

namespace {

constexpr std::uint64_t kSymbolTag = bytes_tag(4), kTimeSeriesTag = bytes_tag(5);
constexpr std::uint64_t kRefsTag = bytes_tag(1), kRefTag = varint_tag(1),
                        kSampleTag = bytes_tag(2), kHistogramTag = bytes_tag(3),
                        kExemplarTag = bytes_tag(4), kMetadataTag = bytes_tag(5),
                        kCreatedTag = varint_tag(6);
constexpr std::uint64_t kSampleValueTag = fixed64_tag(1), kSampleTimestampTag = varint_tag(2),
                        kSampleStartTag = varint_tag(3);
constexpr std::uint64_t kHistogramStartTag = varint_tag(17);
constexpr std::string_view kUnknownType = "unknown";

struct StartedSample {
  Sample sample;
  Timestamp start_ms = 0;  // 0: not said
};

StartedSample decode_sample(std::string_view message) {
  StartedSample out;
  ProtobufCursor cursor(message);
  // What every writer sends, unless the value is zero: value and time, in this order.
  if (message.size() > 10 && message[0] == kSampleValueTag && message[9] == kSampleTimestampTag) {
    std::memcpy(&out.sample.value, message.data() + 1, 8);
    cursor.at += 10;
    out.sample.timestamp_ms = static_cast<Timestamp>(cursor.varint());
  }
  while (!cursor.done()) {
    const std::uint64_t tag = cursor.varint();
    if (tag == kSampleValueTag) {
      std::memcpy(&out.sample.value, cursor.take(8).data(), 8);
    } else if (tag == kSampleTimestampTag) {
      out.sample.timestamp_ms = static_cast<Timestamp>(cursor.varint());
    } else if (tag == kSampleStartTag) {
      out.start_ms = static_cast<Timestamp>(cursor.varint());
    } else {
      cursor.skip(tag);
    }
  }
  return out;
}

Timestamp histogram_start(std::string_view message) {
  Timestamp start_ms = 0;
  for (ProtobufCursor cursor(message); !cursor.done();) {
    const std::uint64_t tag = cursor.varint();
    if (tag == kHistogramStartTag) {
      start_ms = static_cast<Timestamp>(cursor.varint());
    } else {
      cursor.skip(tag);
    }
  }
  return start_ms;
}

// The metric family of a series: its name without what the parts of a family add to it.
std::string_view family_of(std::string_view name, std::string_view type) {
  const auto without = [&name](std::initializer_list<std::string_view> suffixes) {
    for (const std::string_view suffix : suffixes) {
      if (name.size() > suffix.size() && name.ends_with(suffix)) {
        return name.substr(0, name.size() - suffix.size());
      }
    }
    return name;
  };
  if (type == "histogram") return without({"_bucket", "_sum", "_count"});
  if (type == "gaugehistogram") return without({"_bucket", "_gsum", "_gcount"});
  if (type == "summary") return without({"_sum", "_count"});
  return name;
}

}  // namespace

// One walk over one request.
class Walk2 {
 public:
  Walk2(WriteRequest2Decoder& kept, WriteBatch& out, WriteBatch* zeros, DecodeReport& report,
        MetadataLabels metadata_labels)
      : kept_(kept), out_(out), zeros_(zeros), report_(report), metadata_labels_(metadata_labels) {}

  // Symbols may stand behind what names them, so series come second.
  Status request(std::string_view message) {
    for (ProtobufCursor cursor(message); !cursor.done();) {
      at_ = cursor.at;
      const std::uint64_t tag = cursor.varint();
      if (tag == kSymbolTag) {
        VARVE_TRY(budget_.charge(SymbolTable::kSymbolBytes));
        kept_.symbols_.add(cursor.bytes());
      } else if (tag == kTimeSeriesTag) {
        VARVE_TRY(budget_.charge(sizeof(std::string_view)));
        kept_.series_.push_back(cursor.bytes());
      } else {
        cursor.skip(tag);
      }
    }
    kept_.metadata_seen_.assign(kept_.symbols_.size(), false);
    for (const std::string_view series : kept_.series_) {
      at_ = series.data();
      VARVE_TRY(time_series(series));
      ++series_seen_;
    }
    // Only now do the records stand still.
    for (std::size_t i = 0; i < out_.series.size(); ++i) {
      out_.series[i].key = kept_.records_[i].key.bytes();
    }
    if (zeros_ != nullptr) {
      for (std::size_t i = 0; i < zeros_->series.size(); ++i) {
        zeros_->series[i].key = out_.series[zero_of_[i]].key;
      }
    }
    return {};
  }

  std::uint64_t series_seen() const { return series_seen_; }
  const char* at() const { return at_; }

 private:
  using Record = WriteRequest2Decoder::Record;

  Status time_series(std::string_view message) {
    SeriesEntry entry;
    entry.samples_begin = static_cast<std::uint32_t>(out_.samples.size());
    entry.histograms_begin = static_cast<std::uint32_t>(out_.histograms.size());
    entry.exemplars_begin = static_cast<std::uint32_t>(out_.exemplars.size());
    std::string_view refs, metadata;
    std::string* gathered = nullptr;
    Timestamp created_ms = 0;
    bool any_histogram = false;
    starts_.clear();
    const auto more_refs = [&](const char* begin, const char* end) -> Status {
      if (gathered == nullptr) {
        VARVE_TRY(budget_.charge(sizeof(std::string) + refs.size()));
        gathered = &kept_.gathered_refs_.emplace_back(refs);
      }
      VARVE_TRY(budget_.charge(static_cast<std::size_t>(end - begin)));
      gathered->append(begin, end);
      refs = *gathered;
      return {};
    };
    for (ProtobufCursor cursor(message); !cursor.done();) {
      const std::uint64_t tag = cursor.varint();
      if (tag == kRefsTag) {
        const std::string_view packed = cursor.bytes();
        if (refs.empty()) {
          refs = packed;
        } else {
          VARVE_TRY(more_refs(packed.data(), packed.data() + packed.size()));
        }
      } else if (tag == kSampleTag) {
        const StartedSample decoded = decode_sample(cursor.bytes());
        VARVE_TRY(budget_.charge(sizeof(Sample)));
        if (decoded.start_ms != 0 && zeros_ != nullptr) {
          starts_.emplace_back(out_.samples.size(), decoded.start_ms);
        }
        out_.samples.push_back(decoded.sample);
      } else if (tag == kHistogramTag) {
        VARVE_TRY(budget_.charge(sizeof(std::string_view)));
        histograms_.push_back(cursor.bytes());
        any_histogram = true;
      } else if (tag == kExemplarTag) {
        VARVE_TRY(budget_.charge(sizeof(std::string_view)));
        exemplars_.push_back(cursor.bytes());
      } else if (tag == kMetadataTag) {
        metadata = cursor.bytes();
      } else if (tag == kCreatedTag) {
        created_ms = static_cast<Timestamp>(cursor.varint());
      } else if (tag == kRefTag) {
        const char* const begin = cursor.at;
        cursor.varint();
        VARVE_TRY(more_refs(begin, cursor.at));
      } else {
        cursor.skip(tag);
      }
    }
    entry.samples_count = static_cast<std::uint32_t>(out_.samples.size()) - entry.samples_begin;
    VARVE_TRY(name_and_finish(entry, refs, metadata, created_ms, any_histogram));
    histograms_.clear();
    exemplars_.clear();
    return {};
  }

  Status name_and_finish(SeriesEntry& entry, std::string_view refs, std::string_view metadata,
                         Timestamp created_ms, bool any_histogram) {
    // A label takes two references at least, so this bounds their number too: an empty symbol may
    // be referred to without end.
    const bool many_refs = refs.size() > kKeyMaxBytes;
    const std::optional<SymbolTable::Read> read =
        many_refs ? std::nullopt : kept_.symbols_.read(refs);
    const bool too_long = many_refs || (read && read->text_bytes > kKeyMaxBytes);
    if (!read || too_long || (entry.samples_count == 0 && !any_histogram)) {
      out_.samples.resize(entry.samples_begin);
      refuse(refs, too_long);
      return {};
    }
    if (any_histogram) VARVE_TRY(histograms(refs, entry));
    for (const std::string_view message : exemplars_) VARVE_TRY(exemplar(message));
    entry.exemplars_count =
        static_cast<std::uint32_t>(out_.exemplars.size()) - entry.exemplars_begin;
    if (entry.samples_count + entry.histograms_count == 0) {
      out_.exemplars.resize(entry.exemplars_begin);
      return {};  // all its histograms were refused
    }
    VARVE_TRY(budget_.charge(sizeof(SeriesEntry) + sizeof(Record)));
    // A series without a name is not taken further on.
    if (metadata.empty() && read->metric_ref != SymbolTable::kNone) {
      report_.samples_without_metadata += entry.samples_count + entry.histograms_count;
    }
    if (!metadata.empty() && read->metric_ref != SymbolTable::kNone &&
        !kept_.metadata_seen_[read->metric_ref]) {
      kept_.metadata_seen_[read->metric_ref] = true;
      VARVE_TRY(family(metadata, read->metric_ref));
    }
    if (zeros_ != nullptr) VARVE_TRY(add_zeros(entry, created_ms));
    if (metadata_labels_ == MetadataLabels::kTypeAndUnit) {
      VARVE_TRY(budget_.charge(sizeof(WriteRequest2Decoder::TypeAndUnit)));
      const auto typed = kept_.typed_.emplace_back(type_and_unit(metadata));
      const SymbolKey key =
          typed.told ? kept_.symbols_.with_type_and_unit(read->key, typed.type, typed.unit_ref)
                     : read->key;
      kept_.records_.push_back({key, refs});
    } else {
      kept_.records_.push_back({read->key, refs});
    }
    out_.series.push_back(entry);
    return {};
  }

  void refuse(std::string_view refs, bool too_long) {
    ++report_.refused_series;
    if (!report_.first_error.empty()) return;
    if (too_long) {
      report_.first_error =
          fmt::format("the labels of a series take more than {} bytes", kKeyMaxBytes);
      return;
    }
    labels_.clear();
    if (const Status read = kept_.symbols_.labels(refs, labels_); !read.ok()) {
      report_.first_error = fmt::format("parsing labels for series {}: {}", describe_refs(refs),
                                        read.error().message());
      return;
    }
    const auto labels = checked_labels(labels_, MetricNameRule::kRequired);
    report_.first_error = labels.ok() ? fmt::format(
                                            "TimeSeries must contain at least one sample or "
                                            "histogram for series {}",
                                            describe_labels(labels_))
                                      : labels.error().message();
  }

  Status histograms(std::string_view refs, SeriesEntry& entry) {
    for (const std::string_view message : histograms_) {
      storage::HistogramSample sample;
      auto decoded = decode_native_histogram(message, budget_, sample);
      if (decoded.ok()) {
        if (zeros_ != nullptr) {
          const Timestamp start_ms = histogram_start(message);
          if (start_ms != 0) histogram_starts_.emplace_back(out_.histograms.size(), start_ms);
        }
        out_.histograms.push_back(std::move(sample));
        continue;
      }
      if (decoded.error().code() == ErrorCode::kLimitExceeded) return decoded;
      ++report_.refused_histograms;
      if (report_.first_error.empty()) {
        labels_.clear();
        static_cast<void>(kept_.symbols_.labels(refs, labels_));  // read() has seen that they are
        const auto labels = checked_labels(labels_, MetricNameRule::kRequired);
        report_.first_error = fmt::format("{}: {}", labels.ok() ? labels->to_string() : "series",
                                          decoded.error().message());
      }
    }
    entry.histograms_count =
        static_cast<std::uint32_t>(out_.histograms.size()) - entry.histograms_begin;
    return {};
  }

  Status exemplar(std::string_view message) {
    storage::ExemplarSample exemplar;
    std::string refs;
    for (ProtobufCursor cursor(message); !cursor.done();) {
      const std::uint64_t tag = cursor.varint();
      if (tag == kRefsTag) {
        refs += cursor.bytes();
      } else if (tag == kRefTag) {
        const char* const begin = cursor.at;
        cursor.varint();
        refs.append(begin, cursor.at);
      } else if (tag == fixed64_tag(2)) {
        std::memcpy(&exemplar.value, cursor.take(8).data(), 8);
      } else if (tag == varint_tag(3)) {
        exemplar.timestamp_ms = static_cast<Timestamp>(cursor.varint());
      } else {
        cursor.skip(tag);
      }
    }
    labels_.clear();
    if (refs.size() > kKeyMaxBytes) {
      ++report_.refused_exemplars;
      return {};
    }
    const std::optional<SymbolTable::Read> read = kept_.symbols_.read(refs);
    if (!read || read->text_bytes > kKeyMaxBytes || !kept_.symbols_.labels(refs, labels_).ok()) {
      ++report_.refused_exemplars;
      return {};
    }
    VARVE_TRY(budget_.charge(sizeof(storage::ExemplarSample) + read->text_bytes +
                     labels_.size() * sizeof(LabelView)));
    auto labels = checked_labels(labels_, MetricNameRule::kNotNeeded);
    if (!labels.ok()) {
      ++report_.refused_exemplars;
      return {};
    }
    exemplar.labels = std::move(labels).value();
    out_.exemplars.push_back(std::move(exemplar));
    return {};
  }

  // What a series says of its metric family.
  struct Told {
    std::int32_t type = 0;
    std::uint64_t help_ref = 0, unit_ref = 0;
  };
  static Told read_metadata(std::string_view message) {
    Told told;
    for (ProtobufCursor cursor(message); !cursor.done();) {
      const std::uint64_t tag = cursor.varint();
      if (tag == varint_tag(1)) {
        told.type = static_cast<std::int32_t>(cursor.varint());
      } else if (tag == varint_tag(3)) {
        told.help_ref = cursor.varint();
      } else if (tag == varint_tag(4)) {
        told.unit_ref = cursor.varint();
      } else {
        cursor.skip(tag);
      }
    }
    return told;
  }

  // A type or a unit, if they are to be labels.
  WriteRequest2Decoder::TypeAndUnit type_and_unit(std::string_view metadata) const {
    WriteRequest2Decoder::TypeAndUnit out;
    if (metadata.empty()) return out;
    const Told told = read_metadata(metadata);
    const SymbolTable& symbols = kept_.symbols_;
    if (metadata_type_name(told.type) != kUnknownType) out.type = told.type;
    // What is no symbol, or too long for a label, is no unit; symbol 0 is "".
    if (symbols.has(told.unit_ref)) {
      const auto unit_ref = static_cast<std::uint32_t>(told.unit_ref);
      if (symbols.text(unit_ref).size() <= kKeyMaxBytes) out.unit_ref = unit_ref;
    }
    const bool unit = symbols.has(out.unit_ref) && !symbols.text(out.unit_ref).empty();
    out.told = symbols.has(out.unit_ref) && (out.type != 0 || unit);
    return out;
  }

  // Metadata comes with every series, so it is handed on when it is new. It is a help to people:
  // what is no text is passed over.
  Status family(std::string_view message, std::uint32_t metric_ref) {
    const auto [type, help_ref, unit_ref] = read_metadata(message);
    const SymbolTable& symbols = kept_.symbols_;
    if (type == 0 && help_ref == 0 && unit_ref == 0) return {};  // nothing is known
    if (!symbols.has(help_ref) || !symbols.has(unit_ref)) return {};
    const auto help = static_cast<std::uint32_t>(help_ref);
    const auto unit = static_cast<std::uint32_t>(unit_ref);
    const std::uint64_t content = symbols.hash(metric_ref) * 3 + symbols.hash(help) * 5 +
                                  symbols.hash(unit) * 7 + static_cast<std::uint32_t>(type);
    if (kept_.metadata_told_.size() >= WriteRequest2Decoder::kMetadataRemembered) {
      kept_.metadata_told_.clear();
    }
    if (!kept_.metadata_told_.insert(content).second) return {};
    VARVE_TRY(budget_.charge(sizeof(storage::MetadataEntry) + symbols.text(metric_ref).size() +
                     symbols.text(help).size() + symbols.text(unit).size()));
    storage::MetadataEntry entry;
    entry.type = metadata_type_name(type);
    entry.metric_family = family_of(symbols.text(metric_ref), entry.type);
    entry.help = symbols.text(help);
    entry.unit = symbols.text(unit);
    if (!entry.metric_family.empty() && is_utf8(entry.metric_family) && is_utf8(entry.help) &&
        is_utf8(entry.unit)) {
      out_.metadata.push_back(std::move(entry));
    }
    return {};
  }

  // A zero where each start that is told lies before its sample. A start that all samples of the
  // series share counts for the first.
  Status add_zeros(const SeriesEntry& of, Timestamp created_ms) {
    const auto begin = [&] {
      zero_of_.push_back(out_.series.size());
      SeriesEntry& zero = zeros_->series.emplace_back();
      zero.samples_begin = static_cast<std::uint32_t>(zeros_->samples.size());
      zero.histograms_begin = static_cast<std::uint32_t>(zeros_->histograms.size());
      return &zero;
    };
    if (created_ms != 0 && starts_.empty() && histogram_starts_.empty()) {
      if (of.samples_count > 0) {
        starts_.emplace_back(of.samples_begin, created_ms);
      } else {
        histogram_starts_.emplace_back(of.histograms_begin, created_ms);
      }
    }
    Timestamp told = 0;
    for (const auto& [at, start_ms] : starts_) {
      if (start_ms >= out_.samples[at].timestamp_ms || std::exchange(told, start_ms) == start_ms) {
        continue;
      }
      VARVE_TRY(budget_.charge(sizeof(SeriesEntry) + sizeof(Sample)));
      begin()->samples_count = 1;
      zeros_->samples.push_back({start_ms, 0});
    }
    for (const auto& [at, start_ms] : histogram_starts_) {
      const storage::HistogramSample& sample = out_.histograms[at];
      if (start_ms >= sample.timestamp_ms || std::exchange(told, start_ms) == start_ms) continue;
      VARVE_TRY(budget_.charge(sizeof(SeriesEntry) + sizeof(storage::HistogramSample) +
                       sample.histogram.custom_bounds.size() * sizeof(double)));
      begin()->histograms_count = 1;
      zeros_->histograms.push_back({start_ms, model::start_zero(sample.histogram)});
    }
    histogram_starts_.clear();
    return {};
  }

  using Starts = std::vector<std::pair<std::size_t, Timestamp>>;  // by place in the batch

  WriteRequest2Decoder& kept_;
  WriteBatch& out_;
  WriteBatch* const zeros_;
  DecodeReport& report_;
  const MetadataLabels metadata_labels_;
  BatchBudget budget_;
  std::uint64_t series_seen_ = 0;
  const char* at_ = nullptr;
  // Of the series at hand.
  std::vector<std::string_view> histograms_, exemplars_;
  Starts starts_, histogram_starts_;
  std::vector<LabelView> labels_;
  std::vector<std::size_t> zero_of_;  // by zero: the place of its series in the batch
};

Result<Labels> WriteRequest2Decoder::Keys::decode(std::string_view key) const {
  const auto* const first = reinterpret_cast<const char*>(owner_.records_.data());
  const auto offset = static_cast<std::size_t>(key.data() - first);
  VARVE_CHECK(offset % sizeof(Record) == 0 && offset / sizeof(Record) < owner_.records_.size());
  const std::size_t at = offset / sizeof(Record);
  std::vector<LabelView> labels;
  VARVE_TRY(owner_.symbols_.labels(owner_.records_[at].refs, labels));
  if (!owner_.typed_.empty() && owner_.typed_[at].told) {
    const TypeAndUnit& typed = owner_.typed_[at];
    std::erase_if(labels, [](const LabelView& label) {
      return label.name == kTypeLabel || label.name == kUnitLabel;
    });
    if (typed.type != 0) labels.push_back({kTypeLabel, metadata_type_name(typed.type)});
    labels.push_back({kUnitLabel, owner_.symbols_.text(typed.unit_ref)});
  }
  return checked_labels(labels, MetricNameRule::kRequired);
}

Result<DecodeReport> WriteRequest2Decoder::decode(std::string_view protobuf, WriteBatch& out,
                                                  WriteBatch* zeros,
                                                  MetadataLabels metadata_labels) {
  for (WriteBatch* const batch : {&out, zeros}) {
    if (batch == nullptr) continue;
    batch->clear();
    batch->key_space = kRemoteWrite2KeySpace;
    batch->decoder = &keys_;
  }
  symbols_.clear();
  series_.clear();
  records_.clear();
  typed_.clear();
  gathered_refs_.clear();
  if (++requests_ % kMetadataRepeat == 0) metadata_told_.clear();
  DecodeReport report;
  Walk2 walk(*this, out, zeros, report, metadata_labels);
  Status status;
  try {
    status = walk.request(protobuf);
  } catch (const protozero::exception& broken) {
    status =
        Error(ErrorCode::kInvalidArgument,
              fmt::format("remote write: broken protobuf in the field at byte {}, after {} time "
                          "series: {}",
                          walk.at() - protobuf.data(), walk.series_seen(), broken.what()));
  }
  if (status.ok()) return report;
  out.clear();
  if (zeros != nullptr) zeros->clear();
  metadata_told_.clear();  // what was about to be told is not
  return std::move(status).error();
}

std::size_t WriteRequest2Decoder::memory_bytes() const {
  std::size_t bytes = symbols_.memory_bytes() + series_.capacity() * sizeof(std::string_view) +
                      records_.capacity() * sizeof(Record) +
                      typed_.capacity() * sizeof(TypeAndUnit) + metadata_seen_.capacity() / 8;
  for (const std::string& refs : gathered_refs_) bytes += sizeof(std::string) + refs.capacity();
  return bytes;
}

void WriteRequest2Decoder::shrink() {
  base::release_memory(symbols_, series_, records_, typed_, gathered_refs_, metadata_seen_);
}

}  // namespace varve::wire
