// SPDX-License-Identifier: Apache-2.0
#include "template/format.h"

#include <fmt/format.h>

#include <optional>

#include "model/histogram.h"
#include "template/format_number.h"
#include "template/moment.h"
#include "template/unicode.h"

namespace varve::templates {
namespace {

// Go refuses larger widths, precisions and argument numbers.
constexpr std::int64_t kNumberMax = 1'000'000;

std::uint64_t magnitude_of(std::int64_t number) {
  return number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
}

// The text of a value that has a String method.
std::optional<std::string> own_text(const Value& value) {
  switch (value.type) {
    case Type::kTime:
    case Type::kTimePointer:
      return format_time(value.integer());
    case Type::kDuration:
    case Type::kDurationPointer:
      return format_duration(value.integer());
    case Type::kMonth:
      return std::string(month_name(value.integer()));
    case Type::kWeekday:
      return std::string(weekday_name(value.integer()));
    case Type::kHistogram:
      return model::to_string(*value.histogram());
    default:
      return std::nullopt;
  }
}

class Printer {
 public:
  // '+' and '#' of %+v and %#v ask for names and Go's syntax; they are no flags of the parts.
  Printer(std::string& out, char32_t verb, const FormatFlags& flags)
      : out_(out),
        verb_(verb),
        flags_(flags),
        names_(verb == 'v' && flags.plus),
        go_syntax_(verb == 'v' && flags.sharp) {
    if (verb == 'v') flags_.plus = flags_.sharp = false;
  }

  void print(const Value& value, bool outermost = true) {
    if (!value.concrete()) {
      if (verb_ == 'v' || verb_ == 'T') {
        out_ += padded("<nil>", flags_);
      } else {
        bad_verb(value);
      }
      return;
    }
    if (verb_ == 'T' && outermost) {
      text(type_name(value.type), 's');
      return;
    }
    if (takes_text() && !go_syntax_) {
      if (const auto own = own_text(value)) {
        text(*own, verb_ == 'v' ? 's' : static_cast<char>(verb_));
        return;
      }
    }
    print_by_kind(value, outermost);
  }

 private:
  bool takes_text() const {
    return verb_ == 'v' || verb_ == 's' || verb_ == 'q' || verb_ == 'x' || verb_ == 'X';
  }

  void print_by_kind(const Value& value, bool outermost) {
    switch (kind_of(value.type)) {
      case Kind::kBool:
        if (verb_ != 't' && verb_ != 'v') return bad_verb(value);
        out_ += padded(value.truth() ? "true" : "false", flags_);
        return;
      case Kind::kInteger:
        return integer(value, magnitude_of(value.integer()), value.integer() < 0);
      case Kind::kUnsigned:
        return integer(value, value.natural(), false);
      case Kind::kFloat:
        return number(value);
      case Kind::kString:
        if (!takes_text()) return bad_verb(value);
        if (verb_ == 'v') {
          text(value.text(), go_syntax_ ? 'q' : 's');
        } else {
          text(value.text(), static_cast<char>(verb_));
        }
        return;
      case Kind::kMap:
        return map(value);
      case Kind::kSlice:
        return slice(value);
      case Kind::kPointer:
        return pointer(value, outermost);
      case Kind::kStruct:
        return structure(value);
      case Kind::kInvalid:
      case Kind::kInterface:
        return;
    }
  }

  void integer(const Value& value, std::uint64_t magnitude, bool negative) {
    const auto rune =
        negative || magnitude > 0x10ffff ? kReplacementRune : static_cast<char32_t>(magnitude);
    switch (verb_) {
      case 'v':
        if (go_syntax_ && kind_of(value.type) == Kind::kUnsigned) {
          out_ += fmt::format("0x{:x}", magnitude);
          return;
        }
        out_ += format_integer(magnitude, negative, 'd', flags_);
        return;
      case 'd':
      case 'b':
      case 'o':
      case 'O':
      case 'x':
      case 'X':
        out_ += format_integer(magnitude, negative, static_cast<char>(verb_), flags_);
        return;
      case 'c': {
        std::string character;
        append_rune(character, rune);
        out_ += padded(std::move(character), flags_);
        return;
      }
      case 'q':
        out_ += padded(quote_rune(rune, flags_.plus), flags_);
        return;
      case 'U':
        out_ += padded(negative               ? fmt::format("U+{:04X}", 0 - magnitude)
                       : magnitude > 0x10ffff ? fmt::format("U+{:04X}", magnitude)
                                              : unicode_name(rune, flags_.sharp),
                       flags_);
        return;
      default:
        bad_verb(value);
    }
  }

  void number(const Value& value) {
    switch (verb_) {
      case 'v':
        out_ += format_float(value.number(), 'g', flags_);
        return;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'x':
      case 'X':
        out_ += format_float(value.number(), static_cast<char>(verb_), flags_);
        return;
      default:
        bad_verb(value);
    }
  }

