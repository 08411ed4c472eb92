// SPDX-License-Identifier: Apache-2.0
#include "model/relabel.h"

#include <fmt/format.h>
#include <locale.h>
#include <openssl/evp.h>
#include <re2/re2.h>
#include <wctype.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace varve::model {
namespace {

// Bounds what one rule's compiled program may hold.
constexpr std::int64_t kRegexMemoryMaxBytes = 8 << 20;

constexpr std::array<std::string_view, 11> kActionNames{
    "replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"};

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool has_variable(std::string_view text) { return text.find('$') != std::string_view::npos; }

// Go's regexp takes (?<name>…) beside (?P<name>…); this RE2 only the latter.
std::string with_p_groups(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern.substr(i++, 2);
    } else if (pattern.substr(i).starts_with("(?<") && i + 3 < pattern.size() &&
               is_word(pattern[i + 3])) {
      out += "(?P<";
      i += 2;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

bool is_ascii(std::string_view text) {
  std::uint64_t all = 0;
  if (text.size() >= sizeof all) {
    const auto word_at = [text](std::size_t at) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, sizeof word);
      return word;
    };
    for (std::size_t at = 0; at + sizeof all < text.size(); at += sizeof all) all |= word_at(at);
    all |= word_at(text.size() - sizeof all);
  } else {
    for (const char c : text) all |= static_cast<unsigned char>(c);
  }
  return (all & 0x8080808080808080) == 0;
}

// The code point at the front of `text` and its length, or length 0 for invalid UTF-8.
std::pair<char32_t, std::size_t> decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {0, 0};
  char32_t point = first & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    point = (point << 6) | (byte(i) & 0x3f);
  }
  if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000) || point > 0x10ffff ||
      (point >= 0xd800 && point <= 0xdfff)) {
    return {0, 0};
  }
  return {point, length};
}

void encode(std::string& out, char32_t point) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xc0 | (point >> 6));
    put(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    put(0xe0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3f));
    put(0x80 | (point & 0x3f));
  } else {
    put(0xf0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3f));
    put(0x80 | ((point >> 6) & 0x3f));
    put(0x80 | (point & 0x3f));
  }
}

// Maps each letter by the C library's Unicode tables, whatever locale the process runs in; bytes
// that are not UTF-8 stay as they are.
std::string change_case(std::string_view text, bool upper) {
  static const locale_t unicode = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  std::string out;
  while (!text.empty()) {
    auto [point, length] = decode(text);
    if (length == 0) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(length);
    if (point < 0x80) {
      const char c = static_cast<char>(point);
      if (upper && c >= 'a' && c <= 'z') point -= 32;
      if (!upper && c >= 'A' && c <= 'Z') point += 32;
    } else if (unicode != nullptr) {
      const auto wide = static_cast<wint_t>(point);
      point = upper ? ::towupper_l(wide, unicode) : ::towlower_l(wide, unicode);
    }
    encode(out, point);
  }
  return out;
}

// The last eight bytes of the MD5, big-endian: Prometheus's hashmod, which shards rely on.
std::uint64_t hash_for_modulus(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  const int ok = EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_md5(), nullptr);
  VARVE_CHECK(ok == 1);
  VARVE_CHECK(length == 16);
  std::uint64_t hash = 0;
  for (std::size_t i = 8; i < 16; ++i) hash = (hash << 8) | digest[i];
  return hash;
}

