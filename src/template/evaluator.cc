// SPDX-License-Identifier: Apache-2.0
#include "template/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/try.h"
#include "template/format.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

// Parentheses and blocks within blocks, over all templates that are being executed.
constexpr std::size_t kStackDepthMax = 2000;

enum class Flow : std::uint8_t { kNext, kBreak, kContinue };

class Evaluator {
 public:
  Evaluator(const Definitions& definitions, const std::string& name, std::string_view text,
            const Environment& environment)
      : definitions_(definitions),
        main_name_(name),
        text_(text),
        environment_(environment),
        budget_(environment.limits),
        current_template_(&name) {}

  Result<std::string> run(const Value& data) {
    const Node& root = *definitions_.at(main_name_);
    variables_.emplace_back("$", data);
    VARVE_TRY(walk(data, root));
    return std::move(out_);
  }

 private:
  // A value that comes from the stage of the pipeline before; nullptr where there is none.
  using Piped = const Value*;

  // An error at the node that was last begun.
  Error fail(std::string_view message, ErrorCode code = ErrorCode::kExecution) const {
    const std::size_t position = std::min(at_->position, text_.size());
    const std::string_view before = text_.substr(0, position);
    const std::size_t newline = before.rfind('\n');
    const std::size_t column =
        newline == std::string_view::npos ? position : position - newline - 1;
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return {code, fmt::format("template: {}:{}:{}: executing {} at <{}>: {}", main_name_, line,
                              column, quote(*current_template_), to_string(*at_), message)};
  }
  Status located(Status status) const {
    if (status.ok()) return status;
    return fail(status.error().message(), status.error().code());
  }

  struct Deeper {
    explicit Deeper(std::size_t& depth) : depth_(depth) { ++depth_; }
    ~Deeper() { --depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    std::size_t& depth_;
  };
  Status enter() {
    VARVE_TRY(located(budget_.step()));
    if (stack_depth_ <= kStackDepthMax) return {};
    return fail("template nests too deep", ErrorCode::kLimitExceeded);
  }

  // Variables: a stack that blocks cut back to where it was.
  Result<Value> variable(const std::string& name) const {
    for (auto at = variables_.rbegin(); at != variables_.rend(); ++at) {
      if (at->first == name) return at->second;
    }
    return fail("undefined variable: " + name);
  }
  Status assign(const std::string& name, const Value& value) {
    for (auto at = variables_.rbegin(); at != variables_.rend(); ++at) {
      if (at->first != name) continue;
      at->second = value;
      return {};
    }
    return fail("undefined variable: " + name);
  }
  void cut_variables(std::size_t size) {
    variables_.erase(variables_.begin() + static_cast<std::ptrdiff_t>(size), variables_.end());
  }

  Status write(std::string_view text) {
    if (out_.size() + text.size() > environment_.limits.output_max_bytes) {
      return fail(fmt::format("template makes more than {} bytes of text",
                              environment_.limits.output_max_bytes),
                  ErrorCode::kLimitExceeded);
    }
    out_ += text;
    return {};
  }

  Result<Flow> walk(const Value& dot, const Node& node) {
    const Deeper deeper(stack_depth_);
    at_ = &node;
    VARVE_TRY(enter());
    switch (node.kind) {
      case NodeKind::kText:
        VARVE_TRY(write(node.text));
        return Flow::kNext;
      case NodeKind::kAction: {
        VARVE_TRY_ASSIGN(const Value value, pipeline(dot, *node.pipe));
        if (!node.pipe->declared.empty()) return Flow::kNext;
        at_ = &node;
        VARVE_TRY(write(printed(value)));
        return Flow::kNext;
      }
      case NodeKind::kList:
        for (const NodePtr& item : node.items) {
          VARVE_TRY_ASSIGN(const Flow flow, walk(dot, *item));
          if (flow != Flow::kNext) return flow;
        }
        return Flow::kNext;
      case NodeKind::kIf:
      case NodeKind::kWith:
        return walk_condition(dot, node);
      case NodeKind::kRange:
        return walk_range(dot, node);
      case NodeKind::kTemplate:
        return walk_template(dot, node);
      case NodeKind::kBreak:
        return Flow::kBreak;
      case NodeKind::kContinue:
        return Flow::kContinue;
      default:
        return fail("unknown node: " + to_string(node));
    }
  }

