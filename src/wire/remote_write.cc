// SPDX-License-Identifier: Apache-2.0
// The walk over TimeSeries, Label and Sample is by hand, because it is what ingest costs; the rest
// uses protozero's reader.
#include "wire/remote_write.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "wire/batch_budget.h"
#include "wire/label_checks.h"
#include "wire/native_histogram.h"
#include "wire/protobuf_cursor.h"
#include "wire/remote_write_fields.h"

namespace varve::wire {
namespace {

using protozero::pbf_wire_type;
using protozero::tag_and_type;
using storage::SeriesEntry;
using storage::WriteBatch;

static_assert(std::endian::native == std::endian::little, "doubles are copied as they stand");

LabelView decode_label(std::string_view message) {
  LabelView label;
  for (ProtobufCursor cursor(message); !cursor.done();) {
    const std::uint64_t tag = cursor.varint();
    if (tag == (1 << 3 | 2)) {
      label.name = cursor.bytes();
    } else if (tag == (2 << 3 | 2)) {
      label.value = cursor.bytes();
    } else {
      cursor.skip(tag);
    }
  }
  return label;
}

Sample decode_sample(std::string_view message) {
  Sample sample;
  // What every writer sends, unless the value is zero: the two fields, in order, and no more.
  if (message.size() > 10 && message[0] == kSampleValueTag && message[9] == kSampleTimestampTag) {
    ProtobufCursor cursor(message.substr(10));
    std::memcpy(&sample.value, message.data() + 1, 8);
    sample.timestamp_ms = static_cast<Timestamp>(cursor.varint());
    if (cursor.done()) return sample;
    sample = Sample();
  }
  for (ProtobufCursor cursor(message); !cursor.done();) {
    const std::uint64_t tag = cursor.varint();
    if (tag == kSampleValueTag) {
      std::memcpy(&sample.value, cursor.take(8).data(), 8);
    } else if (tag == kSampleTimestampTag) {
      sample.timestamp_ms = static_cast<Timestamp>(cursor.varint());
    } else {
      cursor.skip(tag);
    }
  }
  return sample;
}

}  // namespace

std::string_view metadata_type_name(std::int32_t type) {
  switch (type) {
    case 1: return "counter";
    case 2: return "gauge";
    case 3: return "histogram";
    case 4: return "gaugehistogram";
    case 5: return "summary";
    case 6: return "info";
    case 7: return "stateset";
    default: return "unknown";
  }
}

namespace {

// One walk over one request.
class Walk {
 public:
  Walk(WriteBatch& out, std::deque<std::string>& gathered_keys, DecodeReport& report)
      : out_(out), gathered_keys_(gathered_keys), report_(report) {}

  Status request(std::string_view message) {
    for (ProtobufCursor cursor(message); !cursor.done();) {
      at_ = cursor.at;
      const std::uint64_t tag = cursor.varint();
      if (tag == kTimeSeriesTag) {
        VARVE_TRY(time_series(cursor.bytes()));
        ++series_seen_;
      } else if (tag == kMetadataTag) {
        VARVE_TRY(metadata(cursor.bytes()));
      } else {
        cursor.skip(tag);
      }
    }
    return {};
  }

  std::uint64_t series_seen() const { return series_seen_; }
  const char* at() const { return at_; }