// prometheus relabel.go: ^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$
bool valid_legacy_template(std::string_view text) {
  static const RE2 pattern(R"((?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+)");
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Status check(const RelabelOptions& o, NameScheme scheme) {
  using enum RelabelAction;
  static const RelabelOptions defaults;
  const std::string_view action = to_string(o.action);
  const auto is_one_of = [&](auto... actions) { return ((o.action == actions) || ...); };
  const auto bad_target = [&] {
    return invalid(fmt::format("\"{}\" is invalid 'target_label' for {} action", o.target_label,
                               action));
  };
  const auto valid_template = [&](std::string_view text) {
    return scheme == NameScheme::kUtf8 ? valid_label_name(text, scheme)
                                       : valid_legacy_template(text);
  };
  if (o.action == kHashMod && o.modulus == 0) {
    return invalid("relabel configuration for hashmod requires non-zero modulus");
  }
  if (is_one_of(kReplace, kHashMod, kLowercase, kUppercase, kKeepEqual, kDropEqual) &&
      o.target_label.empty()) {
    return invalid(
        fmt::format("relabel configuration for {} action requires 'target_label' value", action));
  }
  if (o.action == kReplace &&
      !(has_variable(o.target_label) ? valid_template(o.target_label)
                                     : valid_label_name(o.target_label, scheme))) {
    return bad_target();
  }
  if (is_one_of(kLowercase, kUppercase, kKeepEqual, kDropEqual, kHashMod) &&
      !valid_label_name(o.target_label, scheme)) {
    return bad_target();
  }
  if (is_one_of(kLowercase, kUppercase, kKeepEqual, kDropEqual) &&
      o.replacement != defaults.replacement) {
    return invalid(fmt::format("'replacement' can not be set for {} action", action));
  }
  if (o.action == kLabelMap && !valid_template(o.replacement)) {
    return invalid(
        fmt::format("\"{}\" is invalid 'replacement' for {} action", o.replacement, action));
  }
  const bool others_default =
      o.modulus == defaults.modulus && o.separator == defaults.separator &&
      o.replacement == defaults.replacement;
  if (is_one_of(kDropEqual, kKeepEqual) && !(o.regex == defaults.regex && others_default)) {
    return invalid(fmt::format(
        "{} action requires only 'source_labels' and `target_label`, and no other fields", action));
  }
  if (is_one_of(kLabelDrop, kLabelKeep) &&
      !(o.source_labels.empty() && o.target_label.empty() && others_default)) {
    return invalid(fmt::format("{} action requires only 'regex', and no other fields", action));
  }
  return {};
}

}  // namespace

std::string_view to_string(RelabelAction action) {
  return kActionNames[static_cast<std::size_t>(action)];
}

std::optional<RelabelAction> parse_relabel_action(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  const auto found = std::find(kActionNames.begin(), kActionNames.end(), lower);
  if (found == kActionNames.end()) return std::nullopt;
  return static_cast<RelabelAction>(found - kActionNames.begin());
}

bool valid_utf8(std::string_view text) {
  // Nearly all of what is asked is plain, and told so eight bytes at a time.
  if (is_ascii(text)) return true;
  while (!text.empty()) {
    const std::size_t length = decode(text).second;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool valid_label_name(std::string_view name, NameScheme scheme) {
  if (name.empty()) return false;
  if (scheme == NameScheme::kUtf8) return valid_utf8(name);
  return !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), is_word);
}

struct RelabelRule::Program {
  Program(const std::string& pattern, const RE2::Options& options)
      : regex(pattern, options),
        groups(regex.ok() ? static_cast<std::size_t>(regex.NumberOfCapturingGroups()) + 1 : 0) {}