  Result<Flow> walk_condition(const Value& dot, const Node& node) {
    const std::size_t mark = variables_.size();
    VARVE_TRY_ASSIGN(const Value value, pipeline(dot, *node.pipe));
    Flow flow = Flow::kNext;
    if (is_true(value)) {
      VARVE_TRY_ASSIGN(flow, walk(node.kind == NodeKind::kWith ? value : dot, *node.body));
    } else if (node.otherwise) {
      VARVE_TRY_ASSIGN(flow, walk(dot, *node.otherwise));
    }
    cut_variables(mark);
    return flow;
  }

  Result<Flow> walk_range(const Value& dot, const Node& node) {
    const std::size_t outer = variables_.size();
    VARVE_TRY_ASSIGN(const Value whole, pipeline(dot, *node.pipe));
    const Value value = dereferenced(whole);
    const std::size_t mark = variables_.size();
    bool ran = false;
    const auto iterate = [&](const Value& index, const Value& element) -> Result<bool> {
      ran = true;
      VARVE_TRY(bind_range_variables(*node.pipe, index, element));
      VARVE_TRY_ASSIGN(const Flow flow, walk(element, *node.body));
      cut_variables(mark);
      return flow != Flow::kBreak;
    };
    VARVE_TRY(iterate_over(value, whole, node, iterate));
    if (!ran && node.otherwise) {
      // As in Go, a break here only ends this range, a continue is for the one around it.
      VARVE_TRY_ASSIGN(const Flow flow, walk(dot, *node.otherwise));
      cut_variables(outer);
      return flow == Flow::kBreak ? Flow::kNext : flow;
    }
    cut_variables(outer);
    return Flow::kNext;
  }

  Status bind_range_variables(const Node& pipe, const Value& index, const Value& element) {
    const std::size_t count = pipe.declared.size();
    if (count == 0) return {};
    if (pipe.assigns) {
      VARVE_TRY(assign(pipe.declared[0]->names[0], count > 1 ? index : element));
      if (count > 1) VARVE_TRY(assign(pipe.declared[1]->names[0], element));
      return {};
    }
    variables_.back().second = element;
    if (count > 1) variables_[variables_.size() - 2].second = index;
    return {};
  }

  // Calls `iterate` for each element until it answers false.
  template <typename Iterate>
  Status iterate_over(const Value& value, const Value& whole, const Node& node,
                      const Iterate& iterate) {
    const auto go = [&](const Value& index, const Value& element) {
      return iterate(index, element);
    };
    switch (kind_of(value.type)) {
      case Kind::kInvalid:
        return {};
      case Kind::kInteger:
      case Kind::kUnsigned: {
        if (node.pipe->declared.size() > 1) {
          return fail(
              fmt::format("can't use {} to iterate over more than one variable", to_text(value)));
        }
        const bool is_unsigned = kind_of(value.type) == Kind::kUnsigned;
        const std::uint64_t end =
            is_unsigned ? value.natural()
                        : static_cast<std::uint64_t>(std::max<std::int64_t>(value.integer(), 0));
        for (std::uint64_t i = 0; i < end; ++i) {
          const Value element = is_unsigned
                                    ? Value{value.type, i}
                                    : Value::integer(static_cast<std::int64_t>(i), value.type);
          VARVE_TRY_ASSIGN(const bool more, go(Value::none(), element));
          if (!more) break;
        }
        return {};
      }
      case Kind::kSlice:
        for (std::size_t i = 0; i < value.samples().size(); ++i) {
          VARVE_TRY_ASSIGN(const bool more, go(Value::integer(static_cast<std::int64_t>(i)),
                                               Value::of(value.samples()[i])));
          if (!more) break;
        }
        return {};
      case Kind::kMap:
        if (value.type == Type::kLabels) {
          for (const auto& [key, label] : value.labels()) {
            VARVE_TRY_ASSIGN(const bool more, go(Value::of(key), Value::of(label)));
            if (!more) break;
          }
        } else {
          for (const auto& [key, element] : value.map()) {
            VARVE_TRY_ASSIGN(const bool more, go(Value::of(key), element));
            if (!more) break;
          }
        }
        return {};
      default:
        break;
    }
    if (!whole.concrete()) return {};
    return fail("range can't iterate over " + printed(whole));
  }

  Result<Flow> walk_template(const Value& dot, const Node& node) {
    const auto found = definitions_.find(node.text);
    if (found == definitions_.end()) {
      return fail(fmt::format("template {} not defined", quote(node.text)));
    }
    if (invocation_depth_ == kInvocationDepthMax) {
      return fail(fmt::format("exceeded maximum template depth ({})", kInvocationDepthMax),
                  ErrorCode::kLimitExceeded);
    }
    Value data;
    if (node.pipe) {
      VARVE_TRY_ASSIGN(data, pipeline(dot, *node.pipe));
    }
    // An invoked template sees no variables but its own `$`.
    auto outer_variables = std::exchange(variables_, {{"$", data}});
    const std::string* outer_template = std::exchange(current_template_, &found->first);
    ++invocation_depth_;
    Result<Flow> flow = walk(data, *found->second);
    if (!flow.ok()) return flow;
    --invocation_depth_;
    current_template_ = outer_template;
    variables_ = std::move(outer_variables);
    return Flow::kNext;
  }

