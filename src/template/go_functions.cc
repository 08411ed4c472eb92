// SPDX-License-Identifier: Apache-2.0
// The functions that Go's text/template brings, but for comparisons.
#include <fmt/format.h>

#include <optional>

#include "base/percent_encode.h"
#include "base/try.h"
#include "template/escape.h"
#include "template/format.h"
#include "template/functions.h"

namespace varve::templates {
namespace {

Error failure(std::string message) { return {ErrorCode::kExecution, std::move(message)}; }

std::optional<std::size_t> length_of(const Value& value) {
  switch (kind_of(value.type)) {
    case Kind::kString:
      return value.text().size();
    case Kind::kSlice:
      return value.samples().size();
    case Kind::kMap:
      return value.type == Type::kLabels ? value.labels().size() : value.map().size();
    default:
      return std::nullopt;
  }
}

Result<Value> length(const CallContext&, Arguments arguments) {
  const Value& item = arguments[0];
  if (item.type == Type::kNil) return failure("len of nil pointer");
  const auto size = length_of(item);
  if (!size) {
    // Go calls a method of the type that nothing has; its panic is the message.
    if (!item.concrete()) return failure("reflect: call of reflect.Value.Type on zero Value");
    return failure(fmt::format("len of type {}", type_name(dereferenced(item).type)));
  }
  return Value::integer(static_cast<std::int64_t>(*size));
}

// An index into a string or list of which `size` is a valid one too.
Result<std::size_t> index_of(const Value& value, std::size_t size) {
  std::int64_t index = 0;
  switch (kind_of(value.type)) {
    case Kind::kInteger:
      index = value.integer();
      break;
    case Kind::kUnsigned:
      index = static_cast<std::int64_t>(value.natural());
      break;
    case Kind::kInvalid:
    case Kind::kInterface:
      return failure("cannot index slice/array with nil");
    default:
      return failure(fmt::format("cannot index slice/array with type {}", type_name(value.type)));
  }
  if (index < 0 || static_cast<std::uint64_t>(index) > size) {
    return failure(fmt::format("index out of range: {}", index));
  }
  return static_cast<std::size_t>(index);
}

Result<Value> index_map(const Value& map, const Value& key) {
  if (!key.concrete()) return failure("value is nil; should be of type string");
  if (key.type != Type::kString) {
    return failure(fmt::format("value has type {}; should be string", type_name(key.type)));
  }
  if (map.type == Type::kLabels) {
    const auto at = map.labels().find(key.text());
    return Value::of(at == map.labels().end() ? std::string() : at->second);
  }
  const auto at = map.map().find(key.text());
  return at == map.map().end() ? Value::nil() : at->second;
}

Result<Value> index(const CallContext&, Arguments arguments) {
  Value item = arguments[0];
  if (!item.concrete()) return failure("index of untyped nil");
  for (const Value& key : arguments.subspan(1)) {
    if (item.type == Type::kNil) return failure("index of nil pointer");
    item = dereferenced(item);
    switch (kind_of(item.type)) {
      case Kind::kString:
      case Kind::kSlice: {
        const std::size_t size = *length_of(item);
        VARVE_TRY_ASSIGN(const std::size_t at, index_of(key, size));
        if (at == size) {
          return failure(kind_of(item.type) == Kind::kString ? "reflect: string index out of range"
                                                             : "reflect: slice index out of range");
        }
        item =
            item.type == Type::kSamples
                ? Value::of(item.samples()[at])
                : Value{Type::kUint8, std::uint64_t{static_cast<unsigned char>(item.text()[at])}};
        break;
      }
      case Kind::kMap: {
        VARVE_TRY_ASSIGN(item, index_map(item, key));
        break;
      }
      default:
        return failure(fmt::format("can't index item of type {}", item.type == Type::kSample
                                                                      ? "template.sample"
                                                                      : type_name(item.type)));
    }
  }
  return item;
}

Result<Value> slice(const CallContext&, Arguments arguments) {
  const Value& item = arguments[0];
  const Arguments bounds = arguments.subspan(1);
  if (!item.concrete()) return failure("slice of untyped nil");
  if (bounds.size() > 3) return failure(fmt::format("too many slice indexes: {}", bounds.size()));
  const Kind kind = kind_of(item.type);
  if (kind == Kind::kString && bounds.size() == 3) return failure("cannot 3-index slice a string");
  if (kind != Kind::kString && kind != Kind::kSlice) {
    return failure(fmt::format("can't slice item of type {}", type_name(dereferenced(item).type)));
  }
  const std::size_t size = *length_of(item);
  std::size_t at[3] = {0, size, size};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    VARVE_TRY_ASSIGN(at[i], index_of(bounds[i], size));
  }
  for (std::size_t i = 0; i + 1 < (bounds.size() == 3 ? 3 : 2); ++i) {
    if (at[i] > at[i + 1]) {
      return failure(fmt::format("invalid slice index: {} > {}", at[i], at[i + 1]));
    }
  }
  if (kind == Kind::kString) {
    return Value::of(item.text().substr(at[0], at[1] - at[0]), item.type);
  }
  const auto begin = item.samples().begin();
  return Value::of(Samples(begin + static_cast<std::ptrdiff_t>(at[0]),
                           begin + static_cast<std::ptrdiff_t>(at[1])));
}

Result<Value> negation(const CallContext&, Arguments arguments) {
  return Value::of(!is_true(arguments[0]));
}

Result<Value> print(const CallContext&, Arguments arguments) {
  return Value::of(sprint(arguments));
}

Result<Value> println(const CallContext&, Arguments arguments) {
  return Value::of(sprintln(arguments));
}

Result<Value> printf(const CallContext& context, Arguments arguments) {
  return Value::of(
      sprintf(arguments[0].text(), arguments.subspan(1), context.budget.limits().output_max_bytes));
}

// html, js and urlquery take the text that an action would print.
std::string text_of(Arguments arguments) {
  if (arguments.size() == 1 && arguments[0].type == Type::kString) return arguments[0].text();
  std::vector<Value> values;
  for (const Value& argument : arguments) values.push_back(printable(argument));
  return sprint(values);
}

Result<Value> html(const CallContext&, Arguments arguments) {
  return Value::of(escape_html(text_of(arguments)));
}

Result<Value> js(const CallContext&, Arguments arguments) {
  return Value::of(escape_js(text_of(arguments)));
}

Result<Value> urlquery(const CallContext&, Arguments arguments) {
  return Value::of(base::query_escape(text_of(arguments)));
}

// No value a template can get is a function.
Result<Value> call(const CallContext&, Arguments arguments) {
  if (!arguments[0].concrete()) return failure("call of nil");
  return failure(fmt::format("non-function {} of type {}", to_text(arguments[0]),
                             type_name(arguments[0].type)));
}

}  // namespace

std::span<const Function> go_functions() {
  constexpr auto kAny = Type::kAny;
  constexpr auto kReflect = Type::kReflect;
  static const std::vector<Function> functions = {
      {"and", {kReflect, kReflect}, true, {}},
      {"or", {kReflect, kReflect}, true, {}},
      {"not", {kReflect}, false, negation},
      {"call", {kReflect, kReflect}, true, call},
      {"len", {kReflect}, false, length},
      {"index", {kReflect, kReflect}, true, index},
      {"slice", {kReflect, kReflect}, true, slice},
      {"print", {kAny}, true, print},
      {"println", {kAny}, true, println},
      {"printf", {Type::kString, kAny}, true, printf},
      {"html", {kAny}, true, html},
      {"js", {kAny}, true, js},
      {"urlquery", {kAny}, true, urlquery},
  };
  return functions;
}

}  // namespace varve::templates
