// The parts that pages are made of. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "report/drawing.h"
#include "report/markup.h"

namespace lockstep {

// A whole page around its body. It may load nothing: its policy allows data: pictures
// and its own style sheet alone.
std::string whole_page(const std::string& title, const Markup& body);

// A card of the summary.
struct Card {
  std::string name;
  std::string value;
  std::string more;  // a line below; may be empty
};
void write_cards(Markup& to, const std::vector<Card>& cards);

// A table cell with a number, aligned to the right.
void write_number(Markup& to, const std::string& text);
// The head of a table whose first `words` columns are words, the others numbers.
void write_head(Markup& to, const std::vector<std::string>& names, std::size_t words = 1);

// Charts side by side where there is room.
void write_charts(Markup& to, const std::vector<Drawing>& charts);

// A folded part of the page; closed by close().
void open_folded(Markup& to, const std::string& id, const std::string& title);

}  // namespace lockstep
