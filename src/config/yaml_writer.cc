// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace varve::config {
namespace {

constexpr std::string_view kSecret = "<secret>";

// Keys whose values prometheus/common and the sections that build on it hold as Secret.
constexpr std::array<std::string_view, 7> kSecretKeys{"password", "token", "credentials",
                                                      "client_secret", "bearer_token",
                                                      "secret_key",    "secrets"};
// Maps whose leaves are secrets.
constexpr std::array<std::string_view, 2> kSecretMaps{"proxy_connect_header", "key"};

bool names(std::span<const std::string_view> list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

// Whether a plain scalar of this text would read back as null, a bool or a number.
bool means_something_else(std::string_view text) {
  constexpr std::array<std::string_view, 29> kWords{
      "",    "~",   "null", "Null", "NULL", "true",  "True",  "TRUE", "false", "False",
      "FALSE", "y", "Y",    "yes",  "Yes",  "YES",   "n",     "N",    "no",    "No",
      "NO",  "on",  "On",   "ON",   "off",  "Off",   "OFF",   "<<",   "="};
  if (names(kWords, text)) return true;
  std::string_view digits = text;
  if (digits.front() == '+' || digits.front() == '-') digits.remove_prefix(1);
  if (digits.starts_with("0x") || digits.starts_with("0o") || digits.starts_with("0b")) return true;
  std::string without(digits);
  std::erase(without, '_');
  double value = 0;
  const char* const end = without.data() + without.size();
  const auto [at, error] = std::from_chars(without.data(), end, value);
  if (!without.empty() && error != std::errc::invalid_argument && at == end) return true;
  return digits == ".inf" || digits == ".Inf" || digits == ".INF" || digits == ".nan" ||
         digits == ".NaN" || digits == ".NAN";
}

bool needs_single_quotes(std::string_view text) {
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`";
  const char first = text.front();
  if (kIndicators.find(first) != std::string_view::npos) {
    // "-x", "?x" and ":x" are plain, "- x" is not.
    const bool may_start = first == '-' || first == '?' || first == ':';
    if (!may_start || text.size() == 1 || text[1] == ' ') return true;
  }
  if (first == ' ' || text.back() == ' ' || text.back() == ':') return true;
  return text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos;
}

}  // namespace

std::string yaml_scalar(std::string_view text) {
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (!control && !means_something_else(text)) {
    if (!needs_single_quotes(text)) return std::string(text);
    std::string out = "'";
    for (const char c : text) {
      if (c == '\'') out += '\'';
      out += c;
    }
    return out + '\'';
  }
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

void YamlWriter::begin_line(std::string_view key) {
  out_.append(indents_.back() - (dash_ ? 2 : 0), ' ');
  if (dash_) out_ += "- ";
  dash_ = false;
  out_ += yaml_scalar(key);
  out_ += ':';
}

void YamlWriter::entry(std::string_view key, std::string_view value) {
  plain_entry(key, yaml_scalar(value));
}

void YamlWriter::plain_entry(std::string_view key, std::string_view value) {
  begin_line(key);
  out_ += ' ';
  out_ += value;
  out_ += '\n';
}

void YamlWriter::list(std::string_view key, std::span<const std::string> values) {
  open_list(key);
  for (const std::string& value : values) scalar_item(value);
  close();
}

void YamlWriter::flow_list(std::string_view key, std::span<const std::string> values) {
  std::string line = "[";
  for (const std::string& value : values) {
    if (line.size() > 1) line += ", ";
    const bool plain = value.find_first_of(",[]{}") == std::string::npos;
    line += plain ? yaml_scalar(value) : fmt::format("'{}'", value);
  }
  plain_entry(key, line + ']');
}

void YamlWriter::open(std::string_view key) {
  begin_line(key);
  out_ += '\n';
  indents_.push_back(indents_.back() + 2);
}

void YamlWriter::open_list(std::string_view key) {
  begin_line(key);
  out_ += '\n';
  indents_.push_back(indents_.back());
}

void YamlWriter::item() {
  indents_.push_back(indents_.back() + 2);
  dash_ = true;
}

void YamlWriter::close() {
  if (dash_) {  // an item without entries
    out_.append(indents_.back() - 2, ' ');
    out_ += "- {}\n";
    dash_ = false;
  }
  indents_.pop_back();
}

void YamlWriter::scalar_item(std::string_view value) {
  out_.append(indents_.back(), ' ');
  out_ += "- " + yaml_scalar(value) + '\n';
}

void YamlWriter::tree(std::string_view key, const Node& node, bool mask) {
  const bool secret = mask && node.kind != Node::Kind::kNull &&
                      (names(kSecretKeys, key) || names(kSecretMaps, key));
  switch (node.kind) {
    case Node::Kind::kNull: plain_entry(key, "null"); return;
    case Node::Kind::kScalar: {
      const std::string_view value = secret && !node.text.empty() ? kSecret : node.text;
      plain_entry(key, node.plain && !secret ? node.text : yaml_scalar(value));
      return;
    }
    case Node::Kind::kSequence:
      if (node.items.empty()) {
        plain_entry(key, "[]");
        return;
      }
      open_list(key);
      break;
    case Node::Kind::kMap:
      if (node.entries.empty()) {
        plain_entry(key, "{}");
        return;
      }
      open(key);
      break;
  }
  contents(node, mask, secret);
  close();
}

void YamlWriter::contents(const Node& node, bool mask, bool secret) {
  for (const Node::Entry& entry : node.entries) {
    if (secret && entry.value->kind == Node::Kind::kScalar) {
      this->entry(entry.key, kSecret);
    } else if (secret && entry.value->kind == Node::Kind::kSequence) {
      open_list(entry.key);
      contents(*entry.value, mask, true);
      close();
    } else {
      tree(entry.key, *entry.value, mask);
    }
  }
  for (const Node* item : node.items) {
    if (secret && item->kind == Node::Kind::kScalar) {
      scalar_item(kSecret);
    } else {
      tree_item(*item, mask);
    }
  }
}

void YamlWriter::tree_item(const Node& node, bool mask) {
  switch (node.kind) {
    case Node::Kind::kNull:
    case Node::Kind::kScalar:
      out_.append(indents_.back(), ' ');
      out_ += "- ";
      out_ += node.kind == Node::Kind::kNull ? "null"
              : node.plain                   ? node.text
                                             : yaml_scalar(node.text);
      out_ += '\n';
      return;
    case Node::Kind::kSequence: {
      // A list in a list occurs in no section of Prometheus's; written in one piece.
      out_.append(indents_.back(), ' ');
      out_ += "- []\n";
      return;
    }
    case Node::Kind::kMap:
      item();
      contents(node, mask, false);
      close();
      return;
  }
}

}  // namespace varve::config
