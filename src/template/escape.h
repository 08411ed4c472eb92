// SPDX-License-Identifier: Apache-2.0
// Text made safe for HTML, JavaScript strings and URL queries, as Go's templates do it.
#pragma once

#include <string>
#include <string_view>

namespace varve::templates {

std::string escape_html(std::string_view text);
std::string escape_js(std::string_view text);

}  // namespace varve::templates