  // The whole of `text` against the expression; groups[0] is the match.
  bool match(std::string_view text, std::vector<re2::StringPiece>& found) const {
    found.resize(groups);
    return regex.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                       RE2::ANCHOR_BOTH, found.data(), static_cast<int>(found.size()));
  }
  bool matches(std::string_view text) const {
    return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
  }

  // Go's Regexp.Expand: a name is as long as it can be, an unknown one stands for "".
  std::string expand(std::string_view text, const std::vector<re2::StringPiece>& found) const {
    std::string out;
    while (!text.empty()) {
      const std::size_t dollar = text.find('$');
      out += text.substr(0, dollar);
      if (dollar == std::string_view::npos) break;
      text.remove_prefix(dollar + 1);
      if (text.starts_with('$')) {
        out += '$';
        text.remove_prefix(1);
        continue;
      }
      const bool braces = text.starts_with('{');
      const std::size_t begin = braces ? 1 : 0;
      std::size_t end = begin;
      while (end < text.size() && is_word(text[end])) ++end;
      if (end == begin || (braces && (end == text.size() || text[end] != '}'))) {
        out += '$';  // not a name: Go leaves it alone
        continue;
      }
      append_group(out, text.substr(begin, end - begin), found);
      text.remove_prefix(end + begin);
    }
    return out;
  }

  void append_group(std::string& out, std::string_view name,
                    const std::vector<re2::StringPiece>& found) const {
    std::size_t group = groups;
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      if (name.size() <= 6 && (name.size() == 1 || name[0] != '0')) {
        group = static_cast<std::size_t>(std::stoul(std::string(name)));
      }
    } else {
      const auto& names = regex.NamedCapturingGroups();
      const auto at = names.find(std::string(name));
      if (at != names.end()) group = static_cast<std::size_t>(at->second);
    }
    if (group < found.size()) out.append(found[group].data(), found[group].size());
  }

  RE2 regex;
  std::size_t groups;
};

Result<RelabelRule> RelabelRule::create(RelabelOptions options, NameScheme scheme) {
  const Status checked = check(options, scheme);
  if (!checked.ok()) return checked.error();
  RE2::Options flags(RE2::Quiet);
  flags.set_dot_nl(true);
  flags.set_max_mem(kRegexMemoryMaxBytes);
  auto program = std::make_shared<Program>(with_p_groups(options.regex), flags);
  if (!program->regex.ok()) {
    return invalid(fmt::format("error parsing regexp: {} in \"{}\"", program->regex.error(),
                               options.regex));
  }
  RelabelRule rule;
  rule.options_ = std::move(options);
  rule.scheme_ = scheme;
  rule.program_ = std::move(program);
  return rule;
}

bool RelabelRule::apply(LabelsBuilder& labels) const {
  const Program& program = *program_;
  std::string value;
  for (std::size_t i = 0; i < options_.source_labels.size(); ++i) {
    if (i > 0) value += options_.separator;
    value += labels.get(options_.source_labels[i]);
  }
  // labelmap, labeldrop and labelkeep change the set they walk over.
  const auto copy_of_current = [&] {
    const auto current = labels.current();
    return std::vector<std::pair<std::string, std::string>>(current.begin(), current.end());
  };
  std::vector<re2::StringPiece> found;
  switch (options_.action) {
    case RelabelAction::kDrop: return !program.matches(value);
    case RelabelAction::kKeep: return program.matches(value);
    case RelabelAction::kDropEqual: return labels.get(options_.target_label) != value;
    case RelabelAction::kKeepEqual: return labels.get(options_.target_label) == value;
    case RelabelAction::kReplace: {
      if (!program.match(value, found)) break;
      const std::string target = program.expand(options_.target_label, found);
      if (!valid_label_name(target, scheme_)) break;
      labels.set(target, program.expand(options_.replacement, found));
      break;
    }
    case RelabelAction::kLowercase:
      labels.set(options_.target_label, change_case(value, false));
      break;
    case RelabelAction::kUppercase:
      labels.set(options_.target_label, change_case(value, true));
      break;
    case RelabelAction::kHashMod:
      labels.set(options_.target_label, std::to_string(hash_for_modulus(value) % options_.modulus));
      break;
    case RelabelAction::kLabelMap:
      for (const auto& [name, label_value] : copy_of_current()) {
        if (program.match(name, found)) {
          labels.set(program.expand(options_.replacement, found), label_value);
        }
      }
      break;
    case RelabelAction::kLabelDrop:
    case RelabelAction::kLabelKeep:
      for (const auto& [name, label_value] : copy_of_current()) {
        if (program.matches(name) == (options_.action == RelabelAction::kLabelDrop)) {
          labels.remove(name);
        }
      }
      break;
  }
  return true;
}

bool relabel(std::span<const RelabelRule> rules, LabelsBuilder& labels) {
  for (const RelabelRule& rule : rules) {
    if (!rule.apply(labels)) return false;
  }
  return true;
}

}  // namespace varve::model
