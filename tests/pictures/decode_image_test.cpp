// Image files by hand; those that Pillow writes are in pillow_pictures_test.py.

#include "lockstep/pictures/decode_image.h"

#include <gtest/gtest.h>

#include <string>

#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using namespace std::string_literals;

using Pixels = std::vector<std::uint8_t>;

std::string error_of(std::string_view file, int channels = 1) {
  try {
    decode_image(file, channels);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    return error.what();
  }
  return "no error";
}

void expect_error(std::string_view file, const std::string& words) {
  EXPECT_NE(error_of(file).find(words), std::string::npos)
      << error_of(file) << "; expected " << words;
}

std::string little(std::uint32_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> 8 * i);
  return text;
}

// A BMP with a header of 40 bytes and what comes after it.
std::string bmp(int width, int height, int bits, const std::string& before_pixels,
                const std::string& pixels, std::uint32_t compression = 0) {
  const auto data = static_cast<std::uint32_t>(54 + before_pixels.size());
  return "BM" + little(data + static_cast<std::uint32_t>(pixels.size()), 4) + little(0, 4) +
         little(data, 4) + little(40, 4) + little(static_cast<std::uint32_t>(width), 4) +
         little(static_cast<std::uint32_t>(height), 4) + little(1, 2) +
         little(static_cast<std::uint32_t>(bits), 2) + little(compression, 4) +
         std::string(20, '\0') + before_pixels + pixels;
}

// Black and white.
std::string palette_of_two() { return "\0\0\0\0\xff\xff\xff\0"s; }

TEST(DecodeImage, Netpbm) {
  EXPECT_EQ(decode_image("P2\n# three\n3 1 # wide\n255\n0 128\n255", 1),
            (Picture{3, 1, 1, {0, 128, 255}}));
  EXPECT_EQ(decode_image("P5 3 1 255\nAbC", 1), (Picture{3, 1, 1, {'A', 'b', 'C'}}));
  EXPECT_EQ(decode_image("P5 1 1 255\nA", 3), (Picture{1, 1, 3, {'A', 'A', 'A'}}));
  EXPECT_EQ(decode_image("P6#x\n1 2 255\nabcdef\n", 3),
            (Picture{1, 2, 3, {'a', 'b', 'c', 'd', 'e', 'f'}}));
  EXPECT_EQ(decode_image("P3 1 1 255 255 0 0", 1), (Picture{1, 1, 1, {76}}));  // 0.299
}

TEST(DecodeImage, NetpbmOfOtherDepths) {
  // value * 255 / largest, rounded half up.
  EXPECT_EQ(decode_image("P2 5 1 10 0 1 3 5 10", 1).pixels, (Pixels{0, 26, 77, 128, 255}));
  EXPECT_EQ(decode_image("P2 3 1 1 1 0 1", 1).pixels, (Pixels{255, 0, 255}));
  EXPECT_EQ(decode_image("P5 4 1 65535\n\x00\x80\x00\x81\xff\x7e\xff\xff"s, 1).pixels,
            (Pixels{0, 1, 254, 255}));  // 128 / 257 is below a half
  EXPECT_EQ(decode_image("P5 1 1 256\n\x01\x00"s, 1).pixels, (Pixels{255}));
}

TEST(DecodeImage, RefusesBrokenNetpbm) {
  expect_error("P5 3 1 255\nAb", "2 bytes of pixels; 3 x 1 take 3 at least");
  expect_error("P5 3 1 255\nAbCd", "1 byte after the pixels");
  expect_error("P5 3 1 255\r\nAbC", "1 byte after the pixels");
  expect_error("P5 3 1 100\nAbz", "a sample of 122");
  expect_error("P5 3 1 65536\nAbC", "the largest sample is 65536");
  expect_error("P5 3 1 0\nAbC", "the largest sample is 0");
  expect_error("P5 0 1 255\n", "0 x 1 pixels");
  expect_error("P5 70000 1 255\n", "at most 65535 along a side");
  expect_error("P5 60000 60000 255\n", "60000 x 60000 pixels; expected at most 32000000");
  expect_error("P5 5000 5000 255\n", "0 bytes of pixels");
  expect_error("P2 5000 5000 255\n1 2 3", "cut short");
  expect_error("P2 99999999999999 1 255\n", "expected a width");
  expect_error("P2 2 1 255 1 -2", "expected a sample");
  expect_error("P2 2 1 255 1 2 3", "1 byte after the pixels");
  expect_error("P2 3 1 255 1   2", "it is cut short: a sample is missing");
  expect_error("P5 3", "it is cut short: a height is missing");
  expect_error("P4 8 1 255 abc", "a Netpbm file of another kind");
}

TEST(DecodeImage, BmpOfPalettes) {
  const std::string palette = "\x00\x00\xff\x00\xff\x00\x00\x00"s;  // red, blue
  // From the bottom upwards, rows of 4 bytes.
  const std::string rows = "\x40\0\0\0\x80\0\0\0"s;
  const Pixels blue_red_red_blue{0, 0, 255, 255, 0, 0, 255, 0, 0, 0, 0, 255};
  EXPECT_EQ(decode_image(bmp(2, 2, 1, palette, rows), 3), (Picture{2, 2, 3, blue_red_red_blue}));
  const std::string rows_of_4 = "\x01\0\0\0\x10\0\0\0"s;
  EXPECT_EQ(decode_image(bmp(2, 2, 4, palette, rows_of_4), 3).pixels, blue_red_red_blue);
  const std::string rows_of_8 = "\0\1\0\0\1\0\0\0"s;
  EXPECT_EQ(decode_image(bmp(2, 2, 8, palette, rows_of_8), 3).pixels, blue_red_red_blue);
  // A negative height: from the top downwards.
  const std::string downwards = "\1\0\0\0\0\1\0\0"s;
  EXPECT_EQ(decode_image(bmp(2, -2, 8, palette, downwards), 3).pixels, blue_red_red_blue);
  expect_error(bmp(2, 2, 8, palette, "\0\1\0\0\2\0\0\0"s), "colour 2 of a palette of 2");
  expect_error(bmp(2, 2, 8, "", rows_of_8), "without its palette");
}

