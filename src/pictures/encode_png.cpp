#include "lockstep/pictures/encode_png.h"

#include <png.h>

#include <memory>

#include "lockstep/core/error.h"

namespace lockstep {

std::string encode_png(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  image.flags = PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  const std::unique_ptr<char[]> file(new char[bytes]);  // of which little is written
  if (png_image_write_to_memory(&image, file.get(), &bytes, /*convert_to_8_bit=*/0,
                                picture.pixels.data(), /*row_stride=*/0, nullptr) == 0) {
    fail_internal("a PNG of {} x {} pixels was not made: {}", picture.width, picture.height,
                  image.message);
  }
  return {file.get(), bytes};
}

}  // namespace lockstep
