// SPDX-License-Identifier: Apache-2.0
// Prometheus's own functions: queries and their answers, texts, links.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "base/percent_encode.h"
#include "base/try.h"
#include "template/escape.h"
#include "template/format.h"
#include "template/functions.h"
#include "template/host_port.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

// What compiling a template's expression may take.
constexpr std::int64_t kRegexMemoryMaxBytes = 8 << 20;

Error failure(std::string message) { return {ErrorCode::kExecution, std::move(message)}; }

Result<Value> query(const CallContext& context, Arguments arguments) {
  VARVE_TRY(context.budget.query());
  if (!context.environment.query) return failure("queries are not possible here");
  VARVE_TRY_ASSIGN(const Vector vector, context.environment.query(arguments[0].text()));
  return to_value(vector);
}

Result<Value> first(const CallContext&, Arguments arguments) {
  if (arguments[0].samples().empty()) {
    return failure("first() called on vector with no elements");
  }
  return Value::of(arguments[0].samples().front());
}

Result<const QuerySample*> sample_of(const Value& value) {
  if (value.sample() == nullptr) {
    return failure("runtime error: invalid memory address or nil pointer dereference");
  }
  return value.sample().get();
}

std::string label_of(const QuerySample& sample, const std::string& name) {
  const LabelMap& labels = sample.labels.labels();
  const auto at = labels.find(name);
  return at == labels.end() ? std::string() : at->second;
}

Result<Value> label(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const QuerySample* sample, sample_of(arguments[1]));
  return Value::of(label_of(*sample, arguments[0].text()));
}

Result<Value> value(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const QuerySample* sample, sample_of(arguments[0]));
  return sample->value;
}

Result<Value> strvalue(const CallContext&, Arguments arguments) {
  VARVE_TRY_ASSIGN(const QuerySample* sample, sample_of(arguments[0]));
  return Value::of(label_of(*sample, "__value__"));
}

Result<Value> sort_by_label(const CallContext&, Arguments arguments) {
  const std::string& name = arguments[0].text();
  Samples samples = arguments[1].samples();
  std::stable_sort(samples.begin(), samples.end(), [&](const SamplePtr& a, const SamplePtr& b) {
    return label_of(*a, name) < label_of(*b, name);
  });
  return Value::of(std::move(samples));
}

Result<Value> args(const CallContext&, Arguments arguments) {
  ValueMap map;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    map.emplace(fmt::format("arg{}", i), arguments[i]);
  return Value::of(std::move(map));
}

// RE2's reasons in Go's words.
std::string regex_error(const RE2& regex) {
  const auto reason = [&]() -> std::string_view {
    switch (regex.error_code()) {
      case RE2::ErrorBadEscape:
        return "invalid escape sequence";
      case RE2::ErrorBadCharClass:
        return "invalid character class";
      case RE2::ErrorBadCharRange:
        return "invalid character class range";
      case RE2::ErrorMissingBracket:
        return "missing closing ]";
      case RE2::ErrorMissingParen:
        return "missing closing )";
      case RE2::ErrorUnexpectedParen:
        return "unexpected )";
      case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
      case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
      case RE2::ErrorRepeatSize:
        return "invalid repeat count";
      case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
      case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
      case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
      case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
      case RE2::ErrorPatternTooLarge:
        return "expression too large";
      default:
        return "internal error";
    }
  }();
  if (regex.error_code() == RE2::ErrorTrailingBackslash ||
      regex.error_code() == RE2::ErrorPatternTooLarge) {
    return fmt::format("error parsing regexp: {}: ``", reason);
  }
  // Go shows the whole expression where a bracket is not closed.
  const bool whole = regex.error_code() == RE2::ErrorMissingParen ||
                     regex.error_code() == RE2::ErrorUnexpectedParen;
  return fmt::format("error parsing regexp: {}: `{}`", reason,
                     whole ? regex.pattern() : regex.error_arg());
}

// Go also takes (?<name>…) for RE2's (?P<name>…).
std::string in_re2_syntax(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    out += pattern[i];
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      out += pattern[++i];
    } else if (pattern[i] == '[') {
      in_class = true;
    } else if (pattern[i] == ']') {
      in_class = false;
    } else if (!in_class && pattern.substr(i).starts_with("(?<")) {
      out += "?P";
      ++i;
    }
  }
  return out;
}

