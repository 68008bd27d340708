// What the room of pictures makes of image files, for tests that compare it with other
// programs. Each line of stdin asks for one: FILE CHANNELS BACKGROUND [HEIGHT WIDTH
// STRETCH|FIT|CROP AREA|BILINEAR]; a line of stdout answers: WIDTH HEIGHT and the pixels in
// hexadecimal, or "error" and its words. FILE "header" instead of channels gives the header.

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "lockstep/core/error.h"
#include "lockstep/pictures/decode_image.h"

namespace lockstep {

namespace {

std::string answer(int width, int height, const std::vector<std::uint8_t>& pixels) {
  return fmt::format("{} {} {:02x}", width, height, fmt::join(pixels, ""));
}

Fit fit_of(const std::string& word) {
  return word == "FIT" ? Fit::kFit : word == "CROP" ? Fit::kCrop : Fit::kStretch;
}

std::string answer_to(const std::string& line) {
  std::istringstream words(line);
  std::string path;
  std::string channels;
  words >> path >> channels;
  std::ifstream stream(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  if (channels == "header") {
    const ImageHeader header = read_image_header(file);
    return fmt::format("{} {} {} {}", name_of(header.format), header.width, header.height,
                       header.channels);
  }
  PictureFitOptions options;
  words >> options.background;
  ImageShape shape{0, 0, std::stoi(channels)};
  std::string fit;
  std::string resampling;
  if (words >> shape.height >> shape.width >> fit >> resampling) {
    options.fit = fit_of(fit);
    options.resampling = resampling == "AREA" ? Resampling::kArea : Resampling::kBilinear;
    return answer(shape.width, shape.height, fit_image(file, shape, options));
  }
  const Picture picture = decode_image(file, shape.channels, options.background);
  return answer(picture.width, picture.height, picture.pixels);
}

}  // namespace

}  // namespace lockstep

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    try {
      fmt::print("{}\n", lockstep::answer_to(line));
    } catch (const lockstep::Error& error) {
      fmt::print("error {} {}\n", static_cast<int>(error.code()), error.what());
    }
  }
}
