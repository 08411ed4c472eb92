// SPDX-License-Identifier: Apache-2.0
// Remote write 2 requests as Prometheus's Go code writes them, and as it never would.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve::wire::testing {

// Names its labels through the symbols of a request.
class Request2Builder {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  struct Series {
    std::vector<std::uint32_t> refs;
    std::string bytes;  // of the other fields

    Series& sample(double value, std::int64_t timestamp_ms, std::int64_t start_ms = 0) {
      protozero::pbf_writer writer(bytes);
      protozero::pbf_writer message(writer, 2);
      if (value != 0) message.add_double(1, value);
      if (timestamp_ms != 0) message.add_int64(2, timestamp_ms);
      if (start_ms != 0) message.add_int64(3, start_ms);
      return *this;
    }
    Series& histogram(const std::function<void(protozero::pbf_writer&)>& fill) {
      protozero::pbf_writer writer(bytes);
      protozero::pbf_writer message(writer, 3);
      fill(message);
      return *this;
    }
    Series& created(std::int64_t start_ms) {
      protozero::pbf_writer(bytes).add_int64(6, start_ms);
      return *this;
    }
  };

  // The empty string comes first, as the protocol asks.
  explicit Request2Builder(const std::vector<std::string>& first_symbols = {""}) {
    for (const std::string& text : first_symbols) ref(text);
  }

  std::uint32_t ref(const std::string& text) {
    const auto [at, fresh] = refs_.emplace(text, static_cast<std::uint32_t>(symbols_.size()));
    if (fresh) symbols_.push_back(text);
    return at->second;
  }
  Series series(const Pairs& labels) {
    Series out;
    for (const auto& [name, value] : labels) {
      out.refs.push_back(ref(name));
      out.refs.push_back(ref(value));
    }
    return out;
  }
  void exemplar(Series& of, const Pairs& labels, double value, std::int64_t timestamp_ms) {
    protozero::pbf_writer writer(of.bytes);
    protozero::pbf_writer message(writer, 4);
    const Series named = series(labels);
    message.add_packed_uint32(1, named.refs.begin(), named.refs.end());
    message.add_double(2, value);
    message.add_int64(3, timestamp_ms);
  }
  void metadata(Series& of, std::int32_t type, const std::string& help, const std::string& unit) {
    protozero::pbf_writer writer(of.bytes);
    protozero::pbf_writer message(writer, 5);
    message.add_enum(1, type);
    message.add_uint32(3, ref(help));
    message.add_uint32(4, ref(unit));
  }
  Request2Builder& add(const Series& one) {
    std::string bytes;
    protozero::pbf_writer(bytes).add_packed_uint32(1, one.refs.begin(), one.refs.end());
    return add_bytes(bytes + one.bytes);
  }
  Request2Builder& add_bytes(std::string_view message) {
    protozero::pbf_writer(series_).add_message(5, message.data(), message.size());
    return *this;
  }
  std::string symbols() const {
    std::string bytes;
    protozero::pbf_writer writer(bytes);
    for (const std::string& text : symbols_) writer.add_string(4, text);
    return bytes;
  }
  const std::string& series_bytes() const { return series_; }
  std::string bytes() const { return symbols() + series_; }

 private:
  std::map<std::string, std::uint32_t> refs_;
  std::vector<std::string> symbols_;
  std::string series_;
};

}  // namespace varve::wire::testing
