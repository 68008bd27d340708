// Pictures from image files: PNG, JPEG, PPM and PGM, BMP. Local, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/pictures/options.h"
#include "lockstep/pictures/picture.h"

namespace lockstep {

enum class ImageFormat : std::uint8_t { kPng, kJpeg, kNetpbm, kBmp };

inline constexpr std::int64_t kMostImagePixels = 32'000'000;
inline constexpr int kMostImageSide = 65'535;
// Of a JPEG: each costs a walk over all pixels, however few bytes it has.
inline constexpr int kMostJpegScans = 100;

// As many of a file's first bytes as image_format() looks at; fewer may be all there are.
inline constexpr std::size_t kImageHeadBytes = 32;

const char* name_of(ImageFormat format);  // "PNG"

// The format of a file that begins with `head`; none where it is no image file that can be
// read. Only the content counts, not a file's name.
std::optional<ImageFormat> image_format(std::string_view head);
inline bool is_image_file(std::string_view head) { return image_format(head).has_value(); }

// By the ending of a name: what may be an image, also one of a kind that cannot be read.
bool has_image_name(std::string_view name);

struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  int width = 0;  // of the picture as it is seen: after a JPEG's orientation
  int height = 0;
  int channels = 1;  // 1: all pixels are grey by what the header says, 3: they may be coloured

  bool operator==(const ImageHeader&) const = default;
};

// What the header of a whole `file` says; nothing is decoded. Error (2) as decode_image.
ImageHeader read_image_header(std::string_view file);

// The picture in `file`, the bytes of a whole image file, as one channel of grey or three of
// colour, 8 bits each. Grey of colours is the luma of ITU-R BT.601; deeper levels are
// rounded to the nearest; what is transparent lies over the level `background` (as decode_png
// has it, white). Profiles and gamma are ignored. Of metadata only a JPEG's EXIF orientation
// counts: the picture is turned upright. A JPEG's CMYK is taken for inverted, as Adobe's
// programs and Pillow have it.
//
// Takes `channels` bytes of memory a pixel, for the time of the call twice as many for a
// turned JPEG, 6 more for a progressive one, 4 more for an interlaced PNG.
//
// Error (2), before any memory is taken for pixels, for other files, for more than
// kMostImagePixels or kMostImageSide a side, and for sizes that the file's bytes cannot
// fill. Error (2) too for every file that is cut short or whose pixels are damaged: a part
// of a picture is never given for the whole.
Picture decode_image(std::string_view file, int channels, int background = 255);

// decode_image and fit_picture in one: the pixels [shape.pixels()] of the picture brought to
// `shape`, whose channels must be 1 or 3 (else Error 2).
//
// A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, which is several times faster: at
// the least of these at which no pixel of the result has less than one decoded pixel, along
// either axis, to be made from. That depends on the sizes alone.
std::vector<std::uint8_t> fit_image(std::string_view file, const ImageShape& shape,
                                    const PictureFitOptions& options);

}  // namespace lockstep
