// What each format of image files gives. A new one is a file of functions and a line of the
// table in decode_image.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/decode_image.h"
#include "pictures/reduced_picture.h"

namespace lockstep {

struct DecodeRequest {
  int channels = 1;
  int background = 255;
  // Of what is made from the picture; without it the whole picture is wanted.
  std::optional<ImageShape> shape = {};
  Fit fit = Fit::kStretch;

  // By how much a picture of that size may be reduced: 1, 2, 4 or 8.
  int reduction(int width, int height) const;
};

// A picture of that size and its memory. Error (2) for sizes beyond the limits.
ReducedPicture blank_picture(int width, int height, int channels);
void check_size(std::int64_t width, std::int64_t height);

ImageHeader read_png_header(std::string_view file);

ImageHeader read_jpeg_header(std::string_view file);
ReducedPicture decode_jpeg(std::string_view file, const DecodeRequest& request);

bool is_netpbm(std::string_view head);
ImageHeader read_netpbm_header(std::string_view file);
ReducedPicture decode_netpbm(std::string_view file, const DecodeRequest& request);

bool is_bmp(std::string_view head);
ImageHeader read_bmp_header(std::string_view file);
ReducedPicture decode_bmp(std::string_view file, const DecodeRequest& request);

}  // namespace lockstep
