// SPDX-License-Identifier: Apache-2.0
// What a parser of expositions reads, as text.
#pragma once

#include <string>
#include <vector>

#include "model/histogram.h"
#include "wire/exposition.h"

namespace varve::wire::testing {

// One line an entry, the last one the error if there is one: "TYPE family text",
// "<series> <value> [@ts] [since ts] [created] [# labels value @ts]".
template <typename Parser>
std::vector<std::string> lines_of(Parser& parser) {
  std::vector<std::string> out;
  for (;;) {
    const auto entry = parser.next();
    if (!entry.ok()) {
      out.push_back("error: " + entry.error().message());
      return out;
    }
    const auto metadata = [&](const char* what) {
      out.push_back(std::string(what) + ' ' + std::string(parser.metadata().metric_family) + ' ' +
                    std::string(parser.metadata().text));
    };
    switch (*entry) {
      case ExpositionEntry::kEnd: return out;
      case ExpositionEntry::kType: metadata("TYPE"); break;
      case ExpositionEntry::kHelp: metadata("HELP"); break;
      case ExpositionEntry::kUnit: metadata("UNIT"); break;
      case ExpositionEntry::kSample: {
        const ExpositionSample& sample = parser.sample();
        std::string line = std::string(sample.series) + ' ';
        line += sample.histogram != nullptr ? model::to_test_expression(*sample.histogram)
                                            : std::to_string(sample.value);
        if (sample.timestamp_ms) line += " @" + std::to_string(*sample.timestamp_ms);
        if (sample.start_ms) line += " since " + std::to_string(*sample.start_ms);
        if (sample.created) line += " created";
        for (const ExpositionExemplar& exemplar : sample.exemplars) {
          line += " # " + std::string(exemplar.labels_text) + ' ' + std::to_string(exemplar.value);
          if (exemplar.timestamp_ms) line += " @" + std::to_string(*exemplar.timestamp_ms);
        }
        out.push_back(line);
      }
    }
  }
}

}  // namespace varve::wire::testing