  void text(std::string_view content, char verb) {
    if (verb == 's' || verb == 'q') {
      if (flags_.precision) {
        content =
            content.substr(0, prefix_bytes(content, static_cast<std::size_t>(std::max<std::int64_t>(
                                                        *flags_.precision, 0))));
      }
      if (verb == 's') {
        out_ += padded(std::string(content), flags_);
        return;
      }
      const bool raw = flags_.sharp && content.find('`') == std::string_view::npos &&
                       content.find_first_of("\n\r\x7f") == std::string_view::npos;
      out_ += padded(raw ? fmt::format("`{}`", content) : quote(content, flags_.plus), flags_);
      return;
    }
    // %x and %X: two digits a byte.
    if (flags_.precision) {
      content =
          content.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(*flags_.precision, 0)));
    }
    std::string digits;
    const std::string_view prefix = !flags_.sharp ? "" : verb == 'x' ? "0x" : "0X";
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (i > 0 && flags_.space) digits += ' ';
      if (i == 0 || flags_.space) digits += prefix;
      const auto byte = static_cast<unsigned char>(content[i]);
      digits += verb == 'x' ? fmt::format("{:02x}", byte) : fmt::format("{:02X}", byte);
    }
    out_ += padded(std::move(digits), flags_);
  }

  void map(const Value& value) {
    out_ += go_syntax_ ? std::string(type_name(value.type)) + "{" : "map[";
    bool first = true;
    const auto entry = [&](const std::string& key, const Value& element) {
      if (!first) out_ += go_syntax_ ? ", " : " ";
      first = false;
      print(Value::of(key), false);
      out_ += ':';
      print(element, false);
    };
    if (value.type == Type::kLabels) {
      for (const auto& [key, label] : value.labels()) entry(key, Value::of(label));
    } else {
      for (const auto& [key, element] : value.map()) entry(key, element);
    }
    out_ += go_syntax_ ? '}' : ']';
  }

  void slice(const Value& value) {
    out_ += '[';
    for (std::size_t i = 0; i < value.samples().size(); ++i) {
      if (i > 0) out_ += ' ';
      pointer(Value::of(value.samples()[i]), false);
    }
    out_ += ']';
  }

  // Inside others Go prints an address, which is another one each time: ours says nothing.
  void pointer(const Value& value, bool outermost) {
    if (value.type != Type::kSample || !outermost || value.sample() == nullptr) {
      out_ += value.type == Type::kSample && value.sample() == nullptr ? "<nil>" : "0x0";
      return;
    }
    out_ += '&';
    structure(value);
  }

  void structure(const Value& value) {
    if (value.type == Type::kSample) {
      fields({{"Labels", &value.sample()->labels}, {"Value", &value.sample()->value}});
    } else if (value.type == Type::kAlertData) {
      const AlertView& alert = value.alert();
      fields({{"Labels", &alert.labels},
              {"ExternalLabels", &alert.external_labels},
              {"ExternalURL", &alert.external_url},
              {"Value", &alert.value}});
    } else {
      bad_verb(value);  // a time under a verb for numbers
    }
  }

  void fields(std::initializer_list<std::pair<std::string_view, const Value*>> all) {
    out_ += '{';
    bool first = true;
    for (const auto& [name, value] : all) {
      if (!first) out_ += ' ';
      first = false;
      if (names_ || go_syntax_) out_.append(name).append(":");
      print(*value, false);
    }
    out_ += '}';
  }

  void bad_verb(const Value& value) {
    out_ += "%!";
    append_rune(out_, verb_);
    out_ += '(';
    if (value.concrete()) {
      out_.append(type_name(value.type)).append("=");
      // The value under its flags, without a method's help.
      Printer plain(out_, 'v', flags_);
      plain.flags_ = flags_;
      plain.names_ = plain.go_syntax_ = false;
      plain.print_by_kind(value, true);
    } else {
      out_ += "<nil>";
    }
    out_ += ')';
  }

  std::string& out_;
  char32_t verb_;
  FormatFlags flags_;
  bool names_;
  bool go_syntax_;
};

// A walk over a format text.
class Format {
 public:
  Format(std::string_view format, Arguments values, std::size_t size_max)
      : format_(format), values_(values), size_max_(size_max) {}

  std::string run() {
    while (at_ < format_.size() && out_.size() <= size_max_) {
      const std::size_t percent = std::min(format_.find('%', at_), format_.size());
      out_ += format_.substr(at_, percent - at_);
      at_ = percent;
      if (at_ < format_.size()) directive();
    }
    if (!reordered_ && next_ < values_.size()) extra();
    return std::move(out_);
  }

