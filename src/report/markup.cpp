#include "report/markup.h"

#include "report/text.h"

namespace lockstep {

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : valid_text(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace

void Markup::begin(std::string_view tag, Attributes attributes) {
  written_.append("<").append(tag);
  for (const auto& [name, value] : attributes) {
    written_.append(" ").append(name).append("=\"").append(escaped(value)).append("\"");
  }
}

Markup& Markup::open(std::string_view tag, Attributes attributes) {
  begin(tag, attributes);
  written_ += '>';
  open_.emplace_back(tag);
  return *this;
}

Markup& Markup::close() {
  written_.append("</").append(open_.back()).append(">");
  open_.pop_back();
  return *this;
}

Markup& Markup::text(std::string_view text) {
  written_ += escaped(text);
  return *this;
}

Markup& Markup::leaf(std::string_view tag, std::string_view content, Attributes attributes) {
  return open(tag, attributes).text(content).close();
}

Markup& Markup::empty(std::string_view tag, Attributes attributes) {
  begin(tag, attributes);
  written_ += "/>";
  return *this;
}

Markup& Markup::raw(std::string_view markup) {
  written_ += markup;
  return *this;
}

}  // namespace lockstep
