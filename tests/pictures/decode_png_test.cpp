// PNG files by hand; the many kinds of them are tried through the program.

#include "lockstep/pictures/decode_png.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

// 2 x 2 pixels of red, green, blue, opacity, 8 bits each: (255, 0, 0, 255) (0, 0, 0, 0)
// and (50, 150, 250, 255) (0, 100, 200, 51).
constexpr std::array<unsigned char, 80> kFile = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x06, 0x00, 0x00, 0x00, 0x72, 0xb6, 0x0d,
    0x24, 0x00, 0x00, 0x00, 0x17, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xf8, 0xcf, 0xc0, 0x00,
    0x44, 0x40, 0x60, 0x34, 0xed, 0xd7, 0x7f, 0x86, 0x94, 0x13, 0xc6, 0x00, 0x32, 0x63, 0x06, 0x1f,
    0xa0, 0xc4, 0x6e, 0x2f, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

// The same kind, of 100000 x 100000 pixels, ended after the first of them.
constexpr std::array<unsigned char, 66> kHuge = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x01, 0x86, 0xa0, 0x00, 0x01, 0x86, 0xa0, 0x08, 0x06, 0x00, 0x00,
    0x00, 0xa8, 0x52, 0x0b, 0xc8, 0x00, 0x00, 0x00, 0x09, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0xb1, 0x0d, 0xb6, 0x93, 0x00, 0x00,
    0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

std::string_view text(std::span<const unsigned char> file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

std::string error_of(std::string_view file, std::int64_t most_pixels = kMostPicturePixels) {
  try {
    decode_png(file, 1, most_pixels);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "";
}

TEST(DecodePng, ColourOverWhite) {
  const Picture expected{
      2, 2, 3, {255, 0, 0, 255, 255, 255, 50, 150, 250, 204, 224, 244}};  // 51 is a fifth
  EXPECT_EQ(decode_png(text(kFile), 3), expected);
}

TEST(DecodePng, GreyIsTheLuma) {
  // 0.299 red + 0.587 green + 0.114 blue.
  const Picture expected{2, 2, 1, {76, 255, 132, 220}};
  EXPECT_EQ(decode_png(text(kFile), 1), expected);
}

TEST(DecodePng, RefusesTooManyPixels) {
  EXPECT_EQ(error_of(text(kFile), 4), "");
  EXPECT_NE(error_of(text(kFile), 3).find("2 x 2 pixels"), std::string::npos);
  EXPECT_NE(error_of(text(kHuge)).find("100000 x 100000 pixels"), std::string::npos);
}

TEST(DecodePng, RefusesEveryCutFile) {
  for (std::size_t bytes = 0; bytes < kFile.size(); ++bytes) {
    EXPECT_NE(error_of(text(kFile).substr(0, bytes)), "") << bytes << " bytes";
  }
}

TEST(DecodePng, RefusesOtherFiles) {
  EXPECT_NE(error_of("GIF89a and more").find("not a PNG file"), std::string::npos);
  EXPECT_NE(error_of("").find("not a PNG file"), std::string::npos);
}

}  // namespace

}  // namespace lockstep
