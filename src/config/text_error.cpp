#include "config/text_error.h"

#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "config/grammar.h"
#include "config/names.h"

namespace lockstep {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::io::Tokenizer;

// The parser notices these only after it has read the token at fault, so that it
// reports the place of the next one.
bool reported_late(std::string_view message) {
  for (const std::string_view start :
       {"Message type", "Unknown enumeration", "Invalid value for boolean", "Non-repeated field",
        "Field \""}) {
    if (message.starts_with(start)) return true;
  }
  return false;
}

// The tokens of `text` that start before line and column, as the parser sees them.
std::vector<Tokenizer::Token> tokens_before(const std::string& text, int line, int column) {
  FirstProblem ignored;
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  Tokenizer tokenizer(&stream, &ignored);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_allow_f_after_float(true);
  tokenizer.set_require_space_after_number(false);
  tokenizer.set_allow_multiline_strings(true);
  std::vector<Tokenizer::Token> tokens;
  while (tokenizer.Next()) {
    const Tokenizer::Token& token = tokenizer.current();
    if (std::tie(token.line, token.column) >= std::tie(line, column)) break;
    tokens.push_back(token);
  }
  return tokens;
}

// What stands between double quotes in `message`.
std::vector<std::string> quoted_parts(const std::string& message) {
  std::vector<std::string> parts;
  std::size_t open = message.find('"');
  while (open != std::string::npos) {
    const std::size_t close = message.find('"', open + 1);
    if (close == std::string::npos) break;
    parts.push_back(message.substr(open + 1, close - open - 1));
    open = message.find('"', close + 1);
  }
  return parts;
}

// The field called `name` that is of one of the types; in this grammar a name stands for one
// enum in all its sections, and for one type of whole numbers.
const FieldDescriptor* field_of(const std::string& name,
                                std::initializer_list<FieldDescriptor::CppType> types) {
  const FileDescriptor& file = *experiment_grammar().file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto* found = file.message_type(i)->FindFieldByName(name);
    if (found == nullptr) continue;
    if (std::find(types.begin(), types.end(), found->cpp_type()) != types.end()) return found;
  }
  return nullptr;
}

std::string explain_unknown_field(const std::string& section_name, const std::string& field) {
  const Descriptor* section = experiment_grammar().file()->FindMessageTypeByName(section_name);
  if (section == nullptr) return fmt::format("unknown field \"{}\"", field);
  return fmt::format("unknown field \"{}\" in {}{}", field, section->name(),
                     suggestion(field, field_names(*section)));
}

std::string explain_unknown_value(const std::string& value, const std::string& field) {
  const FieldDescriptor* of_enum = field_of(field, {FieldDescriptor::CPPTYPE_ENUM});
  return fmt::format(
      "{}: unknown value \"{}\"{}", field, value,
      of_enum == nullptr ? "" : suggestion(value, value_names(*of_enum->enum_type())));
}

// The field whose value begins where the tokens end; else empty.
std::string field_of_value(std::vector<Tokenizer::Token> tokens) {
  if (!tokens.empty() && tokens.back().text == "-") tokens.pop_back();
  if (tokens.size() < 2 || tokens.back().text != ":") return {};
  return tokens[tokens.size() - 2].text;
}

// `number` as the parser tells it, in parentheses.
std::string explain_out_of_range(const std::string& field, std::string_view number) {
  const FieldDescriptor* of_number =
      field_of(field, {FieldDescriptor::CPPTYPE_INT32, FieldDescriptor::CPPTYPE_UINT64});
  return fmt::format("{}: out of range {}{}", field, number,
                     of_number == nullptr ? "" : "; expected " + number_words(*of_number));
}

// The number whose sign stands at line and column; the sign alone where blanks follow it.
std::string signed_number(const std::string& text, int line, int column) {
  const std::vector<Tokenizer::Token> tokens = tokens_before(text, line, column + 2);
  if (tokens.size() < 2 || tokens[tokens.size() - 2].text != "-") return "-";
  return "-" + tokens.back().text;
}

// What the parser expected of a value, in plain words; empty for anything else.
std::string_view plain_type(std::string_view message) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {"Expected integer, got", "a whole number"},
      {"Expected double, got", "a number"},
      {"Expected string, got", "a string in double quotes"},
      {"Expected integer or identifier, got", "one of its values, without quotes"},
      {"Expected identifier, got", "true or false"},
  };
  for (const auto& [start, type] : kTypes) {
    if (message.starts_with(start)) return type;
  }
  return {};
}

}  // namespace

void FirstProblem::AddError(int line, int column, const std::string& message) {
  if (!message_.empty()) return;
  line_ = line;
  column_ = column;
  message_ = message;
}

std::string FirstProblem::explanation(const std::string& text) const {
  const std::vector<std::string> parts = quoted_parts(message_);
  if (message_.starts_with("Message type") && parts.size() == 2) {
    return explain_unknown_field(parts[0], parts[1]);
  }
  if (message_.starts_with("Unknown enumeration") && parts.size() == 2) {
    return explain_unknown_value(parts[0], parts[1]);
  }
  if (message_.starts_with("Invalid value for boolean") && parts.size() == 2) {
    return fmt::format("{}: expected true or false, got {}", parts[0], parts[1]);
  }
  // Where no value was expected, the parser's own words are the best.
  const std::string field = field_of_value(tokens_before(text, line_, column_));
  const std::string_view type = plain_type(message_);
  if (field.empty()) return message_;
  constexpr std::string_view kOutOfRange = "Integer out of range ";
  if (message_.starts_with(kOutOfRange)) {
    return explain_out_of_range(field, message_.substr(kOutOfRange.size()));
  }
  if (message_ == "Expected integer, got: -") {
    return explain_out_of_range(field, fmt::format("({})", signed_number(text, line_, column_)));
  }
  if (type.empty()) return field + ": " + message_;
  return fmt::format("{}: expected {}, got {}", field, type,
                     message_.substr(message_.find(": ") + 2));
}

std::string FirstProblem::place(const std::string& text) const {
  int line = line_;
  int column = column_;
  if (reported_late(message_)) {
    const std::vector<Tokenizer::Token> before = tokens_before(text, line, column);
    if (!before.empty()) {
      line = before.back().line;
      column = before.back().column;
    }
  }
  return fmt::format("{}:{}", line + 1, column + 1);
}

}  // namespace lockstep
