// Formed images, value by value, against indices computed here.
#include "data/image_former.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/image_draws.h"

namespace lockstep {

namespace {

constexpr float kOutside = -3;
constexpr float kHighest = 300;

struct Case {
  ImageShape shape;
  PixelType type;
};

class ImageFormerTest : public testing::TestWithParam<Case> {
 protected:
  ImageShape shape_ = GetParam().shape;
  std::size_t channels_ = static_cast<std::size_t>(shape_.channels);

  int value_of(int i) const { return (i * i * 37 + 11 * i + 5) % 256; }

  // Of the row; outside of it kOutside.
  float at(int x, int y, int c) const {
    if (x < 0 || y < 0 || x >= shape_.width || y >= shape_.height) return kOutside;
    return static_cast<float>(value_of((y * shape_.width + x) * shape_.channels + c));
  }

  FormRule rule(const AugmentationOptions& options) const {
    FormRule rule{shape_, options, {kOutside, kHighest}, {}, {}};
    for (std::size_t c = 0; c < channels_; ++c) {
      const auto number = static_cast<float>(c);
      rule.mean.push_back(40 + number);
      // Powers of two and whole numbers: products and sums are exact.
      rule.normalization.factor.push_back(std::ldexp(1.0F, -1 - static_cast<int>(c)));
      rule.normalization.offset.push_back(number - 2);
    }
    return rule;
  }

  float normal(float value, int c) const {
    return value * std::ldexp(1.0F, -1 - c) + static_cast<float>(c) - 2;
  }

  std::vector<float> form(const AugmentationOptions& options, const DrawnSample& sample) const {
    std::vector<std::uint8_t> bytes;
    std::vector<float> floats;
    for (int i = 0; i < shape_.pixels(); ++i) {
      bytes.push_back(static_cast<std::uint8_t>(value_of(i)));
      floats.push_back(static_cast<float>(value_of(i)));
    }
    std::vector<float> image(bytes.size());
    ImageFormer former(rule(options));
    const PixelView view = GetParam().type == PixelType::kByte
                               ? PixelView(bytes)
                               : PixelView(PixelType::kFloat, floats.data(), floats.size());
    DrawnSample other;  // what was done before must not matter
    other.change = {.crop_x = 1, .crop_y = 2, .mirrored = 1, .erased = {0, 0, 2, 2}};
    former.form(view, other, image);
    former.form(view, sample, image);
    return image;
  }

  template <typename From>
  void expect_image(const std::vector<float>& image, From from) const {
    std::size_t i = 0;
    for (int y = 0; y < shape_.height; ++y) {
      for (int x = 0; x < shape_.width; ++x) {
        for (int c = 0; c < shape_.channels; ++c, ++i) {
          ASSERT_EQ(image[i], normal(from(x, y, c), c)) << x << ' ' << y << ' ' << c;
        }
      }
    }
  }
};

// Every crop, mirrored or not, copied and by the identity of the affine map.
TEST_P(ImageFormerTest, CropsAndMirrors) {
  const AugmentationOptions copies{.flip = 0.5F, .crop_padding_pixels = 3};
  AugmentationOptions moves = copies;
  moves.rotation_degrees = 1;
  for (int mirrored = 0; mirrored < 2; ++mirrored) {
    for (int crop_x = -3; crop_x <= 3; ++crop_x) {
      for (int crop_y = -3; crop_y <= 3; ++crop_y) {
        DrawnSample sample;
        sample.change = {.crop_x = crop_x, .crop_y = crop_y, .mirrored = mirrored};
        for (const AugmentationOptions& options : {copies, moves}) {
          expect_image(form(options, sample), [&](int x, int y, int c) {
            return at((mirrored != 0 ? shape_.width - 1 - x : x) + crop_x, y + crop_y, c);
          });
        }
      }
    }
  }
}

TEST_P(ImageFormerTest, ErasesToTheMean) {
  DrawnSample sample;
  sample.change = {.crop_x = 2, .crop_y = -1, .mirrored = 1, .erased = {1, 2, 5, 4}};
  expect_image(form({.erase = EraseOptions{}}, sample), [&](int x, int y, int c) {
    if (x >= 1 && x < 5 && y >= 2 && y < 4) return 40 + static_cast<float>(c);
    return at(shape_.width - 1 - x + 2, y - 1, c);
  });
}

TEST_P(ImageFormerTest, TonesWithinTheRange) {
  DrawnSample sample;
  sample.change = {.crop_x = 1, .gain = 2, .shift = -128, .erased = {0, 0, 1, 1}};
  AugmentationOptions moves{.scale = 0.1F, .brightness = 0.5F};
  for (const AugmentationOptions& options : {AugmentationOptions{.contrast = 0.5F}, moves}) {
    expect_image(form(options, sample), [&](int x, int y, int c) {
      if (x == 0 && y == 0) return 40 + static_cast<float>(c);
      return std::min(std::max(2 * at(x + 1, y, c) - 128, kOutside), kHighest);
    });
  }
}

// A turn of half a circle is a mirror image from left to right and from top to bottom.
TEST_P(ImageFormerTest, MovesBeforeItMirrors) {
  DrawnSample sample;
  sample.map = source_map({.angle_radians = std::acos(-1.0F)}, shape_);
  sample.change.mirrored = 1;
  const std::vector<float> image = form({.rotation_degrees = 180}, sample);
  std::size_t i = 0;
  for (int y = 0; y < shape_.height; ++y) {
    for (int x = 0; x < shape_.width; ++x) {
      for (int c = 0; c < shape_.channels; ++c, ++i) {
        ASSERT_NEAR(image[i], normal(at(x, shape_.height - 1 - y, c), c), 0.02);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ImageFormerTest,
                         testing::Values(Case{{28, 28, 1}, PixelType::kByte},
                                         Case{{5, 9, 1}, PixelType::kFloat},
                                         Case{{7, 6, 3}, PixelType::kByte},
                                         Case{{6, 70, 2}, PixelType::kFloat}));

TEST(MixImages, BlendsOrPastes) {
  constexpr ImageShape kShape{2, 3, 2};
  std::vector<float> own(12);
  std::vector<float> other(12);
  for (int i = 0; i < 12; ++i) {
    own[static_cast<std::size_t>(i)] = static_cast<float>(i);
    other[static_cast<std::size_t>(i)] = static_cast<float>(100 - 3 * i);
  }
  std::vector<float> image = own;
  mix_images({.part = 0.75F}, kShape, other, image);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(image[i], 0.75F * own[i] + 0.25F * other[i]);
  image = own;
  mix_images({.pasted = {1, 1, 3, 2}}, kShape, other, image);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(image[i], i < 8 ? own[i] : other[i]);
  image = own;
  mix_images({}, kShape, other, image);
  EXPECT_EQ(image, own);
}

}  // namespace

}  // namespace lockstep
