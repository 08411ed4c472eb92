// SPDX-License-Identifier: Apache-2.0
#include "varve/labels.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace varve {
namespace {

void append_length(std::string& out, std::size_t length) {
  while (length >= 0x80) {
    out += static_cast<char>(length | 0x80);
    length >>= 7;
  }
  out += static_cast<char>(length);
}

void append_label(std::string& out, std::string_view name, std::string_view value) {
  append_length(out, name.size());
  out += name;
  append_length(out, value.size());
  out += value;
}

// What append_label() appends, or a little more.
std::size_t label_bytes_max(std::string_view name, std::string_view value) {
  const auto with_length = [](std::size_t size) { return size + (size < 0x80 ? 1 : 10); };
  return with_length(name.size()) + with_length(value.size());
}

// Precondition: a well-formed length stands at `at`.
std::string_view take_string(const char*& at) {
  std::size_t length = static_cast<unsigned char>(*at++);
  if (length >= 0x80) {
    length &= 0x7f;
    for (unsigned shift = 7;; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at++);
      length |= static_cast<std::size_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  const std::string_view text(at, length);
  at += length;
  return text;
}

bool take_checked(std::string_view& rest, std::string_view& text) {
  std::size_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (rest.empty() || shift > 28) return false;
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    if (byte == 0 && shift > 0) return false;  // only the shortest form is canonical
    length |= static_cast<std::size_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (length > rest.size()) return false;
  text = rest.substr(0, length);
  rest.remove_prefix(length);
  return true;
}

bool is_legacy_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_legacy_metric_name(std::string_view name) {
  std::string without_colons(name);
  std::replace(without_colons.begin(), without_colons.end(), ':', '_');
  return is_legacy_name(without_colons);
}

// Go's strconv.Quote for what label values hold; other bytes pass through.
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

void Labels::Iterator::read() {
  if (at_ == end_) return;
  const char* at = at_;
  current_.name = take_string(at);
  current_.value = take_string(at);
  next_ = at;
}

Labels::Labels(std::initializer_list<LabelView> labels)
    : Labels(std::span<const LabelView>(labels.begin(), labels.size())) {}

Labels::Labels(std::span<const LabelView> labels) {
  const auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
  std::vector<LabelView> sorted;
  if (!std::is_sorted(labels.begin(), labels.end(), by_name)) {
    sorted.assign(labels.begin(), labels.end());
    std::stable_sort(sorted.begin(), sorted.end(), by_name);
    labels = sorted;
  }
  std::size_t bytes_max = 0;
  for (const LabelView& label : labels) bytes_max += label_bytes_max(label.name, label.value);
  bytes_.reserve(bytes_max);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool overridden = i + 1 < labels.size() && labels[i + 1].name == labels[i].name;
    if (!overridden && !labels[i].value.empty()) {
      append_label(bytes_, labels[i].name, labels[i].value);
    }
  }
}

Labels Labels::from_bytes(std::string bytes) {
  VARVE_DCHECK(valid_bytes(bytes));
  Labels labels;
  labels.bytes_ = std::move(bytes);
  return labels;
}

bool Labels::valid_bytes(std::string_view bytes) {
  std::string_view previous;
  bool first = true;
  while (!bytes.empty()) {
    std::string_view name;
    std::string_view value;
    if (!take_checked(bytes, name) || !take_checked(bytes, value)) return false;
    if (value.empty() || (!first && name <= previous)) return false;
    previous = name;
    first = false;
  }
  return true;
}

std::size_t Labels::size() const {
  return static_cast<std::size_t>(std::distance(begin(), end()));
}

std::string_view Labels::get(std::string_view name) const {
  for (const char* at = bytes_.data(), *end = at + bytes_.size(); at != end;) {
    const std::string_view found = take_string(at);
    const std::string_view value = take_string(at);
    if (found == name) return value;
  }
  return {};
}

std::uint64_t Labels::hash() const { return XXH3_64bits(bytes_.data(), bytes_.size()); }

std::string Labels::to_string() const {
  std::string out;
  const std::string_view metric = get(kMetricName);
  const bool bare_name = is_legacy_metric_name(metric);
  if (bare_name) out += metric;
  std::string inside;
  for (const LabelView& label : *this) {
    if (label.name == kMetricName && bare_name) continue;
    if (!inside.empty()) inside += ", ";
    if (label.name == kMetricName) {
      append_quoted(inside, label.value);
      continue;
    }
    if (is_legacy_name(label.name)) {
      inside += label.name;
    } else {
      append_quoted(inside, label.name);
    }
    inside += '=';
    append_quoted(inside, label.value);
  }
  if (!bare_name || !inside.empty()) out += '{' + inside + '}';
  return out;
}

std::strong_ordering Labels::operator<=>(const Labels& other) const {
  const char* a = bytes_.data();
  const char* b = other.bytes_.data();
  const char* const a_end = a + bytes_.size();
  const char* const b_end = b + other.bytes_.size();
  while (a != a_end && b != b_end) {
    const std::string_view a_name = take_string(a);
    const std::string_view b_name = take_string(b);
    if (const auto order = a_name.compare(b_name); order != 0) return order <=> 0;
    const std::string_view a_value = take_string(a);
    const std::string_view b_value = take_string(b);
    if (const auto order = a_value.compare(b_value); order != 0) return order <=> 0;
  }
  if (a == a_end && b == b_end) return std::strong_ordering::equal;
  return a == a_end ? std::strong_ordering::less : std::strong_ordering::greater;
}

void LabelsBuilder::reset(const Labels& base) {
  labels_.clear();
  for (const LabelView& label : base) labels_.emplace_back(label.name, label.value);
}

LabelsBuilder& LabelsBuilder::set(std::string_view name, std::string_view value) {
  if (value.empty()) return remove(name);
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name,
                                   [](const auto& label, std::string_view key) {
                                     return label.first < key;
                                   });
  if (at != labels_.end() && at->first == name) {
    at->second = value;
  } else {
    labels_.emplace(at, name, value);
  }
  return *this;
}

LabelsBuilder& LabelsBuilder::remove(std::string_view name) {
  std::erase_if(labels_, [name](const auto& label) { return label.first == name; });
  return *this;
}

std::string_view LabelsBuilder::get(std::string_view name) const {
  for (const auto& [key, value] : labels_) {
    if (key == name) return value;
  }
  return {};
}

Labels LabelsBuilder::build() const {
  std::string bytes;
  for (const auto& [name, value] : labels_) append_label(bytes, name, value);
  return Labels::from_bytes(std::move(bytes));
}

}  // namespace varve
