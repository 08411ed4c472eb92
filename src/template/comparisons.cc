// SPDX-License-Identifier: Apache-2.0
// eq, ne, lt, le, gt, ge: between values of one kind; only integers of both signs mix.
#include <fmt/format.h>

#include "base/try.h"
#include "template/format.h"
#include "template/functions.h"

namespace varve::templates {
namespace {

Error failure(std::string message) { return {ErrorCode::kExecution, std::move(message)}; }

bool basic(Kind kind) {
  return kind == Kind::kBool || kind == Kind::kInteger || kind == Kind::kUnsigned ||
         kind == Kind::kFloat || kind == Kind::kString;
}

Error incompatible(const Value& a, const Value& b) {
  return failure(fmt::format("incompatible types for comparison: {} and {}", type_name(a.type),
                             type_name(b.type)));
}

bool is_nil(const Value& value) {
  return !value.concrete() || (value.type == Type::kSample && value.sample() == nullptr);
}

// Two values that are not of basic kinds.
Result<bool> equal_others(const Value& a, const Value& b) {
  const Kind kind_a = kind_of(a.type), kind_b = kind_of(b.type);
  if (kind_a != kind_b && a.concrete() && b.concrete()) {
    return failure(fmt::format("non-comparable types {}: {}, {}: {}", to_text(a), type_name(a.type),
                               type_name(b.type), to_text(b)));
  }
  if (is_nil(a) || is_nil(b)) return is_nil(a) == is_nil(b);
  if (kind_b == Kind::kMap || kind_b == Kind::kSlice) {
    return failure(fmt::format("non-comparable type {}: {}", to_text(b), type_name(b.type)));
  }
  return a.type == b.type && a.payload == b.payload;
}

Result<bool> equal(const Value& a, const Value& b) {
  const Kind kind_a = kind_of(a.type), kind_b = kind_of(b.type);
  if (kind_a == Kind::kInteger && kind_b == Kind::kUnsigned) {
    return a.integer() >= 0 && static_cast<std::uint64_t>(a.integer()) == b.natural();
  }
  if (kind_a == Kind::kUnsigned && kind_b == Kind::kInteger) return equal(b, a);
  if (!basic(kind_a) && !basic(kind_b)) return equal_others(a, b);
  if (kind_a != kind_b) {
    // Something compares with nothing, as different.
    if (a.concrete() && b.concrete()) return incompatible(a, b);
    return false;
  }
  switch (kind_a) {
    case Kind::kBool:
      return a.truth() == b.truth();
    case Kind::kInteger:
      return a.integer() == b.integer();
    case Kind::kUnsigned:
      return a.natural() == b.natural();
    case Kind::kFloat:
      return a.number() == b.number();
    default:
      return a.text() == b.text();
  }
}

Result<bool> less(const Value& a, const Value& b) {
  const Kind kind_a = kind_of(a.type), kind_b = kind_of(b.type);
  if (!basic(kind_a) || !basic(kind_b)) return failure("invalid type for comparison");
  if (kind_a == Kind::kInteger && kind_b == Kind::kUnsigned) {
    return a.integer() < 0 || static_cast<std::uint64_t>(a.integer()) < b.natural();
  }
  if (kind_a == Kind::kUnsigned && kind_b == Kind::kInteger) {
    return b.integer() >= 0 && a.natural() < static_cast<std::uint64_t>(b.integer());
  }
  if (kind_a != kind_b) return incompatible(a, b);
  switch (kind_a) {
    case Kind::kBool:
      return failure("invalid type for comparison");
    case Kind::kInteger:
      return a.integer() < b.integer();
    case Kind::kUnsigned:
      return a.natural() < b.natural();
    case Kind::kFloat:
      return a.number() < b.number();
    default:
      return a.text() < b.text();
  }
}

Result<bool> less_or_equal(const Value& a, const Value& b) {
  VARVE_TRY_ASSIGN(const bool is_less, less(a, b));
  if (is_less) return true;
  return equal(a, b);
}

Result<Value> eq(const CallContext&, Arguments arguments) {
  if (arguments.size() < 2) return failure("missing argument for comparison");
  for (const Value& other : arguments.subspan(1)) {
    VARVE_TRY_ASSIGN(const bool same, equal(arguments[0], other));
    if (same) return Value::of(true);
  }
  return Value::of(false);
}

Result<Value> ne(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const bool same, equal(arguments[0], arguments[1]));
  return Value::of(!same);
}

Result<Value> lt(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const bool is_less, less(arguments[0], arguments[1]));
  return Value::of(is_less);
}

Result<Value> le(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const bool not_greater, less_or_equal(arguments[0], arguments[1]));
  return Value::of(not_greater);
}

// The inverses, also for NaN.
Result<Value> gt(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const bool not_greater, less_or_equal(arguments[0], arguments[1]));
  return Value::of(!not_greater);
}

Result<Value> ge(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const bool is_less, less(arguments[0], arguments[1]));
  return Value::of(!is_less);
}

}  // namespace

std::span<const Function> comparison_functions() {
  constexpr auto kReflect = Type::kReflect;
  static const std::vector<Function> functions = {
      {"eq", {kReflect, kReflect}, true, eq},  {"ne", {kReflect, kReflect}, false, ne},
      {"lt", {kReflect, kReflect}, false, lt}, {"le", {kReflect, kReflect}, false, le},
      {"gt", {kReflect, kReflect}, false, gt}, {"ge", {kReflect, kReflect}, false, ge},
  };
  return functions;
}

}  // namespace varve::templates