std::unique_ptr<RE2> compile(const std::string& pattern) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kRegexMemoryMaxBytes);
  return std::make_unique<RE2>(in_re2_syntax(pattern), options);
}

Result<Value> match(const CallContext& context, Arguments arguments) {
  const auto regex = compile(arguments[0].text());
  if (!regex->ok()) return failure(regex_error(*regex));
  VARVE_TRY(context.budget.text(arguments[1].text().size()));
  return Value::of(RE2::PartialMatch(arguments[1].text(), *regex));
}

// Appends what "$1", "${1}", "$name", "${name}" and "$$" in `replacement` stand for. A reference to
// a group that is not there is empty; a '$' that refers to nothing stays.
void expand_references(const RE2& regex, std::string_view replacement,
                       std::span<const re2::StringPiece> groups, std::string& out) {
  while (!replacement.empty()) {
    const std::size_t dollar = std::min(replacement.find('$'), replacement.size());
    out += replacement.substr(0, dollar);
    replacement.remove_prefix(dollar);
    if (replacement.empty()) return;
    replacement.remove_prefix(1);
    if (replacement.starts_with('$')) {
      out += '$';
      replacement.remove_prefix(1);
      continue;
    }
    const bool braced = replacement.starts_with('{');
    std::string_view name = replacement.substr(braced ? 1 : 0);
    std::size_t size = 0;
    for (Rune rune = decode_rune(name, 0); rune.width > 0; rune = decode_rune(name, size)) {
      if (rune.value != '_' && !is_letter(rune.value) && !is_digit(rune.value)) break;
      size += rune.width;
    }
    name = name.substr(0, size);
    if (name.empty() || (braced && !replacement.substr(size + 1).starts_with('}'))) {
      out += '$';
      continue;
    }
    replacement.remove_prefix(size + (braced ? 2 : 0));
    std::size_t group = groups.size();
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), group);
    if (status != std::errc() || end != name.data() + name.size()) {
      const auto& named = regex.NamedCapturingGroups();
      const auto at = named.find(std::string(name));
      group = at == named.end() ? groups.size() : static_cast<std::size_t>(at->second);
    }
    if (group < groups.size() && groups[group].data() != nullptr) {
      out.append(groups[group].data(), groups[group].size());
    }
  }
}

Result<Value> replace_all(const CallContext& context, Arguments arguments) {
  const std::string& pattern = arguments[0].text();
  const std::string& text = arguments[2].text();
  const auto regex = compile(pattern);
  if (!regex->ok()) {
    return failure(
        fmt::format("regexp: Compile({}): {}",
                    pattern.find('`') == std::string::npos ? "`" + pattern + "`" : quote(pattern),
                    regex_error(*regex)));
  }
  VARVE_TRY(context.budget.text(text.size()));
  std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex->NumberOfCapturingGroups()) +
                                       1);
  std::string out;
  std::size_t copied = 0;  // up to here the text is in `out`
  std::size_t from = 0;
  while (from <= text.size()) {
    if (!regex->Match(text, from, text.size(), RE2::UNANCHORED, groups.data(),
                      static_cast<int>(groups.size()))) {
      break;
    }
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    const std::size_t end = begin + groups[0].size();
    out.append(text, copied, begin - copied);
    // An empty match right after another one does not count.
    if (end > copied || begin == 0) {
      expand_references(*regex, arguments[1].text(), groups, out);
    }
    if (out.size() > context.budget.limits().output_max_bytes) break;  // the caller refuses it
    copied = end;
    const std::size_t width = std::max<std::size_t>(decode_rune(text, from).width, 1);
    from = std::max(from + width, end);
  }
  if (copied < text.size()) out.append(text, copied, std::string::npos);
  return Value::of(std::move(out));
}

Result<Value> safe_html(const CallContext&, Arguments arguments) {
  return Value::of(arguments[0].text(), Type::kHtml);
}

template <char32_t (*kChange)(char32_t)>
Result<Value> change_case(const CallContext&, Arguments arguments) {
  const std::string& text = arguments[0].text();
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const Rune rune = decode_rune(text, at);
    append_rune(out, kChange(rune.value));
    at += rune.width;
  }
  return Value::of(std::move(out));
}