  Result<Value> pipeline(const Value& dot, const Node& pipe) {
    const Deeper deeper(stack_depth_);
    at_ = &pipe;
    VARVE_TRY(enter());
    Value value;
    bool first = true;
    for (const NodePtr& item : pipe.items) {
      VARVE_TRY_ASSIGN(Value next, command(dot, *item, first ? nullptr : &value));
      value = next.type == Type::kNil ? Value::none() : std::move(next);
      first = false;
    }
    for (const NodePtr& declared : pipe.declared) {
      if (pipe.assigns) {
        VARVE_TRY(assign(declared->names[0], value));
      } else {
        variables_.emplace_back(declared->names[0], value);
      }
    }
    return value;
  }

  using Operands = std::span<const NodePtr>;

  Status not_a_function(const Node& node, Operands operands, Piped piped) const {
    if (operands.size() <= 1 && piped == nullptr) return {};
    return fail("can't give argument to non-function " + to_string(node));
  }

  // A function or operand with what stands after it.
  Result<Value> command(const Value& dot, const Node& node, Piped piped) {
    const Node& first = *node.items[0];
    const Operands operands = node.items;
    switch (first.kind) {
      case NodeKind::kField:
        return field(dot, first, operands, piped);
      case NodeKind::kChain:
        return chain(dot, first, operands, piped);
      case NodeKind::kIdentifier:
        return function(dot, first, node, operands, piped);
      case NodeKind::kPipe:
        VARVE_TRY(not_a_function(first, operands, piped));
        return pipeline(dot, first);
      case NodeKind::kVariable:
        return variable_and_fields(dot, first, operands, piped);
      default:
        break;
    }
    at_ = &first;
    VARVE_TRY(not_a_function(first, operands, piped));
    switch (first.kind) {
      case NodeKind::kBool:
        return Value::of(first.truth);
      case NodeKind::kDot:
        return dot;
      case NodeKind::kNil:
        return fail("nil is not a command");
      case NodeKind::kNumber:
        return constant(first);
      case NodeKind::kString:
        return Value::of(first.text);
      default:
        return fail("can't evaluate command " + quote(to_string(first)));
    }
  }

  // A number where no type is asked for.
  Result<Value> constant(const Node& node) {
    at_ = &node;
    const Number& number = node.number;
    const bool hexadecimal = node.written.size() > 2 && node.written[0] == '0' &&
                             (node.written[1] == 'x' || node.written[1] == 'X') &&
                             node.written.find_first_of("pP") == std::string::npos;
    if (number.is_float && !hexadecimal && node.written[0] != '\'' &&
        node.written.find_first_of(".eEpP") != std::string::npos) {
      return Value::of(number.value);
    }
    if (number.is_integer) return Value::integer(number.integer);
    return fail(node.written + " overflows int");
  }

  Result<Value> field(const Value& dot, const Node& node, Operands operands, Piped piped) {
    at_ = &node;
    return fields(dot, dot, node, node.names, operands, piped);
  }

  Result<Value> variable_and_fields(const Value& dot, const Node& node, Operands operands,
                                    Piped piped) {
    at_ = &node;
    VARVE_TRY_ASSIGN(const Value value, variable(node.names[0]));
    if (node.names.size() == 1) {
      VARVE_TRY(not_a_function(node, operands, piped));
      return value;
    }
    return fields(dot, value, node, std::span(node.names).subspan(1), operands, piped);
  }

  Result<Value> chain(const Value& dot, const Node& node, Operands operands, Piped piped) {
    at_ = &node;
    if (node.items[0]->kind == NodeKind::kNil) {
      return fail("indirection through explicit nil in " + to_string(node));
    }
    // (pipeline).Field, or a function's result.
    const Node& inner = *node.items[0];
    at_ = &inner;
    Value receiver;
    if (inner.kind == NodeKind::kPipe) {
      VARVE_TRY_ASSIGN(receiver, pipeline(dot, inner));
    } else {
      VARVE_TRY_ASSIGN(receiver, function(dot, inner, inner, {}, nullptr));
    }
    return fields(dot, receiver, node, node.names, operands, piped);
  }

