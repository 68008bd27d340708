// An experiment as text and as a message of the grammar.
#pragma once

#include <google/protobuf/text_format.h>

#include <memory>
#include <string>

#include "config/grammar.h"

namespace lockstep {

// Sections in sections, as blocks of layers are: far from the end of the stack.
inline constexpr int kMostNested = 100;

// Errors (2) begin "ORIGIN:LINE:COLUMN: ". Where each field stands goes to
// `locations`, unless that is null.
std::unique_ptr<Message> parse_text(
    const std::string& text, const std::string& origin,
    google::protobuf::TextFormat::ParseInfoTree* locations = nullptr);

// Fields in the grammar's order; numbers as short as reads back to the same value.
std::string print_text(const Message& experiment);

}  // namespace lockstep