// The one common letter whose capital is two.
constexpr char32_t kSharpS = 0xdf;

// Whether a word goes on over this character, between two letters or digits.
bool joins_words(char32_t rune) {
  return rune == '\'' || rune == '.' || rune == ':' || rune == 0x2019 || rune == 0xb7;
}

// The first cased letter of each word as a capital; the others stay as they are.
Result<Value> title(const CallContext&, Arguments arguments) {
  const std::string& text = arguments[0].text();
  std::string out;
  bool in_word = false, cased = false;
  for (std::size_t at = 0; at < text.size();) {
    const Rune rune = decode_rune(text, at);
    at += rune.width;
    const char32_t c = rune.value;
    if (is_letter(c) || is_digit(c) || c == '_') {
      in_word = true;
      if (c == kSharpS && !cased) {
        out += "Ss";
        cased = true;
        continue;
      }
      append_rune(out, cased ? c : to_upper(c));
      cased = cased || is_cased(c);
      continue;
    }
    const char32_t after = decode_rune(text, at).value;
    const bool goes_on = in_word && joins_words(c) && (is_letter(after) || is_digit(after));
    if (!goes_on) in_word = cased = false;
    append_rune(out, c);
  }
  return Value::of(std::move(out));
}

Result<Value> graph_link(const CallContext&, Arguments arguments) {
  return Value::of("/graph?g0.expr=" + base::query_escape(arguments[0].text()) + "&g0.tab=0");
}

Result<Value> table_link(const CallContext&, Arguments arguments) {
  return Value::of("/graph?g0.expr=" + base::query_escape(arguments[0].text()) + "&g0.tab=1");
}

Result<Value> url_query_escape(const CallContext&, Arguments arguments) {
  return Value::of(base::query_escape(arguments[0].text()));
}

Result<Value> strip_port(const CallContext&, Arguments arguments) {
  const auto split = split_host_port(arguments[0].text());
  return split ? Value::of(split->host) : arguments[0];
}

Result<Value> strip_domain(const CallContext&, Arguments arguments) {
  const std::string& text = arguments[0].text();
  HostPort address = split_host_port(text).value_or(HostPort{text, ""});
  if (is_ip_address(address.host)) return arguments[0];
  address.host.resize(std::min(address.host.find('.'), address.host.size()));
  return Value::of(address.port.empty() ? address.host : join_host_port(address));
}

Result<Value> external_url(const CallContext& context, Arguments) {
  return Value::of(context.environment.external_url);
}

Result<Value> path_prefix(const CallContext& context, Arguments) {
  const std::string& url = context.environment.external_url;
  const std::size_t scheme = url.find("://");
  const std::size_t path = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  if (path == std::string::npos) return Value::of(std::string());
  const std::size_t end = std::min(url.find_first_of("?#", path), url.size());
  return Value::of(url.substr(path, end - path));
}

}  // namespace

std::span<const Function> prometheus_functions() {
  constexpr auto kString = Type::kString;
  static const std::vector<Function> functions = {
      {"query", {kString}, false, query},
      {"first", {Type::kSamples}, false, first},
      {"label", {kString, Type::kSample}, false, label},
      {"value", {Type::kSample}, false, value},
      {"strvalue", {Type::kSample}, false, strvalue},
      {"sortByLabel", {kString, Type::kSamples}, false, sort_by_label},
      {"args", {Type::kAny}, true, args},
      {"match", {kString, kString}, false, match},
      {"reReplaceAll", {kString, kString, kString}, false, replace_all},
      {"safeHtml", {kString}, false, safe_html},
      {"title", {kString}, false, title},
      {"toUpper", {kString}, false, change_case<to_upper>},
      {"toLower", {kString}, false, change_case<to_lower>},
      {"graphLink", {kString}, false, graph_link},
      {"tableLink", {kString}, false, table_link},
      {"urlQueryEscape", {kString}, false, url_query_escape},
      {"stripPort", {kString}, false, strip_port},
      {"stripDomain", {kString}, false, strip_domain},
      {"externalURL", {}, false, external_url},
      {"pathPrefix", {}, false, path_prefix},
  };
  return functions;
}

}  // namespace varve::templates
