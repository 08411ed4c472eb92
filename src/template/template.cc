// SPDX-License-Identifier: Apache-2.0
#include "template/template.h"

#include <utility>

#include "base/try.h"
#include "template/evaluator.h"
#include "template/parser.h"
#include "template/value.h"

namespace varve::templates {
namespace {

// What Prometheus puts before the text of every label and annotation.
constexpr std::string_view kVariables =
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

}  // namespace

class Program {
 public:
  std::string name;
  std::string text;  // with kVariables before it
  bool plain = false;
  Definitions definitions;  // empty if plain
};

Result<Template> Template::parse(std::string name, std::string_view text) {
  auto program = std::make_shared<Program>();
  program->name = std::move(name);
  program->plain = text.find("{{") == std::string_view::npos;
  if (program->plain) {
    program->text = text;
    return Template(std::move(program));
  }
  program->text.append(kVariables).append(text);
  VARVE_TRY_ASSIGN(program->definitions, parse_definitions(program->name, program->text));
  return Template(std::move(program));
}

Result<std::string> Template::expand(const AlertData& data, const Environment& environment) const {
  if (program_->plain) return program_->text;
  auto text =
      execute(program_->definitions, program_->name, program_->text, to_value(data), environment);
  if (text.ok()) return text;
  return std::move(text).error().with("error executing template " + program_->name);
}

std::string error_text(const Error& error) {
  return "<error expanding template: " + error.message() + ">";
}

}  // namespace varve::templates
