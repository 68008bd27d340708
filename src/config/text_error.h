// Problems in an experiment's text, in the words of this project.
#pragma once

#include <google/protobuf/io/tokenizer.h>

#include <string>

namespace lockstep {

// Keeps the first problem that the text format's parser reports.
class FirstProblem : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override;

  // The parser's own words; empty when it reported nothing.
  const std::string& message() const { return message_; }

  // The problem as "unknown field "x" ...", with suggestions.
  std::string explanation(const std::string& text) const;

  // "LINE:COLUMN" in `text`, both from 1, of the token at fault.
  std::string place(const std::string& text) const;

 private:
  int line_ = 0;    // from 0, as the parser counts
  int column_ = 0;  // from 0
  std::string message_;
};

}  // namespace lockstep