 private:
  Status time_series(std::string_view message) {
    SeriesEntry entry;
    entry.samples_begin = static_cast<std::uint32_t>(out_.samples.size());
    entry.histograms_begin = static_cast<std::uint32_t>(out_.histograms.size());
    entry.exemplars_begin = static_cast<std::uint32_t>(out_.exemplars.size());
    key_begin_ = key_end_ = message.data();
    gathered_ = nullptr;
    for (ProtobufCursor cursor(message); !cursor.done();) {
      const char* const field = cursor.at;
      cursor.skip_short_fields(kLabelTag);
      if (cursor.at != field) {
        add_label(field, cursor.at);
        continue;
      }
      const std::uint64_t tag = cursor.varint();
      if (tag == kLabelTag) {
        cursor.bytes();
        add_label(field, cursor.at);
      } else if (tag == kSampleTag) {
        const std::string_view sample = cursor.bytes();
        VARVE_TRY(budget_.charge(sizeof(Sample)));
        out_.samples.push_back(decode_sample(sample));
      } else if (tag == kHistogramTag) {
        VARVE_TRY(budget_.charge(sizeof(std::string_view)));
        pending_histograms_.push_back(cursor.bytes());
      } else if (tag == kExemplarTag) {
        VARVE_TRY(exemplar(cursor.bytes()));
      } else {
        cursor.skip(tag);
      }
    }
    entry.key = gathered_ != nullptr
                    ? std::string_view(*gathered_)
                    : std::string_view(key_begin_, static_cast<std::size_t>(key_end_ - key_begin_));
    if (!pending_histograms_.empty()) VARVE_TRY(histograms(entry.key));
    return finish(entry);
  }

  // The key is one run of label fields, unless a writer mixes them with other fields.
  void add_label(const char* begin, const char* end) {
    if (gathered_ != nullptr) {
      gathered_->append(begin, end);
    } else if (key_end_ == begin) {
      key_end_ = end;
    } else if (key_end_ == key_begin_) {
      key_begin_ = begin;
      key_end_ = end;
    } else {
      gathered_ = &gathered_keys_.emplace_back(key_begin_, key_end_);
      gathered_->append(begin, end);
    }
  }

  Status finish(SeriesEntry& entry) {
    entry.samples_count = static_cast<std::uint32_t>(out_.samples.size()) - entry.samples_begin;
    entry.histograms_count =
        static_cast<std::uint32_t>(out_.histograms.size()) - entry.histograms_begin;
    entry.exemplars_count =
        static_cast<std::uint32_t>(out_.exemplars.size()) - entry.exemplars_begin;
    if (entry.samples_count + entry.histograms_count + entry.exemplars_count == 0) return {};
    if (entry.key.size() < kKeyMinBytes || entry.key.size() > kKeyMaxBytes) {
      out_.samples.resize(entry.samples_begin);
      out_.histograms.resize(entry.histograms_begin);
      out_.exemplars.resize(entry.exemplars_begin);
      ++report_.refused_series;
      if (report_.first_error.empty()) {
        auto labels = RemoteWriteKeyDecoder().decode(entry.key);
        VARVE_CHECK(!labels.ok());  // a key of these sizes is one that the decoder refuses
        report_.first_error = labels.error().message();
      }
      return {};
    }
    VARVE_TRY(budget_.charge(sizeof(SeriesEntry)));
    report_.samples_without_metadata += entry.samples_count + entry.histograms_count;
    out_.series.push_back(entry);
    return {};
  }

  Status histograms(std::string_view key) {
    for (const std::string_view message : pending_histograms_) {
      storage::HistogramSample sample;
      auto decoded = decode_native_histogram(message, budget_, sample);
      if (decoded.ok()) {
        out_.histograms.push_back(std::move(sample));
        continue;
      }
      if (decoded.error().code() == ErrorCode::kLimitExceeded) return decoded;
      ++report_.refused_histograms;
      if (report_.first_error.empty()) {
        auto labels = RemoteWriteKeyDecoder().decode(key);
        report_.first_error = fmt::format("{}: {}", labels.ok() ? labels->to_string() : "series",
                                          decoded.error().message());
      }
    }
    pending_histograms_.clear();
    return {};
  }

