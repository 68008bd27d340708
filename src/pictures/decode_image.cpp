#include "lockstep/pictures/decode_image.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/pictures/decode_png.h"
#include "pictures/fit.h"
#include "pictures/image_readers.h"

namespace lockstep {

namespace {

using namespace std::string_view_literals;

ReducedPicture decode_png_file(std::string_view file, const DecodeRequest& request) {
  Picture picture = decode_png(file, request.channels, kMostImagePixels, request.background);
  const Reduction whole{picture.width, picture.height};
  return {std::move(picture), whole};
}

struct FormatReader {
  ImageFormat format;
  const char* name;
  bool (*recognizes)(std::string_view head);
  ImageHeader (*header)(std::string_view file);
  ReducedPicture (*decode)(std::string_view file, const DecodeRequest& request);
};

constexpr std::array kReaders = {
    FormatReader{ImageFormat::kPng, "PNG",
                 [](std::string_view head) { return head.starts_with("\x89PNG\r\n\x1a\n"); },
                 read_png_header, decode_png_file},
    FormatReader{ImageFormat::kJpeg, "JPEG",
                 [](std::string_view head) { return head.starts_with("\xff\xd8\xff"); },
                 read_jpeg_header, decode_jpeg},
    FormatReader{ImageFormat::kNetpbm, "PPM or PGM", is_netpbm, read_netpbm_header, decode_netpbm},
    FormatReader{ImageFormat::kBmp, "BMP", is_bmp, read_bmp_header, decode_bmp},
};

const FormatReader* find_reader(std::string_view head) {
  const auto* found =
      std::find_if(kReaders.begin(), kReaders.end(), [&](const FormatReader& reader) {
        return reader.recognizes(head.substr(0, kImageHeadBytes));
      });
  return found == kReaders.end() ? nullptr : found;
}

// The name of a format that is known and not read, or none.
const char* other_format(std::string_view file) {
  if (file.starts_with("GIF8")) return "a GIF file";
  if (file.starts_with("II*\0"sv) || file.starts_with("MM\0*"sv)) return "a TIFF file";
  if (file.starts_with("RIFF") && file.substr(8).starts_with("WEBP")) return "a WebP file";
  if (file.size() > 8 && file.substr(4).starts_with("ftyp")) return "a HEIF, AVIF or MP4 file";
  if (file.starts_with("\0\0\1\0"sv)) return "an icon (ICO) file";
  if (file.starts_with("P1") || file.starts_with("P4") || file.starts_with("P7")) {
    return "a Netpbm file of another kind than P2, P3, P5 and P6";
  }
  return nullptr;
}

const FormatReader& reader_of(std::string_view file) {
  if (const FormatReader* reader = find_reader(file)) return *reader;
  const char* other = file.size() < 12 ? nullptr : other_format(file);
  if (other != nullptr) fail_usage("{}; expected PNG, JPEG, PPM, PGM or BMP", other);
  fail_usage("not an image file: {} that begin like no PNG, JPEG, PPM, PGM or BMP",
             count_of(file.size(), "byte"));
}

}  // namespace

int DecodeRequest::reduction(int width, int height) const {
  return shape ? most_reduction(width, height, *shape, fit) : 1;
}

void check_size(std::int64_t width, std::int64_t height) {
  if (width > kMostImageSide || height > kMostImageSide) {
    fail_usage("{} x {} pixels; expected at most {} along a side", width, height, kMostImageSide);
  }
  if (width * height > kMostImagePixels) {
    fail_usage("{} x {} pixels; expected at most {} pixels", width, height, kMostImagePixels);
  }
}

ReducedPicture blank_picture(int width, int height, int channels) {
  check_size(width, height);
  Picture picture{width, height, channels, {}};
  picture.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                        static_cast<std::size_t>(channels));
  return {std::move(picture), {width, height}};
}

const char* name_of(ImageFormat format) {
  return std::find_if(kReaders.begin(), kReaders.end(),
                      [&](const FormatReader& reader) { return reader.format == format; })
      ->name;
}

std::optional<ImageFormat> image_format(std::string_view head) {
  const FormatReader* reader = find_reader(head);
  return reader == nullptr ? std::nullopt : std::optional(reader->format);
}

bool has_image_name(std::string_view name) {
  constexpr std::array<std::string_view, 15> kEndings = {
      ".png", ".jpg",  ".jpeg", ".jpe",  ".ppm", ".pgm",  ".pnm", ".bmp",
      ".gif", ".webp", ".tif",  ".tiff", ".svg", ".heic", ".avif"};
  const std::string lower =
      lower_case(name.substr(name.size() - std::min<std::size_t>(name.size(), 5)));
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

ImageHeader read_image_header(std::string_view file) {
  const ImageHeader header = reader_of(file).header(file);
  check_size(header.width, header.height);
  return header;
}

Picture decode_image(std::string_view file, int channels, int background) {
  return reader_of(file).decode(file, {channels, background}).picture;
}

std::vector<std::uint8_t> fit_image(std::string_view file, const ImageShape& shape,
                                    const PictureFitOptions& options) {
  if (shape.channels != 1 && shape.channels != 3) {
    fail_usage("images of {} channels; image files can be brought to 1 or 3", shape.channels);
  }
  const DecodeRequest request{shape.channels, options.background, shape, options.fit};
  const ReducedPicture decoded = reader_of(file).decode(file, request);
  return fit_reduced(decoded.picture, decoded.reduction, shape, options);
}

}  // namespace lockstep
