// SPDX-License-Identifier: Apache-2.0
// The names of codings in Content-Encoding and Accept-Encoding (RFC 9110, 12.5.3).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii_case.h"
#include "http/content_coding.h"

namespace varve::http {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The q of `;q=0.5`, 1 if there is none, 0 if it is broken.
double weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto semicolon = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? "" : parameters.substr(semicolon + 1);
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    double q = 0;
    const auto parsed = std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(),
                                        q, std::chars_format::fixed);
    return parsed.ec == std::errc() ? q : 0;
  }
  return 1;
}

}  // namespace

Result<ContentCoding> content_coding(std::string_view name) {
  name = trim(name);
  if (name.empty() || base::equals_in_any_case(name, "identity")) return ContentCoding::kIdentity;
  if (base::equals_in_any_case(name, "gzip") || base::equals_in_any_case(name, "x-gzip")) {
    return ContentCoding::kGzip;
  }
  if (base::equals_in_any_case(name, "zstd")) return ContentCoding::kZstd;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("unsupported content encoding \"{}\", known are gzip and zstd",
                           name.substr(0, 40)));
}

std::optional<double> coding_weight(std::string_view accept_encoding, std::string_view coding) {
  std::optional<double> last;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding = comma == std::string_view::npos ? "" : accept_encoding.substr(comma + 1);
    const auto semicolon = item.find(';');
    if (!base::equals_in_any_case(trim(item.substr(0, semicolon)), coding)) continue;
    last = weight(semicolon == std::string_view::npos ? "" : item.substr(semicolon + 1));
  }
  return last;
}

ContentCoding choose_coding(std::string_view accept_encoding) {
  const auto weight_of = [&](std::string_view coding) {
    return coding_weight(accept_encoding, coding);
  };
  const double zstd = weight_of("zstd").value_or(0);
  auto named_gzip = weight_of("gzip");
  if (!named_gzip) named_gzip = weight_of("x-gzip");
  // "*" stands for gzip, which everything understands, but not for zstd.
  const double gzip = named_gzip ? *named_gzip : weight_of("*").value_or(0);
  if (zstd > 0 && zstd >= gzip) return ContentCoding::kZstd;
  return gzip > 0 ? ContentCoding::kGzip : ContentCoding::kIdentity;
}

}  // namespace varve::http