  Status exemplar(std::string_view message) {
    VARVE_TRY(budget_.charge(sizeof(storage::ExemplarSample) + message.size()));
    storage::ExemplarSample exemplar;
    labels_.clear();
    protozero::pbf_reader reader(message.data(), message.size());
    while (reader.next()) {
      switch (reader.tag_and_type()) {
        case tag_and_type(1, pbf_wire_type::length_delimited): {
          const auto view = reader.get_view();
          labels_.push_back(decode_label({view.data(), view.size()}));
          break;
        }
        case tag_and_type(2, pbf_wire_type::fixed64): exemplar.value = reader.get_double(); break;
        case tag_and_type(3, pbf_wire_type::varint):
          exemplar.timestamp_ms = reader.get_int64();
          break;
        default: reader.skip();
      }
    }
    auto labels = checked_labels(labels_, MetricNameRule::kNotNeeded);
    if (!labels.ok()) {
      ++report_.refused_exemplars;
      return {};
    }
    exemplar.labels = std::move(labels).value();
    out_.exemplars.push_back(std::move(exemplar));
    return {};
  }

  // Metadata is a help to people: what has no family or is no text is passed over.
  Status metadata(std::string_view message) {
    VARVE_TRY(budget_.charge(sizeof(storage::MetadataEntry) + message.size()));
    storage::MetadataEntry entry;
    entry.type = "unknown";
    protozero::pbf_reader reader(message.data(), message.size());
    while (reader.next()) {
      switch (reader.tag_and_type()) {
        case tag_and_type(1, pbf_wire_type::varint):
          entry.type = metadata_type_name(reader.get_enum());
          break;
        case tag_and_type(2, pbf_wire_type::length_delimited):
          entry.metric_family = reader.get_string();
          break;
        case tag_and_type(4, pbf_wire_type::length_delimited):
          entry.help = reader.get_string();
          break;
        case tag_and_type(5, pbf_wire_type::length_delimited):
          entry.unit = reader.get_string();
          break;
        default: reader.skip();
      }
    }
    if (!entry.metric_family.empty() && is_utf8(entry.metric_family) && is_utf8(entry.help) &&
        is_utf8(entry.unit)) {
      out_.metadata.push_back(std::move(entry));
    }
    return {};
  }

  WriteBatch& out_;
  std::deque<std::string>& gathered_keys_;
  DecodeReport& report_;
  BatchBudget budget_;
  std::uint64_t series_seen_ = 0;
  const char* at_ = nullptr;
  const char* key_begin_ = nullptr;
  const char* key_end_ = nullptr;
  std::string* gathered_ = nullptr;
  std::vector<std::string_view> pending_histograms_;  // of this series: an error names all labels
  std::vector<LabelView> labels_;
};

}  // namespace

Result<Labels> decode_key(std::string_view key, ErrorCode broken) {
  if (key.size() > kKeyMaxBytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the labels of a series take {} bytes, the limit is {}", key.size(),
                             kKeyMaxBytes));
  }
  std::vector<LabelView> labels;
  labels.reserve(16);  // as few series have more of
  try {
    for (ProtobufCursor cursor(key); !cursor.done();) {
      const std::uint64_t tag = cursor.varint();
      if (tag != kLabelTag) {
        return Error(broken, "remote write: a series key holds another field");
      }
      labels.push_back(decode_label(cursor.bytes()));
    }
  } catch (const protozero::exception& exception) {
    return Error(broken, fmt::format("remote write: broken protobuf in the labels of a series: {}",
                                     exception.what()));
  }
  return checked_labels(labels, MetricNameRule::kRequired);
}

Result<Labels> RemoteWriteKeyDecoder::decode(std::string_view key) const {
  return decode_key(key, ErrorCode::kInvalidArgument);
}

Result<DecodeReport> WriteRequestDecoder::decode(std::string_view protobuf, WriteBatch& out) {
  static const RemoteWriteKeyDecoder key_decoder;
  out.clear();
  out.key_space = kRemoteWrite1KeySpace;
  out.decoder = &key_decoder;
  gathered_keys_.clear();
  DecodeReport report;
  Walk walk(out, gathered_keys_, report);
  try {
    VARVE_TRY(walk.request(protobuf));
  } catch (const protozero::exception& broken) {
    out.clear();
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("remote write: broken protobuf in the field at byte {}, after {} time "
                             "series: {}",
                             walk.at() - protobuf.data(), walk.series_seen(), broken.what()));
  }
  return report;
}

}  // namespace varve::wire
