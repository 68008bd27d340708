#include "data/augmentation.h"

#include <gtest/gtest.h>

#include <numbers>

#include "data/image_draws.h"

namespace lockstep {

namespace {

std::vector<std::uint8_t> pattern(const ImageShape& shape) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < shape.pixels(); ++i) {
    pixels.push_back(static_cast<std::uint8_t>((i * i * 37 + 11 * i + 5) % 256));
  }
  return pixels;
}

std::vector<float> apply(const ImageShape& shape, const AffineTransform& transform) {
  const auto pixels = pattern(shape);
  std::vector<float> image(pixels.size(), -1);
  Augmenter augmenter(shape, 0);
  augmenter.apply(PixelView(pixels), source_map(transform, shape), {}, image);
  return image;
}

// The pixel at (x, y), 0 outside.
float at(const ImageShape& shape, int x, int y, int channel) {
  if (x < 0 || y < 0 || x >= shape.width || y >= shape.height) return 0;
  return pattern(shape)[static_cast<std::size_t>((y * shape.width + x) * shape.channels + channel)];
}

template <typename From>
void expect_image(const ImageShape& shape, const std::vector<float>& image, float tolerance,
                  From from) {
  for (int y = 0; y < shape.height; ++y) {
    for (int x = 0; x < shape.width; ++x) {
      for (int c = 0; c < shape.channels; ++c) {
        const auto i = static_cast<std::size_t>((y * shape.width + x) * shape.channels + c);
        ASSERT_NEAR(image[i], from(x, y, c), tolerance) << x << ' ' << y << ' ' << c;
      }
    }
  }
}

class AugmenterTest : public testing::TestWithParam<ImageShape> {};

TEST_P(AugmenterTest, NoTransformIsIdentity) {
  const ImageShape shape = GetParam();
  expect_image(shape, apply(shape, {}), 0, [&](int x, int y, int c) { return at(shape, x, y, c); });
}

TEST_P(AugmenterTest, WholePixelsShiftExactly) {
  const ImageShape shape = GetParam();
  AffineTransform transform;
  transform.shift_x_pixels = 2;
  transform.shift_y_pixels = -3;
  expect_image(shape, apply(shape, transform), 0,
               [&](int x, int y, int c) { return at(shape, x - 2, y + 3, c); });
}

TEST_P(AugmenterTest, HalfAPixelAverages) {
  const ImageShape shape = GetParam();
  AffineTransform transform;
  transform.shift_x_pixels = 0.5F;
  expect_image(shape, apply(shape, transform), 0, [&](int x, int y, int c) {
    return (at(shape, x, y, c) + at(shape, x - 1, y, c)) / 2;
  });
}

TEST_P(AugmenterTest, FarAwayIsZero) {
  const ImageShape shape = GetParam();
  AffineTransform transform;
  transform.shift_x_pixels = 1000;
  transform.shift_y_pixels = -1000;
  expect_image(shape, apply(shape, transform), 0, [](int, int, int) { return 0.0F; });
}

// Half a turn about the centre maps (x, y) to (w - 1 - x, h - 1 - y).
TEST_P(AugmenterTest, HalfTurn) {
  const ImageShape shape = GetParam();
  AffineTransform transform;
  transform.angle_radians = std::numbers::pi_v<float>;
  expect_image(shape, apply(shape, transform), 0.02F, [&](int x, int y, int c) {
    return at(shape, shape.width - 1 - x, shape.height - 1 - y, c);
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, AugmenterTest,
                         testing::Values(ImageShape{28, 28, 1}, ImageShape{5, 9, 1},
                                         ImageShape{7, 6, 3}));

// Clockwise: what was at the top is at the right.
TEST(Augmenter, QuarterTurn) {
  const ImageShape shape{11, 11, 1};
  AffineTransform transform;
  transform.angle_radians = std::numbers::pi_v<float> / 2;
  expect_image(shape, apply(shape, transform), 0.02F,
               [&](int x, int y, int c) { return at(shape, y, 10 - x, c); });
}

// Twice as large: the pixel d from the centre shows that at d / 2.
TEST(Augmenter, Scale) {
  const ImageShape shape{9, 9, 1};
  AffineTransform transform;
  transform.scale = 2;
  expect_image(shape, apply(shape, transform), 1e-3F, [&](int x, int y, int c) {
    const int left = (x - 4 >= 0 ? x - 4 : x - 5) / 2 + 4;
    const int top = (y - 4 >= 0 ? y - 4 : y - 5) / 2 + 4;
    const float part_x = x % 2 == 0 ? 0 : 0.5F;
    const float part_y = y % 2 == 0 ? 0 : 0.5F;
    const float upper =
        at(shape, left, top, c) * (1 - part_x) + at(shape, left + 1, top, c) * part_x;
    const float lower =
        at(shape, left, top + 1, c) * (1 - part_x) + at(shape, left + 1, top + 1, c) * part_x;
    return upper * (1 - part_y) + lower * part_y;
  });
}

}  // namespace

}  // namespace lockstep
