#include "report/page.h"

#include "report/render.h"
#include "report/theme.h"

namespace lockstep {

std::string whole_page(const std::string& title, const Markup& body) {
  Markup page;
  page.raw("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  page.empty("meta", {{"charset", "utf-8"}});
  page.empty("meta", {{"http-equiv", "Content-Security-Policy"},
                      {"content",
                       "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
                       "base-uri 'none'; form-action 'none'"}});
  page.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  page.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  page.leaf("title", title).raw("\n");
  page.open("style").raw(kChartStyle).raw(kPageStyle).close().close();
  page.raw("\n").open("body").open("main").raw(body.written()).close().close().close().raw("\n");
  return page.written();
}

void write_cards(Markup& to, const std::vector<Card>& cards) {
  to.open("dl", {{"class", "cards"}});
  for (const Card& card : cards) {
    to.open("div", {{"class", "card"}}).leaf("dt", card.name);
    to.leaf("dd", card.value, {{"class", "value"}});
    if (!card.more.empty()) to.leaf("dd", card.more, {{"class", "more"}});
    to.close();
  }
  to.close().raw("\n");
}

void write_number(Markup& to, const std::string& text) {
  to.leaf("td", text, {{"class", "number"}});
}

void write_head(Markup& to, const std::vector<std::string>& names, std::size_t words) {
  to.open("thead").open("tr");
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i < words) {
      to.leaf("th", names[i], {{"scope", "col"}});
    } else {
      to.leaf("th", names[i], {{"scope", "col"}, {"class", "number"}});
    }
  }
  to.close().close();
}

void write_charts(Markup& to, const std::vector<Drawing>& charts) {
  to.open("div", {{"class", "charts"}});
  for (const Drawing& chart : charts) to.raw(inline_svg(chart)).raw("\n");
  to.close();
}

void open_folded(Markup& to, const std::string& id, const std::string& title) {
  to.raw("\n").open("details", {{"id", id}}).leaf("summary", title);
}

}  // namespace lockstep