 private:
  void directive() {
    ++at_;
    FormatFlags flags = read_flags();
    bool after_index = argument_number();
    good_number_ = good_number_ && true;
    if (at_ < format_.size() && format_[at_] == '*') {
      ++at_;
      flags.width = int_argument();
      if (!flags.width) out_ += "%!(BADWIDTH)";
      if (flags.width && *flags.width < 0) {
        flags.width = -*flags.width;
        flags.minus = true;
        flags.zero = false;
      }
      after_index = false;
    } else {
      flags.width = read_number();
      if (after_index && flags.width) good_number_ = false;  // "%[3]2d"
    }
    if (at_ + 1 <= format_.size() && at_ < format_.size() && format_[at_] == '.') {
      ++at_;
      if (after_index) good_number_ = false;  // "%[3].2d"
      after_index = argument_number();
      if (at_ < format_.size() && format_[at_] == '*') {
        ++at_;
        flags.precision = int_argument();
        if (flags.precision && *flags.precision < 0) {
          flags.precision.reset();  // as Go: none
          out_ += "%!(BADPREC)";
        } else if (!flags.precision) {
          out_ += "%!(BADPREC)";
        }
        after_index = false;
      } else {
        flags.precision = read_number().value_or(0);
      }
    }
    if (!after_index) argument_number();
    if (at_ >= format_.size()) {
      out_ += "%!(NOVERB)";
      return;
    }
    const Rune verb = decode_rune(format_, at_);
    at_ += verb.width;
    finish(verb.value, flags);
  }

  void finish(char32_t verb, const FormatFlags& flags) {
    if (verb == '%') {
      out_ += '%';
    } else if (!good_number_) {
      problem(verb, "BADINDEX");
      good_number_ = true;
    } else if (next_ >= values_.size()) {
      problem(verb, "MISSING");
    } else {
      Printer(out_, verb, flags).print(values_[next_++]);
    }
  }

  void problem(char32_t verb, std::string_view what) {
    out_ += "%!";
    append_rune(out_, verb);
    out_.append("(").append(what).append(")");
  }

  FormatFlags read_flags() {
    FormatFlags flags;
    for (; at_ < format_.size(); ++at_) {
      switch (format_[at_]) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = !flags.minus;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          flags.zero = false;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return flags;
      }
    }
    return flags;
  }

  std::optional<std::int64_t> read_number() {
    std::optional<std::int64_t> number;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9') {
      number = number.value_or(0) * 10 + (format_[at_++] - '0');
      if (*number > kNumberMax)
        return std::nullopt;  // the rest of the digits are the verb's trouble
    }
    return number;
  }

  // "[3]" sets which value is next.
  bool argument_number() {
    if (at_ >= format_.size() || format_[at_] != '[') return false;
    reordered_ = true;
    const std::size_t close = format_.find(']', at_);
    if (close == std::string_view::npos) {
      ++at_;
      good_number_ = false;
      return false;
    }
    std::int64_t number = 0;
    bool good = close > at_ + 1;
    for (std::size_t i = at_ + 1; i < close && good; ++i) {
      good = format_[i] >= '0' && format_[i] <= '9' && number <= kNumberMax;
      if (good) number = number * 10 + (format_[i] - '0');
    }
    at_ = close + 1;
    if (!good || number < 1 || static_cast<std::size_t>(number) > values_.size()) {
      good_number_ = false;
      return good;
    }
    next_ = static_cast<std::size_t>(number) - 1;
    return true;
  }

  // The value of a '*'.
  std::optional<std::int64_t> int_argument() {
    if (next_ >= values_.size()) return std::nullopt;
    const Value& value = values_[next_++];
    if (kind_of(value.type) == Kind::kUnsigned) {
      const std::uint64_t number = value.natural();
      return number > kNumberMax ? std::nullopt : std::optional(static_cast<std::int64_t>(number));
    }
    if (kind_of(value.type) != Kind::kInteger) return std::nullopt;
    const std::int64_t number = value.integer();
    if (number > kNumberMax || number < -kNumberMax) return std::nullopt;
    return number;
  }

  void extra() {
    out_ += "%!(EXTRA ";
    for (std::size_t i = next_; i < values_.size() && out_.size() <= size_max_; ++i) {
      if (i > next_) out_ += ", ";
      if (values_[i].concrete()) {
        out_.append(type_name(values_[i].type)).append("=").append(to_text(values_[i]));
      } else {
        out_ += "<nil>";
      }
    }
    out_ += ')';
  }

  std::string_view format_;
  Arguments values_;
  std::size_t size_max_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  bool reordered_ = false;
  bool good_number_ = true;
  std::string out_;
};

}  // namespace

std::string to_text(const Value& value) {
  std::string out;
  const FormatFlags flags;
  Printer(out, 'v', flags).print(value);
  return out;
}

std::string sprint(Arguments values) {
  std::string out;
  bool after_string = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool is_string = kind_of(values[i].type) == Kind::kString;
    if (i > 0 && !is_string && !after_string) out += ' ';
    out += to_text(values[i]);
    after_string = is_string;
  }
  return out;
}

std::string sprintln(Arguments values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ' ';
    out += to_text(values[i]);
  }
  return out += '\n';
}

std::string sprintf(std::string_view format, Arguments values, std::size_t size_max) {
  return Format(format, values, size_max).run();
}

Value printable(const Value& value) {
  if (!value.concrete()) return Value::of(std::string("<no value>"));
  return dereferenced(value);
}

std::string printed(const Value& value) {
  std::string text = to_text(printable(value));
  // A pointer to a struct is followed too.
  if (value.type == Type::kSample && text.starts_with('&')) text.erase(0, 1);
  return text;
}

}  // namespace varve::templates