  // .A.B.C of a receiver; the last one gets the arguments.
  Result<Value> fields(const Value& dot, Value receiver, const Node& node,
                       std::span<const std::string> names, Operands operands, Piped piped) {
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      VARVE_TRY_ASSIGN(receiver, one_field(dot, receiver, node, names[i], {}, nullptr));
    }
    return one_field(dot, receiver, node, names.back(), operands, piped);
  }

  Result<Value> one_field(const Value& dot, const Value& receiver, const Node& node,
                          const std::string& name, Operands operands, Piped piped) {
    if (receiver.type == Type::kNone) return Value::none();
    if (receiver.type == Type::kNil) {
      return fail(fmt::format("nil pointer evaluating interface {{}}.{}", name));
    }
    if (const Function method = find_method(receiver, name); method.call) {
      return call(dot, method, node, name, operands, piped);
    }
    const bool has_arguments = operands.size() > 1 || piped != nullptr;
    if (kind_of(receiver.type) == Kind::kMap) {
      if (has_arguments) return fail(name + " is not a method but has arguments");
      if (receiver.type == Type::kLabels) {
        const auto at = receiver.labels().find(name);
        return Value::of(at == receiver.labels().end() ? std::string() : at->second);
      }
      const auto at = receiver.map().find(name);
      return at == receiver.map().end() ? Value::nil() : at->second;
    }
    if (receiver.type == Type::kSample && receiver.sample() == nullptr) {
      return fail(fmt::format("nil pointer evaluating *template.sample.{}", name));
    }
    const std::optional<Value> found = struct_field(receiver, name);
    if (!found) {
      return fail(
          fmt::format("can't evaluate field {} in type {}", name, type_name(receiver.type)));
    }
    if (has_arguments) {
      return fail(name + " has arguments but cannot be invoked as function");
    }
    return *found;
  }

  static std::optional<Value> struct_field(const Value& receiver, std::string_view name) {
    if (receiver.type == Type::kSample) {
      if (name == "Labels") return receiver.sample()->labels;
      if (name == "Value") return receiver.sample()->value;
    } else if (receiver.type == Type::kAlertData) {
      const AlertView& alert = receiver.alert();
      if (name == "Labels") return alert.labels;
      if (name == "ExternalLabels") return alert.external_labels;
      if (name == "ExternalURL") return alert.external_url;
      if (name == "Value") return alert.value;
    } else if (receiver.type == Type::kHistogram) {
      const Histogram& histogram = *receiver.histogram();
      if (name == "Count") return Value::of(histogram.count);
      if (name == "Sum") return Value::of(histogram.sum);
      if (name == "ZeroCount") return Value::of(histogram.zero_count);
      if (name == "ZeroThreshold") return Value::of(histogram.zero_threshold);
      if (name == "Schema") return Value::integer(histogram.schema, Type::kInt32);
    }
    return std::nullopt;
  }

  Result<Value> function(const Value& dot, const Node& name, const Node& whole, Operands operands,
                         Piped piped) {
    at_ = &name;
    const Function* found = find_function(name.text);  // the parser has looked
    if (name.text == "and" || name.text == "or") {
      return short_circuit(dot, *found, name.text == "or", operands, piped);
    }
    return call(dot, *found, whole, name.text, operands, piped);
  }

  Status check_count(const Function& function, std::string_view name, std::size_t given,
                     std::size_t written) const {
    const std::size_t wanted = function.parameters.size();
    if (function.variadic) {
      if (given + 1 >= wanted) return {};
      return fail(fmt::format("wrong number of args for {}: want at least {} got {}", name,
                              wanted - 1, written));
    }
    if (given == wanted) return {};
    return fail(fmt::format("wrong number of args for {}: want {} got {}", name, wanted, given));
  }

  // The first value that decides, else the last.
  Result<Value> short_circuit(const Value& dot, const Function& function, bool is_or,
                              Operands operands, Piped piped) {
    const std::size_t written = operands.empty() ? 0 : operands.size() - 1;
    VARVE_TRY(check_count(function, function.name, written + (piped != nullptr ? 1 : 0), written));
    Value value;
    for (std::size_t i = 1; i < operands.size(); ++i) {
      VARVE_TRY_ASSIGN(value, argument(dot, Type::kReflect, *operands[i]));
      if (is_true(value) == is_or) return value;
    }
    if (piped != nullptr) return *piped;
    return value;
  }

