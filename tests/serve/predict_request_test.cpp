// Bodies of POST /predict, and base64.

#include "serve/predict_request.h"

#include <gtest/gtest.h>

#include "lockstep/core/error.h"
#include "serve/base64.h"
#include "serve/model.h"

namespace lockstep {
namespace {

class PredictRequestTest : public testing::Test {
 protected:
  // The message of the Error (2) that reading `body` ends with.
  std::string error_of(const std::string& body) const {
    try {
      reader_.read(body);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage);
      return error.what();
    }
    return {};
  }

  TinyModel model_;
  PredictRequestReader reader_{model_.served};
};

TEST_F(PredictRequestTest, PixelsAreRounded) {
  const auto images = reader_.read(R"( {"images": [[0,1,2,3,4,255], [0.4,0.5,1.6,9e0,254.4,7]]} )");
  EXPECT_EQ(images, (std::vector<Predictor::Image>{{0, 1, 2, 3, 4, 255}, {0, 1, 2, 9, 254, 7}}));
}

TEST_F(PredictRequestTest, NamesTheImageAndPixelAtFault) {
  EXPECT_EQ(error_of(R"({"images": [[0,0,0,0,0,0], [0,0,0,0,0]]})"),
            "images[1]: 5 values; expected an array of 6 numbers, the pixels row by row");
  EXPECT_EQ(error_of(R"({"images": [[0,0,256,0,0,0]]})"),
            "images[0]: pixel 2 is not a number from 0 to 255");
  EXPECT_EQ(error_of(R"({"images": [[0,0,0,0,0,-0.1]]})"),
            "images[0]: pixel 5 is not a number from 0 to 255");
  EXPECT_EQ(error_of(R"({"images": [[true,0,0,0,0,0]]})"),
            "images[0]: pixel 0 is not a number from 0 to 255");
  EXPECT_EQ(error_of(R"({"png": ["AAA"]})"), "png[0]: not base64");
}

TEST_F(PredictRequestTest, TheNumberOfImagesIsLimited) {
  const auto body = [](int images) {
    std::string text = R"({"images": [)";
    for (int i = 0; i < images; ++i) text += i == 0 ? "[0,0,0,0,0,0]" : ",[0,0,0,0,0,0]";
    return text + "]}";
  };
  EXPECT_EQ(reader_.read(body(kMostImages)).size(), 64U);
  EXPECT_EQ(error_of(body(kMostImages + 1)), "65 images; expected from 1 to 64");
  EXPECT_EQ(error_of(body(0)), "0 images; expected from 1 to 64");
}

TEST_F(PredictRequestTest, OtherJsonIsRefused) {
  for (const char* body : {"[]", "3", "null", "{}", R"({"images": {}})", R"({"Images": [[0]]})",
                           R"({"images": [[0]], "png": []})"}) {
    EXPECT_NE(error_of(body).find("expected {\"images\""), std::string::npos) << body;
  }
  EXPECT_EQ(error_of(R"({"images" [])"), "the body is not JSON: see byte 11");
  EXPECT_NE(error_of("[[[[1]]]]").find("nested too deeply"), std::string::npos);
  EXPECT_NE(error_of(std::string(60000, '[')).find("nested too deeply"), std::string::npos);
}

// The vectors of RFC 4648, section 10, and what its section 3 forbids.
TEST(Base64, ReadsTheVectorsOfItsStandard) {
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("Zg=="), "f");
  EXPECT_EQ(from_base64("Zm8="), "fo");
  EXPECT_EQ(from_base64("Zm9v"), "foo");
  EXPECT_EQ(from_base64("Zm9vYg=="), "foob");
  EXPECT_EQ(from_base64("Zm9vYmE="), "fooba");
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(from_base64("+/+/"), "\xFB\xFF\xBF");
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zm9v\n", "Zm 9v", "Zm9-", "=g==", "Zg==Zg==", "===="}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace lockstep