TEST(DecodeImage, BmpOfColours) {
  EXPECT_EQ(decode_image(bmp(1, 2, 24, "", "abc\0def\0"s), 3).pixels,
            (Pixels{'f', 'e', 'd', 'c', 'b', 'a'}));
  EXPECT_EQ(decode_image(bmp(1, 1, 32, "", "abc\0"s), 3).pixels, (Pixels{'c', 'b', 'a'}));
  // 5 bits each: 31, 16, 1 of 31.
  EXPECT_EQ(decode_image(bmp(1, 1, 16, "", little(31 << 10 | 16 << 5 | 1, 4)), 3).pixels,
            (Pixels{255, 132, 8}));
  // Fields, with opacity: a fifth of (255, 0, 100) over white, over black.
  const std::string fields =
      little(0xff, 4) + little(0xff00, 4) + little(0xff0000, 4) + little(0xff000000, 4);
  const std::string file = bmp(1, 1, 32, fields, "\xff\x00\x64\x33"s, 6);
  EXPECT_EQ(decode_image(file, 3).pixels, (Pixels{255, 204, 224}));
  EXPECT_EQ(decode_image(file, 3, 0).pixels, (Pixels{51, 0, 20}));
  expect_error(bmp(1, 1, 32, little(5, 4) + little(2, 4) + little(8, 4), "abcd", 3), "has gaps");
  expect_error(bmp(1, 1, 32, little(1, 4) + little(0, 4) + little(8, 4), "abcd", 3),
               "without a field");
}

TEST(DecodeImage, RefusesOtherBmps) {
  expect_error(bmp(1, 1, 8, "abcd", "abcd", 1), "compressed by run lengths (RLE)");
  expect_error(bmp(1, 1, 4, "abcd", "abcd", 2), "compressed by run lengths (RLE)");
  expect_error(bmp(1, 1, 24, "", "abcd", 4), "with compression 4");
  expect_error(bmp(1, 1, 2, "", "abcd"), "2 bits a pixel");
  expect_error(bmp(0, 1, 24, "", "abcd"), "0 x 1 pixels");
  expect_error(bmp(-1, 1, 24, "", "abcd"), "-1 x 1 pixels");
  expect_error(bmp(1, 2, 24, "", "abcdefg"), "7 bytes of pixels; 1 x 2 take 8");
  expect_error(bmp(1, -0x7fffffff - 1, 24, "", "abcd"), "at most 65535");
  expect_error(bmp(65500, 65500, 1, palette_of_two(), "abcd"), "at most 32000000 pixels");
  expect_error(bmp(1, 1, 24, "", "abcd").substr(0, 25), "25 bytes, cut short in its header");
}

TEST(DecodeImage, KnowsItsFormats) {
  EXPECT_EQ(image_format("P5 3 1"), ImageFormat::kNetpbm);
  EXPECT_EQ(image_format("P3\n#"), ImageFormat::kNetpbm);
  EXPECT_EQ(image_format(bmp(1, 1, 24, "", "")), ImageFormat::kBmp);
  EXPECT_EQ(image_format("\xff\xd8\xff\xe0"), ImageFormat::kJpeg);
  EXPECT_EQ(image_format("\x89PNG\r\n\x1a\n"), ImageFormat::kPng);
  EXPECT_STREQ(name_of(ImageFormat::kJpeg), "JPEG");
  for (const char* text : {"", "P", "P5", "P5,label", "P2x 1", "BMI,label,weight,height",
                           "label,pixel0", "GIF89a", "\xff\xd8"}) {
    EXPECT_FALSE(is_image_file(text)) << text;
  }
}

TEST(DecodeImage, NamesOtherFiles) {
  expect_error("GIF89a and more", "a GIF file; expected PNG, JPEG, PPM, PGM or BMP");
  expect_error("RIFF1234WEBPVP8 ", "a WebP file");
  expect_error("II*\0and so on"s, "a TIFF file");
  expect_error("label,pixel0,pixel1", "not an image file: 19 bytes");
  expect_error("", "not an image file: 0 bytes");
  expect_error("\xff\xd8\xff", "not a whole JPEG file: it is cut short");
}

TEST(ReadImageHeader, SaysWhatThePictureHas) {
  EXPECT_EQ(read_image_header("P5 3 1 255\nAbC"), (ImageHeader{ImageFormat::kNetpbm, 3, 1, 1}));
  EXPECT_EQ(read_image_header("P6 3 1 255\n"), (ImageHeader{ImageFormat::kNetpbm, 3, 1, 3}));
  EXPECT_EQ(read_image_header(bmp(2, -3, 8, palette_of_two(), std::string(12, '\0'))),
            (ImageHeader{ImageFormat::kBmp, 2, 3, 1}));
  EXPECT_EQ(read_image_header(bmp(2, 3, 24, "", std::string(24, '\0'))),
            (ImageHeader{ImageFormat::kBmp, 2, 3, 3}));
}

TEST(FitImage, WantsGreyOrColour) {
  EXPECT_EQ(fit_image("P5 2 1 255\nac", {1, 1, 1}, {}), Pixels{'b'});
  EXPECT_THROW(fit_image("P5 2 1 255\nac", {1, 1, 2}, {}), Error);
}

}  // namespace

}  // namespace lockstep
