// What holds for image files of every format.
#pragma once

#include <string_view>

#include "fuzz/fuzz.h"
#include "lockstep/pictures/decode_image.h"
#include "lockstep/pictures/fit_picture.h"
#include "pictures/colours.h"

namespace lockstep::fuzz {

// Larger ones cost time and find no more.
inline constexpr std::int64_t kMostTriedPixels = 1'000'000;

inline void expect_grey_of(const Picture& colour, const Picture& grey, int channels) {
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) {
    const std::uint8_t* pixel = colour.pixels.data() + 3 * i;
    expect_equal<int, int>(grey.pixels[i], luma(pixel[0], pixel[1], pixel[2]), "levels of grey");
    if (channels == 1 && (pixel[0] != pixel[1] || pixel[1] != pixel[2])) {
      fail("a colour where the header says that there is none");
    }
  }
}

// The file is refused, or read alike in every way in which it can be read.
inline void check_image_file(std::string_view file, ImageFormat format) {
  if (image_format(file) != format) return;
  const auto header = value_of([&] { return read_image_header(file); });
  if (header && std::int64_t{header->width} * header->height > kMostTriedPixels) return;
  const auto colour = value_of([&] { return decode_image(file, 3); });
  const auto grey = value_of([&] { return decode_image(file, 1); });
  expect_equal(colour.has_value(), grey.has_value(), "whether it is read in colour and in grey");
  for (const Fit fit : {Fit::kStretch, Fit::kFit, Fit::kCrop}) {
    const ImageShape shape{3, 5, 3};
    const auto fitted = value_of([&] { return fit_image(file, shape, {.fit = fit}); });
    expect_equal(colour.has_value(), fitted.has_value(), "whether it is read and fitted");
    if (fitted) expect_equal(static_cast<int>(fitted->size()), shape.pixels(), "sizes");
  }
  if (!colour) return;
  if (!header) fail("read without a header");
  expect_equal(header->format, format, "formats");
  for (const Picture* picture : {&*colour, &*grey}) {
    expect_equal(picture->width, header->width, "widths");
    expect_equal(picture->height, header->height, "heights");
    expect_equal(static_cast<std::int64_t>(picture->pixels.size()),
                 std::int64_t{picture->width} * picture->height * picture->channels, "sizes");
  }
  expect_grey_of(*colour, *grey, header->channels);
}

}  // namespace lockstep::fuzz
