#include "report/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "report/base64.h"

namespace lockstep {
namespace {

TEST(ValidText, KeepsUtf8OfEveryLength) {
  for (const char* text : {"", "a", "größte", "→ “x”", "😀", "a\tb\nc", "\U0010FFFD"}) {
    EXPECT_EQ(valid_text(text), text);
  }
}

TEST(ValidText, ReplacesWhatIsNoText) {
  EXPECT_EQ(valid_text("a\xFF"), "a\uFFFD");
  EXPECT_EQ(valid_text("\xC3"), "\uFFFD");                      // cut short
  EXPECT_EQ(valid_text("\xC3("), "\uFFFD(");                    // no continuation
  EXPECT_EQ(valid_text("\xC0\xAF"), "\uFFFD\uFFFD");            // an overlong slash
  EXPECT_EQ(valid_text("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(valid_text("\xF4\x90\x80\x80").size(), 12U);        // beyond U+10FFFF
  EXPECT_EQ(valid_text(std::string_view("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(valid_text("\x1B[31m\r\x7F"), "\uFFFD[31m\uFFFD\uFFFD");
  EXPECT_EQ(valid_text("\xC2\x85"), "\uFFFD\uFFFD");  // a C1 control
  EXPECT_EQ(valid_text("\xEF\xBF\xBF").size(), 9U);   // U+FFFF is not XML
}

TEST(Shortened, CountsCodePoints) {
  EXPECT_EQ(shortened("größte", 6), "größte");
  EXPECT_EQ(shortened("größte", 5), "größ…");
  EXPECT_EQ(shortened("😀😀😀", 2), "😀…");
  EXPECT_EQ(shortened("a\xFF\xFF\xFF", 3), "a\uFFFD…");
  EXPECT_EQ(shortened("abc", 1), "…");
}

TEST(Numbers, AreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
}

TEST(Numbers, AreRounded) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(percent(0.99265), "99.27%");
  EXPECT_EQ(percent(none), "n/a");
  EXPECT_EQ(rounded(0.0123456), "0.01235");
  EXPECT_EQ(rounded(none), "n/a");
}

TEST(Numbers, OfTime) {
  EXPECT_EQ(duration(9.96), "10.0 s");
  EXPECT_EQ(duration(752), "12 min 32 s");
  EXPECT_EQ(duration(3599.9), "1 h 00 min");
  EXPECT_EQ(duration(11100), "3 h 05 min");
  EXPECT_EQ(duration(std::numeric_limits<double>::quiet_NaN()), "n/a");
}

// RFC 4648, section 10.
TEST(Base64, GivesTheVectorsOfItsStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

}  // namespace
}  // namespace lockstep
