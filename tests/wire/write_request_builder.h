// SPDX-License-Identifier: Apache-2.0
// Remote write requests as Prometheus's Go code writes them, and as it never would.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace varve::wire::testing {

using LabelPairs = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class SeriesBuilder {
 public:
  SeriesBuilder& label(std::string_view name, std::string_view value) {
    protozero::pbf_writer message(writer_, 1);
    message.add_string(1, name.data(), name.size());
    message.add_string(2, value.data(), value.size());
    return *this;
  }
  SeriesBuilder& labels(LabelPairs pairs) {
    for (const auto& [name, value] : pairs) label(name, value);
    return *this;
  }
  // Go leaves zeros out.
  SeriesBuilder& sample(double value, std::int64_t timestamp_ms) {
    protozero::pbf_writer message(writer_, 2);
    if (value != 0) message.add_double(1, value);
    if (timestamp_ms != 0) message.add_int64(2, timestamp_ms);
    return *this;
  }
  SeriesBuilder& exemplar(LabelPairs pairs, double value, std::int64_t timestamp_ms) {
    protozero::pbf_writer message(writer_, 3);
    for (const auto& [name, text] : pairs) {
      protozero::pbf_writer entry(message, 1);
      entry.add_string(1, name.data(), name.size());
      entry.add_string(2, text.data(), text.size());
    }
    message.add_double(2, value);
    message.add_int64(3, timestamp_ms);
    return *this;
  }
  SeriesBuilder& histogram(const std::function<void(protozero::pbf_writer&)>& fill) {
    protozero::pbf_writer message(writer_, 4);
    fill(message);
    return *this;
  }
  SeriesBuilder& unknown_field() {
    writer_.add_string(77, "from the future");
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  protozero::pbf_writer writer_{bytes_};
};

class RequestBuilder {
 public:
  RequestBuilder& series(const SeriesBuilder& series) {
    writer_.add_message(1, series.bytes());
    return *this;
  }
  RequestBuilder& metadata(std::int32_t type, std::string_view family, std::string_view help) {
    protozero::pbf_writer message(writer_, 3);
    message.add_enum(1, type);
    message.add_string(2, family.data(), family.size());
    message.add_string(4, help.data(), help.size());
    message.add_string(5, "seconds");
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  protozero::pbf_writer writer_{bytes_};
};

}  // namespace varve::wire::testing
