#include "config/text.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/strutil.h>

#include <charconv>

#include "config/text_error.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using google::protobuf::TextFormat;

// The parser reads a double and rounds it to float, so a float's shortest text
// can come back as its neighbour; then the digits of the double it equals do.
std::string shortest_text(float value) {
  const std::string text = fmt::format("{}", value);
  double read = 0;
  std::from_chars(text.data(), text.data() + text.size(), read);
  return static_cast<float>(read) == value ? text : fmt::format("{}", double{value});
}

class ReadableValues : public TextFormat::FastFieldValuePrinter {
 public:
  void PrintFloat(float value, TextFormat::BaseTextGenerator* out) const override {
    out->PrintString(shortest_text(value));
  }
  void PrintString(const std::string& value, TextFormat::BaseTextGenerator* out) const override {
    out->PrintString(fmt::format("\"{}\"", google::protobuf::strings::Utf8SafeCEscape(value)));
  }
  void PrintDouble(double value, TextFormat::BaseTextGenerator* out) const override {
    out->PrintString(fmt::format("{}", value));
  }
};

}  // namespace

std::unique_ptr<Message> parse_text(const std::string& text, const std::string& origin,
                                    TextFormat::ParseInfoTree* locations) {
  std::unique_ptr<Message> experiment = empty_message();
  FirstProblem problem;
  TextFormat::Parser parser;
  parser.SetRecursionLimit(kMostNested);
  parser.RecordErrorsTo(&problem);
  parser.WriteLocationsTo(locations);
  if (!parser.ParseFromString(text, experiment.get())) {
    fail_usage("{}:{}: {}", origin, problem.place(text), problem.explanation(text));
  }
  return experiment;
}

std::string print_text(const Message& experiment) {
  TextFormat::Printer printer;
  printer.SetDefaultFieldValuePrinter(new ReadableValues);  // the printer owns it
  std::string text;
  if (!printer.PrintToString(experiment, &text)) {
    fail_internal("an experiment could not be written as text");
  }
  return text;
}

}  // namespace lockstep
