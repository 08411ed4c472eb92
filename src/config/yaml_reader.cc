// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "model/duration.h"
#include "model/relabel.h"

namespace varve::config {
namespace {

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull: return "nothing";
    case Node::Kind::kScalar: return "a value";
    case Node::Kind::kSequence: return "a list";
    case Node::Kind::kMap: return "a map";
  }
  return "nothing";
}

// Reads a scalar by `parse`, which answers the error text or "" if all is well.
template <typename Parse>
ReadValue scalar(Parse parse) {
  return [parse](const Source& source, const Node& node) -> Status {
    if (node.kind == Node::Kind::kNull) return {};
    if (node.kind != Node::Kind::kScalar) {
      return source.error(node.place,
                          fmt::format("expected a value, got {}", kind_name(node.kind)));
    }
    const std::string wrong = parse(source, node);
    if (!wrong.empty()) return source.error(node.place, wrong);
    return {};
  };
}

// Damerau's distance (insert, remove, replace, swap neighbours), in O(length²) for short names.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1,
                             cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

constexpr std::array<std::string_view, 7> kBytePrefixes{"", "K", "M", "G", "T", "P", "E"};

std::optional<std::uint64_t> byte_unit(std::string_view unit) {
  if (!unit.ends_with('B')) return std::nullopt;
  unit.remove_suffix(1);
  if (unit.size() == 2 && unit.ends_with('i')) unit.remove_suffix(1);
  for (std::size_t i = 0; i < kBytePrefixes.size(); ++i) {
    if (unit == kBytePrefixes[i]) return std::uint64_t{1} << (10 * i);
  }
  return std::nullopt;
}

}  // namespace

std::string Source::joined(const std::string& path) const {
  if (directory.empty() || path.empty() || path.front() == '/') return path;
  return directory == "." ? path : directory + '/' + path;
}

std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known) {
  constexpr std::size_t kNameMax = 64;  // longer ones are no typing mistakes, and cost a square
  if (name.size() > kNameMax) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Status read_map(const Source& source, const Node& node, std::string_view what,
                std::span<const Field> fields, const ReadUnknown& unknown) {
  if (node.kind == Node::Kind::kNull) return {};
  if (node.kind != Node::Kind::kMap) {
    return source.error(node.place,
                        fmt::format("expected a map for {}, got {}", what, kind_name(node.kind)));
  }
  for (const Node::Entry& entry : node.entries) {
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& f) { return f.name == entry.key; });
    if (field != fields.end()) {
      VARVE_TRY(field->read(source, *entry.value));
      continue;
    }
    if (unknown) {
      if (auto taken = unknown(entry)) {
        VARVE_TRY(*std::move(taken));
        continue;
      }
    }
    std::vector<std::string_view> names;
    for (const Field& f : fields) names.push_back(f.name);
    const std::string_view near = nearest_name(entry.key, names);
    return source.error(entry.place,
                        fmt::format("field {} not known in {}{}{}{}", entry.key, what,
                                    near.empty() ? "" : ", did you mean ", near,
                                    near.empty() ? "" : "?"));
  }
  return {};
}

Status read_map(const Source& source, const Node& node, std::string_view what,
                std::initializer_list<Field> fields, const ReadUnknown& unknown) {
  return read_map(source, node, what, std::span<const Field>(fields.begin(), fields.size()),
                  unknown);
}

Status read_list(const Source& source, const Node& node, const ReadValue& read) {
  if (node.kind == Node::Kind::kNull) return {};
  if (node.kind != Node::Kind::kSequence) {
    return source.error(node.place, fmt::format("expected a list, got {}", kind_name(node.kind)));
  }
  for (const Node* item : node.items) VARVE_TRY(read(source, *item));
  return {};
}

ReadValue text(std::string& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    if (!model::valid_utf8(node.text)) return "invalid UTF-8";
    out = node.text;
    return {};
  });
}

ReadValue path(std::string& out) {
  return scalar([&out](const Source& source, const Node& node) -> std::string {
    out = source.joined(node.text);
    return {};
  });
}

ReadValue boolean(bool& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    constexpr std::array<std::string_view, 11> yes{"true", "True", "TRUE", "y",  "Y", "yes",
                                                   "Yes",  "YES",  "on",   "On", "ON"};
    constexpr std::array<std::string_view, 11> no{"false", "False", "FALSE", "n",   "N", "no",
                                                  "No",    "NO",    "off",   "Off", "OFF"};
    if (node.plain && std::find(yes.begin(), yes.end(), node.text) != yes.end()) {
      out = true;
    } else if (node.plain && std::find(no.begin(), no.end(), node.text) != no.end()) {
      out = false;
    } else {
      return fmt::format("expected true or false, got \"{}\"", node.text);
    }
    return {};
  });
}

