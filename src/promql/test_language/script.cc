// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/script.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "model/duration.h"
#include "promql/parse/lexer.h"
#include "promql/parse/text.h"

namespace varve::promql::test_language {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && is_space(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// The first word of a line; `text` becomes the trimmed rest.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
  const std::string_view word = text.substr(0, end);
  text = trimmed(text.substr(end));
  return word;
}

Error refused(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

class ScriptParser {
 public:
  explicit ScriptParser(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = trimmed(text.substr(0, end));
      lines_.push_back(line.starts_with('#') ? std::string_view() : line);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  Result<std::vector<Command>> parse() {
    std::vector<Command> commands;
    while (at_ < lines_.size()) {
      if (lines_[at_].empty()) {
        ++at_;
        continue;
      }
      Result<Command> command = parse_command();
      if (!command.ok()) {
        return std::move(command).error().with("line " + std::to_string(at_ + 1));
      }
      commands.push_back(std::move(command).value());
    }
    return commands;
  }

 private:
  // Leaves at_ at the line that is wrong, or behind the command.
  Result<Command> parse_command() {
    std::string_view rest = lines_[at_];
    const std::string word = to_lower(take_word(rest));
    if (word == "clear") {
      ++at_;
      return Command(ClearCommand{});
    }
    if (word == "load" || word == "load_with_nhcb") return parse_load(rest, word != "load");
    if (word.starts_with("eval")) return parse_eval(word, rest);
    return refused("unknown command " + quote_prefix(word, 40));
  }

  Result<Command> parse_load(std::string_view rest, bool with_custom_buckets) {
    LoadCommand load;
    load.with_custom_buckets = with_custom_buckets;
    VARVE_TRY_ASSIGN(load.step_ms, model::parse_duration(rest));
    std::optional<SeriesLine> start_times;
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_) {
      VARVE_TRY_ASSIGN(SeriesLine series, parse_series_line(lines_[at_]));
      if (series.start_times) {
        start_times = std::move(series);
        continue;
      }
      if (start_times) {
        if (start_times->labels != series.labels ||
            start_times->start_offsets_ms.size() != series.values.size()) {
          return refused("the @st line before does not fit this series");
        }
        series.start_offsets_ms = std::move(start_times->start_offsets_ms);
        start_times.reset();
      }
      std::erase_if(load.series,
                    [&](const SeriesLine& earlier) { return earlier.labels == series.labels; });
      load.series.push_back(std::move(series));
    }
    return Command(std::move(load));
  }

  Result<Command> parse_eval(std::string_view command, std::string_view rest) {
    EvalCommand eval;
    eval.line = at_ + 1;
    if (command == "eval_fail") eval.fail = MessagePattern{};
    if (command == "eval_warn") eval.warnings.patterns.push_back({});
    if (command == "eval_info") eval.infos.patterns.push_back({});
    if (command == "eval_ordered") eval.ordered = true;
    VARVE_TRY(parse_times(eval, rest));
    for (++at_; at_ < lines_.size() && !lines_[at_].empty(); ++at_) {
      if (eval.scalar) return refused("a scalar result must be the last line");
      VARVE_TRY(parse_eval_line(eval, lines_[at_]));
    }
    return Command(std::move(eval));
  }

  static Status parse_times(EvalCommand& eval, std::string_view rest) {
    const std::string kind = to_lower(take_word(rest));
    if (kind == "instant") {
      if (rest.starts_with("at ") || rest.starts_with("at\t")) {
        take_word(rest);
        VARVE_TRY_ASSIGN(eval.time_ms, model::parse_duration(take_word(rest)));
      }
    } else if (kind == "range") {
      eval.is_range = true;
      VARVE_TRY_ASSIGN(eval.range, parse_step_range(rest));
    } else {
      return refused("eval must be followed by instant or range");
    }
    if (rest.empty()) return refused("eval without a query");
    eval.query = rest;
    return {};
  }

  // "from <start> to <end> step <step>"; `rest` moves behind it.
  static Result<StepRange> parse_step_range(std::string_view& rest) {
    StepRange range;
    if (take_word(rest) != "from") return refused("a range begins with from");
    VARVE_TRY_ASSIGN(range.start_ms, model::parse_duration(take_word(rest)));
    if (take_word(rest) != "to") return refused("expected to behind the start of a range");
    VARVE_TRY_ASSIGN(range.end_ms, model::parse_duration(take_word(rest)));
    if (take_word(rest) != "step") return refused("expected step behind the end of a range");
    VARVE_TRY_ASSIGN(range.step_ms, model::parse_duration(take_word(rest)));
    if (range.step_ms <= 0 || range.end_ms < range.start_ms) {
      return refused("a range needs a step above 0 and an end that is not before its start");
    }
    return range;
  }

  static Status parse_eval_line(EvalCommand& eval, std::string_view line) {
    std::string_view rest = line;
    const std::string_view word = take_word(rest);
    if (word == "expect") return parse_expectation(eval, rest);
    if (eval.fail && word == "expected_fail_message") {
      eval.fail = MessagePattern{MessagePattern::Kind::kExact, std::string(rest)};
      return {};
    }
    if (eval.fail && word == "expected_fail_regexp") {
      eval.fail = MessagePattern{MessagePattern::Kind::kRegex, std::string(rest)};
      return {};
    }
    if (eval.scalar = parse_scalar_line(line); eval.scalar) return {};
    VARVE_TRY_ASSIGN(SeriesLine series, parse_series_line(line));
    if (series.start_times) return refused("start timestamps cannot be expected");
    if (!eval.is_range && !eval.range_vector && series.values.size() != 1) {
      return refused("an instant query gives one value per series");
    }
    eval.series.push_back(std::move(series));
    return {};
  }

  static Status parse_expectation(EvalCommand& eval, std::string_view rest) {
    const std::string_view line = rest;
    const std::string_view word = take_word(rest);
    if (word == "ordered") {
      if (eval.is_range) return refused("the results of a range query are always sorted");
      eval.ordered = true;
    } else if (word == "fail") {
      if (eval.fail) return refused("more than one expect fail");
      VARVE_TRY_ASSIGN(eval.fail, parse_pattern(rest));
    } else if (word == "warn" || word == "info") {
      VARVE_TRY_ASSIGN(MessagePattern pattern, parse_pattern(rest));
      (word == "warn" ? eval.warnings : eval.infos).patterns.push_back(std::move(pattern));
    } else if (word == "no_warn") {
      eval.warnings.none = true;
    } else if (word == "no_info") {
      eval.infos.none = true;
    } else if (word == "string") {
      Lexer lexer(rest);
      const Token token = lexer.next();
      if (!token.is(TokenType::kString)) return refused("expect string needs a quoted string");
      eval.string = unquote(token.text);
    } else if (line.starts_with("range vector ")) {
      take_word(rest);
      VARVE_TRY_ASSIGN(eval.range_vector, parse_step_range(rest));
      eval.time_ms = eval.range_vector->end_ms;
    } else {
      return refused("unknown expectation " + quote_prefix(line, 40));
    }
    if ((eval.warnings.none && !eval.warnings.patterns.empty()) ||
        (eval.infos.none && !eval.infos.patterns.empty())) {
      return refused("annotations of one kind are both expected and excluded");
    }
    return {};
  }

  static Result<MessagePattern> parse_pattern(std::string_view text) {
    if (text.empty()) return MessagePattern{};
    for (const auto& [prefix, kind] : {std::pair("msg:", MessagePattern::Kind::kExact),
                                       std::pair("regex:", MessagePattern::Kind::kRegex)}) {
      if (!text.starts_with(prefix)) continue;
      const std::string_view pattern = trimmed(text.substr(std::string_view(prefix).size()));
      return MessagePattern{kind, std::string(pattern)};
    }
    return refused("expected msg: or regex:, got " + quote_prefix(text, 40));
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Command>> parse_script(std::string_view text) {
  return ScriptParser(text).parse();
}

}  // namespace varve::promql::test_language
