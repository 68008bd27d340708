// Writes elements of HTML and SVG one after the other. Text and attribute values
// are escaped here and nowhere else, so nothing that a name holds becomes markup.
// What it writes is well-formed XML too.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

class Markup {
 public:
  using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

  Markup& open(std::string_view tag, Attributes attributes = {});
  Markup& close();  // the innermost open element
  Markup& text(std::string_view text);
  // An element that holds text alone.
  Markup& leaf(std::string_view tag, std::string_view text, Attributes attributes = {});
  // An element without content.
  Markup& empty(std::string_view tag, Attributes attributes = {});
  // Markup of our own: what another writer wrote, a style sheet.
  Markup& raw(std::string_view markup);

  const std::string& written() const { return written_; }

 private:
  void begin(std::string_view tag, Attributes attributes);

  std::string written_;
  std::vector<std::string> open_;
};

}  // namespace lockstep
