#include "lockstep/checkpoint/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "lockstep/core/error.h"

namespace lockstep {
namespace {

// Written by Python's safetensors 0.8.0: save() of {"1.dense.weight":
// [[1.5, -2, 0.25], [3, -0.0, 1e-40]], "0.scale": 7 (no dimension), "empty": [0, 4]}
// with metadata {"format": "pt", "name": "grün"}.
const std::string kFromPython =
    std::string("\xf0\0\0\0\0\0\0\0", 8) +
    "{\"__metadata__\":{\"name\":\"gr\xc3\xbcn\",\"format\":\"pt\"},"
    "\"0.scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
    "\"1.dense.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]},"
    "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,4],\"data_offsets\":[28,28]}}     " +
    std::string(
        "\x00\x00\xe0\x40\x00\x00\xc0\x3f\x00\x00\x00\xc0\x00\x00\x80\x3e"
        "\x00\x00\x40\x40\x00\x00\x00\x80\xc2\x16\x01\x00",
        28);

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\1');
}

// The message of the Error with which a file is refused; empty when it is not.
std::string refusal(const std::string& content) {
  try {
    const SafetensorsFile file(content, "weights.safetensors");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    EXPECT_EQ(std::string(error.what()).rfind("weights.safetensors: ", 0), 0U) << error.what();
    return error.what();
  }
  return {};
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST(Safetensors, ReadsWhatPythonWrote) {
  const SafetensorsFile file(kFromPython, "fixture");
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"name", "gr\xc3\xbcn"}}));
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.tensors()[0].name, "0.scale");
  EXPECT_EQ(file.tensors()[1].name, "1.dense.weight");
  EXPECT_EQ(file.tensors()[2].name, "empty");
  EXPECT_TRUE(file.tensor("0.scale").shape.empty());
  EXPECT_EQ(copy(file.tensor("0.scale").values), std::vector<float>{7});
  EXPECT_EQ(file.tensor("1.dense.weight").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_TRUE(same_bits(file.tensor("1.dense.weight").values,
                        std::vector<float>{1.5F, -2, 0.25F, 3, -0.0F, 1e-40F}));
  EXPECT_EQ(file.tensor("empty").shape, (std::vector<std::int64_t>{0, 4}));
  EXPECT_TRUE(file.tensor("empty").values.empty());
}

// By hand, with the bits that NumPy gives: float64 [1/3, -2.5], int64 7, float16 [65504, 2**-24,
// -0.0, 1/3], bfloat16 [-1.5, the upper half of 3e38].
const std::string kOfManyTypes =
    std::string("\xdc\0\0\0\0\0\0\0", 8) +
    R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},)"
    R"("n":{"dtype":"I64","shape":[],"data_offsets":[16,24]},)"
    R"("h":{"dtype":"F16","shape":[4],"data_offsets":[24,32]},)"
    R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[32,36]}})" +
    std::string(
        "\x55\x55\x55\x55\x55\x55\xd5\x3f\x00\x00\x00\x00\x00\x00\x04\xc0"
        "\x07\x00\x00\x00\x00\x00\x00\x00\xff\x7b\x01\x00\x00\x80\x55\x35"
        "\xc0\xbf\x62\x7f",
        36);

TEST(Safetensors, FloatsOfEveryWidthAreReadWhereThatIsAskedFor) {
  const SafetensorsFile file(kOfManyTypes, "theirs", Dtypes::kAny);
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_TRUE(
      same_bits(file.tensor("d").values, std::vector<float>{static_cast<float>(1.0 / 3), -2.5F}));
  EXPECT_TRUE(same_bits(file.tensor("h").values,
                        std::vector<float>{65504, std::ldexp(1.0F, -24), -0.0F, 0.333251953125F}));
  EXPECT_TRUE(same_bits(file.tensor("b").values,
                        std::vector<float>{-1.5F, std::bit_cast<float>(0x7F620000U)}));
  ASSERT_EQ(file.unread().size(), 1U);
  EXPECT_EQ(file.unread()[0].name, "n");
  EXPECT_EQ(file.unread()[0].dtype, "I64");
  EXPECT_NE(refusal(kOfManyTypes), "");
}

// IEEE 754: 31 as exponent is infinity, or NaN with a fraction.
TEST(Safetensors, HalvesThatAreNotFiniteStaySo) {
  const SafetensorsFile file(
      file_of(R"({"h":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}})", 0) +
          std::string("\x00\x7c\x00\xfc\x01\x7e", 6),
      "halves", Dtypes::kAny);
  const std::span<const float> values = file.tensor("h").values;
  EXPECT_EQ(values[0], std::numeric_limits<float>::infinity());
  EXPECT_EQ(values[1], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(values[2]));
}

