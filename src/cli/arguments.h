// SPDX-License-Identifier: Apache-2.0
// A command's arguments, in the way of Go's kingpin: flags before, between and after the others,
// `--flag=value` or `--flag value`, `--no-flag` for switches, everything after `--` is no flag.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "varve/result.h"

namespace varve::cli {

struct FlagSpec {
  std::string_view name;
  bool takes_value = true;
  char letter = '\0';  // `-o` for short
};

class Arguments {
 public:
  // kInvalidArgument names the flag that is unknown or lacks its value.
  static Result<Arguments> parse(std::span<const std::string> words,
                                 std::span<const FlagSpec> flags);

  const std::vector<std::string>& positional() const { return positional_; }
  // The last value given.
  std::string text(std::string_view flag, std::string_view fallback = {}) const;
  // All of them, in order.
  std::vector<std::string> all(std::string_view flag) const;
  bool given(std::string_view flag) const { return values_.contains(flag); }
  bool on(std::string_view flag) const { return text(flag) == "true"; }

 private:
  std::vector<std::string> positional_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace varve::cli
