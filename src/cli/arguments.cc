// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <fmt/format.h>

#include "base/nearest.h"

namespace varve::cli {
namespace {

const FlagSpec* find(std::span<const FlagSpec> flags, std::string_view name) {
  for (const FlagSpec& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

Error unknown(std::string_view name, std::span<const FlagSpec> flags) {
  std::vector<std::string_view> names;
  for (const FlagSpec& flag : flags) names.push_back(flag.name);
  const std::string_view nearest = base::nearest(name, names);
  return {ErrorCode::kInvalidArgument,
          fmt::format("unknown long flag '--{}'{}", name,
                      nearest.empty() ? "" : fmt::format(", did you mean --{}?", nearest))};
}

}  // namespace

Result<Arguments> Arguments::parse(std::span<const std::string> words,
                                   std::span<const FlagSpec> flags) {
  Arguments out;
  bool flags_end = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (flags_end || word.size() < 2 || word[0] != '-') {
      out.positional_.emplace_back(word);
      continue;
    }
    if (word == "--") {
      flags_end = true;
      continue;
    }
    const FlagSpec* flag = nullptr;
    std::string_view rest;  // the value, if it stands in the same word
    bool has_rest = false, negated = false;
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      std::string_view name =
          word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
      has_rest = equals != std::string_view::npos;
      if (has_rest) rest = word.substr(equals + 1);
      flag = find(flags, name);
      if (flag == nullptr && name.starts_with("no-")) {
        flag = find(flags, name.substr(3));
        negated = flag != nullptr && !flag->takes_value;
        if (!negated) flag = nullptr;
      }
      if (flag == nullptr) return unknown(name, flags);
    } else {
      for (const FlagSpec& candidate : flags) {
        if (candidate.letter == word[1]) flag = &candidate;
      }
      if (flag == nullptr) {
        return Error(ErrorCode::kInvalidArgument, fmt::format("unknown short flag '{}'", word));
      }
      has_rest = word.size() > 2;
      rest = word.substr(2);
    }
    auto& values = out.values_[std::string(flag->name)];
    if (!flag->takes_value) {
      values.emplace_back(negated || (has_rest && rest == "false") ? "false" : "true");
    } else if (has_rest) {
      values.emplace_back(rest);
    } else if (i + 1 < words.size()) {
      values.push_back(words[++i]);
    } else {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("expected argument for flag '--{}'", flag->name));
    }
  }
  return out;
}

std::string Arguments::text(std::string_view flag, std::string_view fallback) const {
  const auto at = values_.find(flag);
  return at == values_.end() ? std::string(fallback) : at->second.back();
}

std::vector<std::string> Arguments::all(std::string_view flag) const {
  const auto at = values_.find(flag);
  return at == values_.end() ? std::vector<std::string>() : at->second;
}

}  // namespace varve::cli
