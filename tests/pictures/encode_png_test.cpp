#include "lockstep/pictures/encode_png.h"

#include <gtest/gtest.h>

#include "lockstep/pictures/decode_png.h"

namespace lockstep {
namespace {

TEST(EncodePng, DecodedAgainIsTheSame) {
  for (const int channels : {1, 3}) {
    Picture picture{37, 23, channels, {}};
    for (int i = 0; i < 37 * 23 * channels; ++i) {
      picture.pixels.push_back(static_cast<std::uint8_t>(i * i % 251));
    }
    EXPECT_EQ(decode_png(encode_png(picture), channels), picture) << channels << " channels";
  }
}

}  // namespace
}  // namespace lockstep