ReadValue number(double& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    const char* const end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, out);
    if (error != std::errc{} || at != end) {
      return fmt::format("expected a number, got \"{}\"", node.text);
    }
    return {};
  });
}

ReadValue count(std::uint64_t& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    std::string digits = node.text;
    std::erase(digits, '_');
    const char* const end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, out);
    if (error != std::errc{} || at != end || !node.plain) {
      return fmt::format("expected a whole number that is not negative, got \"{}\"", node.text);
    }
    return {};
  });
}

ReadValue integer(std::optional<std::int64_t>& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    std::int64_t value = 0;
    const char* const end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (error != std::errc{} || at != end || !node.plain) {
      return fmt::format("expected a whole number, got \"{}\"", node.text);
    }
    out = value;
    return {};
  });
}

ReadValue duration(std::chrono::milliseconds& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    const auto parsed = model::parse_duration(node.text);
    if (!parsed.ok()) return parsed.error().message();
    out = std::chrono::milliseconds(*parsed);
    return {};
  });
}

ReadValue duration(std::optional<std::chrono::milliseconds>& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    const auto parsed = model::parse_duration(node.text);
    if (!parsed.ok()) return parsed.error().message();
    out = std::chrono::milliseconds(*parsed);
    return {};
  });
}

ReadValue bytes(std::uint64_t& out) {
  return scalar([&out](const Source&, const Node& node) -> std::string {
    const auto parsed = parse_bytes(node.text);
    if (!parsed.ok()) return parsed.error().message();
    out = *parsed;
    return {};
  });
}

ReadValue texts(std::vector<std::string>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    out.clear();
    return read_list(source, node, [&out](const Source& from, const Node& item) {
      return text(out.emplace_back())(from, item);
    });
  };
}

ReadValue paths(std::vector<std::string>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    VARVE_TRY(texts(out)(source, node));
    for (std::string& item : out) item = source.joined(item);
    return {};
  };
}

ReadValue text_map(std::map<std::string, std::string>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    return read_map(source, node, "map", {}, [&](const Node::Entry& entry) {
      return std::optional<Status>(text(out[entry.key])(source, *entry.value));
    });
  };
}

ReadValue text_list_map(std::map<std::string, std::vector<std::string>>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    return read_map(source, node, "map", {}, [&](const Node::Entry& entry) {
      return std::optional<Status>(texts(out[entry.key])(source, *entry.value));
    });
  };
}

ReadValue labels(Labels& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    LabelsBuilder builder;
    VARVE_TRY(read_map(source, node, "labels", {},
                       [&](const Node::Entry& entry) -> std::optional<Status> {
      if (!model::valid_label_name(entry.key, model::NameScheme::kUtf8)) {
        return source.error(entry.place,
                            fmt::format("\"{}\" is not a valid label name", entry.key));
      }
      std::string value;
      if (Status read = text(value)(source, *entry.value); !read.ok()) return read;
      builder.set(entry.key, value);
      return Status{};
    }));
    out = builder.build();
    return {};
  };
}

ReadValue any_scalar() {
  return scalar([](const Source&, const Node&) { return std::string(); });
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("units: {} \"{}\"", why, text));
  };
  if (text == "0") return std::uint64_t{0};
  if (text.empty()) return wrong("invalid");
  double total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t digits = rest.find_first_not_of("0123456789.");
    double value = 0;
    const char* const end = rest.data() + std::min(digits, rest.size());
    const auto [at, error] = std::from_chars(rest.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || at != end) return wrong("invalid");
    if (digits == std::string_view::npos) return wrong("missing unit in");
    rest.remove_prefix(digits);
    const std::string_view unit = rest.substr(0, rest.find_first_of("0123456789."));
    const auto factor = byte_unit(unit);
    if (!factor) return wrong(fmt::format("unknown unit {} in", unit));
    rest.remove_prefix(unit.size());
    total += value * static_cast<double>(*factor);
  }
  if (total >= static_cast<double>(std::numeric_limits<std::int64_t>::max())) {
    return wrong("value out of range");
  }
  return static_cast<std::uint64_t>(total);
}

std::string format_bytes(std::uint64_t size_bytes) {
  std::string out;
  for (std::size_t i = kBytePrefixes.size(); i-- > 0;) {
    const std::uint64_t factor = std::uint64_t{1} << (10 * i);
    if (size_bytes < factor) continue;
    out += fmt::format("{}{}{}", size_bytes / factor, kBytePrefixes[i], i > 0 ? "iB" : "B");
    size_bytes %= factor;
  }
  return out.empty() ? "0B" : out;
}

}  // namespace varve::config
