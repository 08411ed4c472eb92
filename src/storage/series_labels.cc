// SPDX-License-Identifier: Apache-2.0
#include "storage/series_labels.h"

#include <fmt/format.h>

#include "model/relabel.h"

namespace varve::storage {

Status check_series_labels(const Labels& labels) {
  if (labels.empty()) return Error(ErrorCode::kInvalidArgument, "empty labelset: invalid sample");
  if (labels.bytes().size() > kSeriesLabelsBytesMax) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the labels of a series take {} bytes, the limit is {}",
                             labels.bytes().size(), kSeriesLabelsBytesMax));
  }
  for (const LabelView& label : labels) {
    if (label.name.empty() || !model::valid_utf8(label.name)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("invalid label name: {:?}", label.name));
    }
    if (!model::valid_utf8(label.value)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("invalid label value: {:?} of label {}", label.value, label.name));
    }
  }
  return {};
}

}  // namespace varve::storage