  Result<Value> call(const Value& dot, const Function& function, const Node& whole,
                     std::string_view name, Operands operands, Piped piped) {
    const std::size_t written = operands.empty() ? 0 : operands.size() - 1;
    const std::size_t given = written + (piped != nullptr ? 1 : 0);
    VARVE_TRY(check_count(function, name, given, written));
    std::vector<Value> arguments;
    arguments.reserve(given);
    for (std::size_t i = 0; i < given; ++i) {
      const Type type = function.parameters[std::min(i, function.parameters.size() - 1)];
      if (i < written) {
        VARVE_TRY_ASSIGN(Value value, argument(dot, type, *operands[i + 1]));
        arguments.push_back(std::move(value));
      } else {
        VARVE_TRY_ASSIGN(Value value, converted(*piped, type));
        arguments.push_back(std::move(value));
      }
    }
    Result<Value> result = function.call(CallContext{environment_, budget_}, arguments);
    if (!result.ok()) {
      at_ = &whole;
      return fail(fmt::format("error calling {}: {}", name, result.error().message()),
                  result.error().code());
    }
    if (kind_of(result->type) == Kind::kString) {
      VARVE_TRY(located(budget_.text(result->text().size())));
    }
    return result;
  }

  // A value as a parameter's type.
  Result<Value> converted(const Value& value, Type type) const {
    if (type == Type::kReflect) return value;
    if (value.type == Type::kNone) {
      if (type == Type::kAny) return Value::nil();
      if (type == Type::kSamples) return Value::of(Samples());
      if (type == Type::kSample) return Value::of(SamplePtr());
      return fail(fmt::format("invalid value; expected {}", type_name(type)));
    }
    if (type == Type::kAny || value.type == type) return value;
    const Value pointed = dereferenced(value);
    if (pointed.type == type) return pointed;
    return fail(fmt::format("wrong type for value; expected {}; got {}", type_name(type),
                            type_name(value.type)));
  }

  Result<Value> argument(const Value& dot, Type type, const Node& node) {
    const Deeper deeper(stack_depth_);
    at_ = &node;
    VARVE_TRY(enter());
    const auto checked = [&](Result<Value> value) -> Result<Value> {
      if (!value.ok()) return value;
      return converted(*value, type);
    };
    switch (node.kind) {
      case NodeKind::kDot:
        return converted(dot, type);
      case NodeKind::kNil:
        if (type == Type::kReflect) return Value::none();
        if (type == Type::kAny || type == Type::kSamples || type == Type::kSample) {
          return converted(Value::none(), type);
        }
        return fail(fmt::format("cannot assign nil to {}", type_name(type)));
      case NodeKind::kField:
        return checked(field(dot, node, {}, nullptr));
      case NodeKind::kVariable:
        return checked(variable_and_fields(dot, node, {}, nullptr));
      case NodeKind::kPipe:
        return checked(pipeline(dot, node));
      case NodeKind::kIdentifier:
        return checked(function(dot, node, node, {}, nullptr));
      case NodeKind::kChain:
        return checked(chain(dot, node, {}, nullptr));
      default:
        return literal(type, node);
    }
  }

  // A constant, which takes the parameter's type if it can.
  Result<Value> literal(Type type, const Node& node) {
    const auto expected = [&](std::string_view what) {
      return fail(fmt::format("expected {}; found {}", what, to_string(node)));
    };
    switch (type) {
      case Type::kAny:
      case Type::kReflect:
        if (node.kind == NodeKind::kBool) return Value::of(node.truth);
        if (node.kind == NodeKind::kString) return Value::of(node.text);
        return constant(node);
      case Type::kString:
        if (node.kind == NodeKind::kString) return Value::of(node.text);
        return expected("string");
      case Type::kBool:
        if (node.kind == NodeKind::kBool) return Value::of(node.truth);
        return expected("bool");
      case Type::kInt:
      case Type::kDuration:
        if (node.kind == NodeKind::kNumber && node.number.is_integer) {
          return Value::integer(node.number.integer, type);
        }
        return expected("integer");
      case Type::kFloat:
        if (node.kind == NodeKind::kNumber) return Value::of(node.number.value);
        return expected("float");
      default:
        return fail(
            fmt::format("can't handle {} for arg of type {}", to_string(node), type_name(type)));
    }
  }

  const Definitions& definitions_;
  const std::string& main_name_;
  std::string_view text_;
  const Environment& environment_;
  Budget budget_;
  const std::string* current_template_;
  const Node* at_ = nullptr;  // what errors are about
  std::vector<std::pair<std::string, Value>> variables_;
  std::size_t stack_depth_ = 0;
  std::size_t invocation_depth_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> execute(const Definitions& definitions, const std::string& name,
                            std::string_view text, const Value& data,
                            const Environment& environment) {
  return Evaluator(definitions, name, text, environment).run(data);
}

}  // namespace varve::templates
