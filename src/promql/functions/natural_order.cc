// SPDX-License-Identifier: Apache-2.0
// Natural order, chunk by chunk: digits or other characters.
#include "promql/functions/natural_order.h"

#include <algorithm>

namespace varve::promql::function_impls {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes the run of digits or of other characters off the front.
std::string_view take_chunk(std::string_view& text) {
  const bool digits = is_digit(text[0]);
  const auto end = std::find_if(text.begin(), text.end(),
                                [digits](char c) { return is_digit(c) != digits; });
  const std::string_view chunk = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(chunk.size());
  return chunk;
}

std::string_view without_leading_zeros(std::string_view digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view() : digits.substr(first);
}

std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  const std::string_view a_digits = without_leading_zeros(a);
  const std::string_view b_digits = without_leading_zeros(b);
  if (a_digits.size() != b_digits.size()) return a_digits.size() <=> b_digits.size();
  return a_digits.compare(b_digits) <=> 0;
}

}  // namespace

std::strong_ordering natural_order(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const bool numbers = is_digit(a[0]) && is_digit(b[0]);
    const std::string_view a_chunk = take_chunk(a);
    const std::string_view b_chunk = take_chunk(b);
    const std::strong_ordering order =
        numbers ? compare_numbers(a_chunk, b_chunk) : a_chunk.compare(b_chunk) <=> 0;
    if (order != 0) return order;
  }
  return a.size() <=> b.size();
}

}  // namespace varve::promql::function_impls
