// SPDX-License-Identifier: Apache-2.0
#include "template/template.h"

namespace varve::templates {

class Program {
 public:
  std::string name;
  std::string text;
};

Result<Template> Template::parse(std::string name, std::string_view text) {
  return Template(std::make_shared<Program>(Program{std::move(name), std::string(text)}));
}

Result<std::string> Template::expand(const AlertData&, const Environment&) const {
  if (program_->text.find("{{") == std::string::npos) return program_->text;
  return Error(ErrorCode::kUnimplemented, "templates are not implemented yet");
}

std::string error_text(const Error& error) {
  return "<error expanding template: " + error.message() + ">";
}

}  // namespace varve::templates
