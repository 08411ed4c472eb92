// SPDX-License-Identifier: Apache-2.0
// `storage`: how long what is kept, and how old samples are thinned out.
#pragma once

#include <chrono>
#include <span>
#include <string_view>

#include "config/config.h"
#include "config/yaml_reader.h"

namespace varve::config {

// A ladder that has a name.
struct LadderPreset {
  std::string_view name;  // how long raw and each level is kept
  std::chrono::milliseconds raw_retention;
  struct Level {
    std::chrono::milliseconds resolution, retention;
  };
  Level levels[2];
};
std::span<const LadderPreset> ladder_presets();

// `raw` is how long samples are kept where the file does not say. Errors say what to write instead.
Status read_storage(const Source& source, const Node& node, const RawRetention& raw,
                    StorageConfig& out);

}  // namespace varve::config
