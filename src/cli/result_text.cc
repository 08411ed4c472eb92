// SPDX-License-Identifier: Apache-2.0
#include "cli/result_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/try.h"
#include "model/number.h"
#include "promql/parser.h"

namespace varve::cli {
namespace {

using Json = nlohmann::json;

Error unusual(std::string_view what) {
  return {ErrorCode::kUnavailable, fmt::format("bad_response: {}", what)};
}

// A member that is a text, "" if it is not.
std::string text_at(const Json& object, const char* key) {
  const Json value = object.value(key, Json());
  return value.is_string() ? value.get<std::string>() : std::string();
}

// The "data" of an answer that says success.
Result<Json> data_of(std::string_view body) {
  Json answer = Json::parse(body, nullptr, false);
  if (!answer.is_object()) return unusual("the answer is not JSON of the Prometheus API");
  if (answer.value("status", Json()) == "error") {
    return Error(ErrorCode::kUnavailable, fmt::format("{}: {}", text_at(answer, "errorType"),
                                                      text_at(answer, "error")));
  }
  if (!answer.contains("data")) return unusual("the answer has no data");
  return std::move(answer["data"]);
}

// As Go writes JSON: without spaces, and safe to put into HTML.
std::string compact(const Json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    switch (c) {
      case '<':
        out += "\\u003c";
        break;
      case '>':
        out += "\\u003e";
        break;
      case '&':
        out += "\\u0026";
        break;
      default:
        out += c;
    }
  }
  return out + "\n";
}

std::string label_pair(const std::string& name, const Json& value) {
  return fmt::format("{}={}", name, promql::quote(value.get_ref<const std::string&>()));
}

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool all_texts(const Json& labels) {
  return labels.is_object() && std::all_of(labels.begin(), labels.end(),
                                           [](const Json& value) { return value.is_string(); });
}

// name{a="b"}
std::string metric_text(const Json& metric) {
  std::string name;
  std::vector<std::string> labels;
  for (const auto& [key, value] : metric.items()) {
    if (key == "__name__") {
      name = value.get<std::string>();
    } else {
      labels.push_back(label_pair(key, value));
    }
  }
  if (labels.empty()) return name.empty() ? "{}" : name;
  std::sort(labels.begin(), labels.end());
  return fmt::format("{}{{{}}}", name, joined(labels));
}

// Positional, whatever the size.
std::string number_text(const Json& value) {
  if (value.is_number()) return model::format_float_positional(value.get<double>());
  if (!value.is_string()) return "?";
  const auto number = model::parse_float_or_inf(value.get_ref<const std::string&>());
  return number ? model::format_float_positional(*number) : value.get<std::string>();
}

std::string histogram_text(const Json& histogram) {
  const auto fixed = [](const Json& value) {
    const auto number = value.is_string()
                            ? model::parse_float_or_inf(value.get_ref<const std::string&>())
                            : std::nullopt;
    return model::format_float_fixed(number.value_or(std::nan("")));
  };
  std::string buckets;
  for (const Json& bucket : histogram.value("buckets", Json::array())) {
    if (!bucket.is_array() || bucket.size() != 4 || !bucket[0].is_number_integer()) continue;
    const int kind = bucket[0].get<int>();
    buckets += fmt::format("{}{}{},{}{}:{}", buckets.empty() ? "" : " ",
                           kind == 1 || kind == 3 ? '[' : '(', number_text(bucket[1]),
                           number_text(bucket[2]), kind == 0 || kind == 3 ? ']' : ')',
                           number_text(bucket[3]));
  }
  return fmt::format("Count: {}, Sum: {}, Buckets: [{}]", fixed(histogram.value("count", Json())),
                     fixed(histogram.value("sum", Json())), buckets);
}

// [time, "value"] or [time, {histogram}]
std::string point_text(const Json& point) {
  if (!point.is_array() || point.size() != 2) return "?";
  return fmt::format("{} @[{}]",
                     point[1].is_object() ? histogram_text(point[1]) : number_text(point[1]),
                     number_text(point[0]));
}

std::string vector_text(const Json& result) {
  std::string out;
  for (const Json& sample : result) {
    if (!out.empty()) out += '\n';
    out += fmt::format("{} => {}", metric_text(sample.at("metric")),
                       point_text(sample.contains("histogram") ? sample["histogram"]
                                                               : sample.value("value", Json())));
  }
  return out;
}

std::string matrix_text(const Json& result) {
  std::vector<std::string> series;
  for (const Json& stream : result) {
    std::vector<std::string> points;
    for (const char* key : {"values", "histograms"}) {
      for (const Json& point : stream.value(key, Json::array()))
        points.push_back(point_text(point));
    }
    series.push_back(
        fmt::format("{} =>\n{}", metric_text(stream.at("metric")), fmt::join(points, "\n")));
  }
  std::sort(series.begin(), series.end());
  return fmt::format("{}", fmt::join(series, "\n"));
}

bool has_metrics(const Json& result) {
  return result.is_array() && std::all_of(result.begin(), result.end(), [](const Json& item) {
           return item.is_object() && item.contains("metric") && all_texts(item["metric"]);
         });
}

}  // namespace

Result<std::string> value_text(std::string_view body, ResultFormat format) {
  VARVE_TRY_ASSIGN(const Json data, data_of(body));
  if (!data.is_object() || !data.contains("result")) return unusual("the data has no result");
  const Json& result = data["result"];
  if (format == ResultFormat::kJson) return compact(result);
  const std::string type = text_at(data, "resultType");
  if (type == "vector" && has_metrics(result)) return vector_text(result) + "\n";
  if (type == "matrix" && has_metrics(result)) return matrix_text(result) + "\n";
  if (result.is_array() && result.size() == 2) {
    if (type == "scalar") {
      return fmt::format("scalar: {} @[{}]\n", number_text(result[1]), number_text(result[0]));
    }
    if (type == "string" && result[1].is_string()) return result[1].get<std::string>() + "\n";
  }
  return unusual(fmt::format("unexpected value type \"{}\"", type));
}

Result<std::string> series_text(std::string_view body, ResultFormat format) {
  VARVE_TRY_ASSIGN(const Json data, data_of(body));
  if (format == ResultFormat::kJson) return compact(data);
  std::string out;
  for (const Json& series : data) {
    if (!all_texts(series)) return unusual("the data is no list of label sets");
    std::vector<std::string> labels;
    for (const auto& [key, value] : series.items()) labels.push_back(label_pair(key, value));
    out += fmt::format("{{{}}}\n", joined(labels));
  }
  return out;
}

Result<std::string> label_values_text(std::string_view body, ResultFormat format) {
  VARVE_TRY_ASSIGN(const Json data, data_of(body));
  if (format == ResultFormat::kJson) return compact(data);
  std::string out;
  for (const Json& value : data) {
    if (!value.is_string()) return unusual("the data is no list of texts");
    out += value.get<std::string>() + "\n";
  }
  return out;
}

}  // namespace varve::cli