TEST(Safetensors, OtherTypesAreHeldToTheirSizesToo) {
  const auto read = [](const std::string& header, std::size_t bytes) {
    const SafetensorsFile file(file_of(header, bytes), "theirs", Dtypes::kAny);
  };
  EXPECT_NO_THROW(read(R"({"w":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}})", 6));
  EXPECT_THROW(read(R"({"w":{"dtype":"F16","shape":[3],"data_offsets":[0,12]}})", 12), Error);
  EXPECT_THROW(read(R"({"w":{"dtype":"F64","shape":[3],"data_offsets":[0,12]}})", 12), Error);
  EXPECT_THROW(read(R"({"w":{"dtype":"I64","shape":[3],"data_offsets":[0,12]}})", 12), Error);
  EXPECT_THROW(read(R"({"w":{"dtype":"C64","shape":[3],"data_offsets":[0,24]}})", 24), Error);
}

TEST(Safetensors, MissingTensorIsNamed) {
  const SafetensorsFile file(kFromPython, "fixture");
  try {
    file.tensor("2.conv.weight");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_STREQ(error.what(), "fixture: has no tensor \"2.conv.weight\"");
  }
}

// The same tensors in the same order give Python's bytes, but for the order of the
// metadata's keys.
TEST(Safetensors, WritesWhatPythonWrites) {
  const std::vector<float> scale = {7};
  const std::vector<float> weight = {1.5F, -2, 0.25F, 3, -0.0F, 1e-40F};
  const std::vector<TensorView> tensors = {
      {"0.scale", {}, scale}, {"1.dense.weight", {2, 3}, weight}, {"empty", {0, 4}, {}}};
  std::string expected = kFromPython;
  const std::string theirs = "\"name\":\"gr\xc3\xbcn\",\"format\":\"pt\"";
  expected.replace(expected.find(theirs), theirs.size(),
                   "\"format\":\"pt\",\"name\":\"gr\xc3\xbcn\"");
  EXPECT_EQ(to_safetensors(tensors, {{"name", "gr\xc3\xbcn"}, {"format", "pt"}}), expected);
}

TEST(Safetensors, RoundTripKeepsEveryBit) {
  std::vector<float> odd(997);
  for (std::size_t i = 0; i < odd.size(); ++i)
    odd[i] = std::ldexp(1.0F / 3, static_cast<int>(i) - 500);
  const std::vector<float> special = {std::numeric_limits<float>::quiet_NaN(),
                                      std::numeric_limits<float>::infinity(), -0.0F,
                                      std::numeric_limits<float>::denorm_min()};
  const std::vector<TensorView> tensors = {{"z", {997}, odd}, {"a \"b\"\n", {2, 1, 2}, special}};
  const SafetensorsFile file(to_safetensors(tensors, {}), "memory");
  EXPECT_TRUE(file.metadata().empty());
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensors()[0].name, "z");
  EXPECT_TRUE(same_bits(file.tensor("z").values, odd));
  EXPECT_EQ(file.tensor("a \"b\"\n").shape, (std::vector<std::int64_t>{2, 1, 2}));
  EXPECT_TRUE(same_bits(file.tensor("a \"b\"\n").values, special));
}

TEST(Safetensors, DataBeginsAtAMultipleOfEight) {
  for (std::size_t length = 1; length < 20; ++length) {
    const std::vector<float> one = {1};
    const std::string name(length, 'x');
    const std::vector<TensorView> tensors = {{name, {1}, one}};
    EXPECT_EQ((to_safetensors(tensors, {}).size() - sizeof(float)) % 8, 0U);
  }
}

TEST(Safetensors, NoTensorsAreAFileToo) {
  const SafetensorsFile file(to_safetensors({}, {}), "memory");
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_EQ(refusal(file_of("{}", 0)), "");
}

TEST(Safetensors, CutAtEveryByteIsRefused) {
  for (std::size_t size = 0; size < kFromPython.size(); ++size) {
    EXPECT_NE(refusal(kFromPython.substr(0, size)), "") << "cut at " << size;
  }
  EXPECT_NE(refusal(kFromPython + '\0'), "");
}

// A changed byte in length or header gives a refusal or a file that is as it must be;
// nothing else may happen.
TEST(Safetensors, ChangedBytesNeverBreakTheReader) {
  const std::size_t header_end = kFromPython.size() - 28;
  int refused = 0;
  for (std::size_t at = 0; at < header_end; ++at) {
    for (const char byte : {'\0', '"', '{', '}', '9', '-', ',', '\xff'}) {
      std::string content = kFromPython;
      content[at] = byte;
      if (!refusal(content).empty()) ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Safetensors, HugeLengthsAreRefusedBeforeTheyAreBelieved) {
  for (const std::uint64_t length : {std::uint64_t{1} << 62, ~std::uint64_t{0},
                                     ~std::uint64_t{0} - 7, std::uint64_t{100'000'001}}) {
    std::string content = kFromPython;
    std::memcpy(content.data(), &length, 8);
    EXPECT_NE(refusal(content).find("a header of"), std::string::npos) << length;
  }
}

// One tensor's header entry, and the data that follows, in bytes.
// [1,1,...], whose product is 1.
std::string long_list(int length) {
  std::string text = "[1";
  for (int i = 1; i < length; ++i) text += ",1";
  return text + "]";
}

struct Case {
  const char* what;
  std::string header;
  std::size_t data_bytes;
};

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"dtype":{},"shape":{},"data_offsets":{}}})", dtype, shape, offsets);
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return fmt::format(R"({{"w":{}}})", entry(dtype, shape, offsets));
}

