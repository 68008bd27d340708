#include "report/markup.h"

#include <gtest/gtest.h>

#include "report/render.h"

namespace lockstep {
namespace {

TEST(Markup, EscapesTextAndAttributes) {
  Markup markup;
  markup.open("p", {{"title", "\"a\" & 'b' < c"}})
      .text("<script>alert(1)</script> & \"x\"")
      .close();
  EXPECT_EQ(markup.written(),
            "<p title=\"&quot;a&quot; &amp; &#39;b&#39; &lt; c\">"
            "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;x&quot;</p>");
}

TEST(Markup, NestsAndClosesElements) {
  Markup markup;
  markup.open("tr").leaf("th", "a").leaf("td", "").close().empty("img", {{"alt", ""}}).raw("<b/>");
  EXPECT_EQ(markup.written(), "<tr><th>a</th><td></td></tr><img alt=\"\"/><b/>");
}

TEST(Svg, EscapesLabelsAndTips) {
  Drawing drawing{100, 50, "<t>", {}};
  drawing.add(Label{{1, 2}, "<script>", 11, {Ink::kText}});
  drawing.add(Box{{1, 2}, 3, 4, {Ink::kBad}, 0.5, "\"tip\" <b>"});
  drawing.add(Curve{{{0, 0}, {10.25, 20}}, {Ink::kSeries, 9}, 2});
  for (const std::string& svg : {inline_svg(drawing), svg_file(drawing)}) {
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find("<b>"), std::string::npos);
    EXPECT_NE(svg.find(">&lt;script&gt;</text>"), std::string::npos);
    EXPECT_NE(svg.find("<title>&quot;tip&quot; &lt;b&gt;</title>"), std::string::npos);
    EXPECT_NE(
        svg.find(
            "class=\"series1\" stroke-width=\"2\" stroke-opacity=\"1\" points=\"0,0 10.25,20\""),
        std::string::npos);
  }
}

TEST(InGrid, PutsDrawingsInCells) {
  Drawing small{10, 20, "", {}};
  small.add(Dot{{1, 2}, 1, {}, ""});
  Drawing large{30, 15, "", {}};
  large.add(Curve{{{3, 4}, {5, 6}}, {}, 1});
  const Drawing grid = in_grid({small, large, small}, 2, "all");
  EXPECT_EQ(grid.width, 60);
  EXPECT_EQ(grid.height, 40);
  ASSERT_EQ(grid.shapes.size(), 3U);
  EXPECT_EQ(std::get<Curve>(grid.shapes[1]).points[1].x, 35);
  EXPECT_EQ(std::get<Dot>(grid.shapes[2]).centre.x, 1);
  EXPECT_EQ(std::get<Dot>(grid.shapes[2]).centre.y, 22);
}

}  // namespace
}  // namespace lockstep
