// SPDX-License-Identifier: Apache-2.0
// Values as text, the way Go's fmt prints them: print, println, printf.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "template/functions.h"
#include "template/value.h"

namespace varve::templates {

// %v.
std::string to_text(const Value& value);
// fmt.Sprint: a space between operands of which neither is a string.
std::string sprint(Arguments values);
std::string sprintln(Arguments values);
// Stops growing soon after `size_max` bytes; the caller refuses what is longer.
std::string sprintf(std::string_view format, Arguments values, std::size_t size_max);

// What an action prints: pointers are followed, and nothing is "<no value>".
std::string printed(const Value& value);
// Prepares an argument of html, js and urlquery in the same way.
Value printable(const Value& value);

}  // namespace varve::templates