std::string two(const std::string& first, const std::string& second) {
  const std::string f32 = "\"F32\"";
  return fmt::format(R"({{"a":{},"b":{}}})", entry(f32, "[2]", first), entry(f32, "[2]", second));
}

TEST(Safetensors, EveryKindOfMalformedHeaderIsRefused) {
  const std::string f32 = "\"F32\"";
  ASSERT_EQ(refusal(file_of(one(f32, "[2]", "[0,8]"), 8)), "");
  ASSERT_EQ(refusal(file_of(two("[8,16]", "[0,8]"), 16)), "");
  const std::vector<Case> cases = {
      {"other dtype", one("\"F16\"", "[2]", "[0,8]"), 8},
      {"dtype that is no text", one("32", "[2]", "[0,8]"), 8},
      {"negative extent", one(f32, "[-2]", "[0,8]"), 8},
      {"negative offset", one(f32, "[2]", "[-8,0]"), 8},
      {"fractional extent", one(f32, "[2.0]", "[0,8]"), 8},
      {"extent as text", one(f32, R"(["2"])", "[0,8]"), 8},
      {"shape as a number", one(f32, "2", "[0,8]"), 8},
      {"shape as an object", one(f32, R"({"a":2})", "[0,8]"), 8},
      {"shape null", one(f32, "null", "[0,4]"), 4},
      {"one offset", one(f32, "[2]", "[8]"), 8},
      {"three offsets", one(f32, "[2]", "[0,8,8]"), 8},
      {"offsets as an object", one(f32, "[2]", R"({"a":0,"b":8})"), 8},
      {"offsets swapped", one(f32, "[2]", "[8,0]"), 8},
      {"shape larger than its bytes", one(f32, "[3]", "[0,8]"), 8},
      {"shape smaller than its bytes", one(f32, "[1]", "[0,8]"), 8},
      {"bytes that are no floats", one(f32, "[1]", "[0,5]"), 5},
      {"extents whose product overflows", one(f32, "[4294967296,4294967296,2]", "[0,8]"), 8},
      {"extent above 2^63", one(f32, "[18446744073709551615]", "[0,8]"), 8},
      {"extent above 2^64", one(f32, "[36893488147419103232]", "[0,8]"), 8},
      {"end past the file", one(f32, "[4]", "[0,16]"), 8},
      {"end that wraps", one(f32, "[2]", "[0,18446744073709551615]"), 8},
      {"hole at the beginning", one(f32, "[2]", "[4,12]"), 12},
      {"bytes after the last tensor", one(f32, "[2]", "[0,8]"), 12},
      {"hole between", two("[0,8]", "[12,20]"), 20},
      {"overlap", two("[0,8]", "[4,12]"), 12},
      {"the same bytes twice", two("[0,8]", "[0,8]"), 8},
      {"missing key", R"({"w":{"dtype":"F32","shape":[2]}})", 8},
      {"other key", R"({"w":{"dtype":"F32","shape":[2],"offsets":[0,8]}})", 8},
      {"key too many", R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8},
      {"tensor that is no object", R"({"w":[1,2,3]})", 0},
      {"tensor null", R"({"w":null})", 0},
      {"name twice", fmt::format(R"({{"w":{0},"w":{0}}})", entry(f32, "[2]", "[0,8]")), 8},
      {"dtype twice", R"({"w":{"dtype":"F16","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8},
      {"metadata that is no text", R"({"__metadata__":{"step":3}})", 0},
      {"metadata that is no object", R"({"__metadata__":"x"})", 0},
      {"array", "[]", 0},
      {"number", "7", 0},
      {"nothing", "", 0},
      {"text after the object", "{} {}", 0},
      {"comment", "{} // x", 0},
      {"not UTF-8", "{\"\xff\":1}", 0},
      {"long list", one(f32, long_list(100), "[0,8]"), 8},
      {"deep nesting", std::string(100'000, '['), 0},
      {"deep nesting in a tensor", "{\"w\":" + std::string(100'000, '['), 0}};
  for (const Case& each : cases) {
    EXPECT_NE(refusal(file_of(each.header, each.data_bytes)), "") << each.what;
  }
}

TEST(Safetensors, RefusalNamesTensorAndReason) {
  EXPECT_EQ(refusal(file_of(one("\"F16\"", "[2]", "[0,8]"), 8)),
            "weights.safetensors: tensor \"w\" has dtype F16; only F32 is read");
}

TEST(Safetensors, MissingFileIsAUsageError) {
  try {
    const SafetensorsFile file(std::filesystem::path("no-such-folder/w.safetensors"));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("no-such-folder/w.safetensors"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
