#include "lockstep/pictures/prepare_picture.h"

#include <algorithm>
#include <cstddef>

#include "lockstep/core/error.h"
#include "lockstep/pictures/subject.h"
#include "pictures/area_means.h"

namespace lockstep {

namespace {

Subject subject_of(const Picture& picture) {
  const GreyImage image{picture.width, picture.height, picture.pixels};
  LevelCounts border{};
  count_border(image, border);
  const int background = median_level(border);
  const std::optional<Subject> subject = find_subject(image, background);
  if (!subject) {
    fail_usage("a blank picture: no pixel differs from the background, level {}, by {} levels",
               background, kLeastContrast);
  }
  return *subject;
}

bool same_side(const Subject& subject, const Framing& framing) {
  const bool lighter = subject.side == Subject::Side::kLighter;
  return lighter == (framing.foreground > framing.background);
}

std::vector<std::uint8_t> inverted(const std::vector<std::uint8_t>& pixels) {
  std::vector<std::uint8_t> result;
  for (const int level : pixels) result.push_back(static_cast<std::uint8_t>(255 - level));
  return result;
}

// The contrasts within the subject's box.
Picture cut_out(const Picture& picture, const Subject& subject) {
  Picture contrasts{subject.width(), subject.height(), 1, {}};
  contrasts.pixels.reserve(static_cast<std::size_t>(contrasts.width) *
                           static_cast<std::size_t>(contrasts.height));
  for (int y = subject.top; y < subject.bottom; ++y) {
    const std::uint8_t* row = picture.pixels.data() + std::ptrdiff_t{y} * picture.width;
    for (int x = subject.left; x < subject.right; ++x) {
      contrasts.pixels.push_back(static_cast<std::uint8_t>(subject.contrast(row[x])));
    }
  }
  return contrasts;
}

struct Point {
  double x = 0;
  double y = 0;
};

// From the upper left corner; a pixel's mass is in its middle.
Point centre_of_mass(const Picture& contrasts) {
  Point sum;
  double mass = 0;
  const std::uint8_t* pixel = contrasts.pixels.data();
  for (int y = 0; y < contrasts.height; ++y) {
    for (int x = 0; x < contrasts.width; ++x, ++pixel) {
      sum.x += *pixel * (x + 0.5);
      sum.y += *pixel * (y + 0.5);
      mass += *pixel;
    }
  }
  return {sum.x / mass, sum.y / mass};
}

// Where a box of `size` pixels begins so that its `centre` is in the middle of an
// axis of the image, or as near as it fits.
double begin_of(int size, double centre, double scale, int image_size) {
  const double most = std::max(image_size - size * scale, 0.0);
  return std::clamp(image_size / 2.0 - centre * scale, 0.0, most);
}

Placement placement_of(const Picture& contrasts, const ImageShape& shape, double longer_side) {
  const double width = contrasts.width;
  const double height = contrasts.height;
  const double scale =
      std::min({longer_side / std::max(width, height), shape.width / width, shape.height / height});
  const Point centre = centre_of_mass(contrasts);
  return {scale, scale, begin_of(contrasts.width, centre.x, scale, shape.width),
          begin_of(contrasts.height, centre.y, scale, shape.height)};
}

}  // namespace

std::vector<std::uint8_t> prepare_picture(const Picture& picture, const ImageShape& shape,
                                          const Framing& framing) {
  if (picture.channels != shape.channels) {
    fail_internal("a picture of {} channels; expected {}", picture.channels, shape.channels);
  }
  if (!framing.framed) return scaled(picture, shape.width, shape.height).pixels;
  const Subject subject = subject_of(picture);
  if (picture.width == shape.width && picture.height == shape.height) {
    return same_side(subject, framing) ? picture.pixels : inverted(picture.pixels);
  }
  const Picture contrasts = cut_out(picture, subject);
  const std::vector<double> means =
      area_means(contrasts, placement_of(contrasts, shape, framing.longer_side_pixels), shape.width,
                 shape.height);
  // The strongest after scaling: thin lines of a large picture would be too faint.
  const double most = *std::max_element(means.begin(), means.end());
  std::vector<std::uint8_t> pixels;
  for (const double mean : means) {
    const double part = mean / most;
    pixels.push_back(
        to_level(framing.background + (framing.foreground - framing.background) * part));
  }
  return pixels;
}

}  // namespace lockstep
