// Errors in an experiment's text: their place and their words.
#include <gtest/gtest.h>

#include "config/sample.h"

namespace lockstep {
namespace {

struct BadText {
  const char* text;
  const char* message;
};

class BadTextTest : public testing::TestWithParam<BadText> {};

TEST_P(BadTextTest, NamesPlaceAndProblem) {
  EXPECT_EQ(error_of(GetParam().text), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Text, BadTextTest,
    testing::Values(
        BadText{"training {\n  epohcs: 3\n}\n",
                "tiny.textproto:2:3: unknown field \"epohcs\" in Training; did you mean "
                "\"epochs\"? (valid: global_batch, lanes, epochs, precision, reduction, clip_norm, "
                "label_smoothing, class_weights, balance_classes, ema_decay, log_every_steps, "
                "digest_every_steps, bucket_bytes, wire)"},
        BadText{"xyzzyxyzzy: 3",
                "tiny.textproto:1:1: unknown field \"xyzzyxyzzy\" in Experiment (valid: name, "
                "seed, device, data, model, initialize, training, optimizer, schedule, "
                "evaluation, callbacks, checkpoint)"},
        BadText{"model { layer { flatten { size: 3 } } }",
                "tiny.textproto:1:27: unknown field \"size\" in Flatten"},
        BadText{"name: \"a\"\n\ndevice: CUDAA  # CUDAA is no device\nseed: 3\n",
                "tiny.textproto:3:9: device: unknown value \"CUDAA\"; did you mean \"CUDA\"? "
                "(valid: AUTO, CPU, CUDA)"},
        BadText{"device: cpu",
                "tiny.textproto:1:9: device: unknown value \"cpu\"; did you mean \"CPU\"? "
                "(valid: AUTO, CPU, CUDA)"},
        BadText{"model { layer { conv { padding: FULL } } }",
                "tiny.textproto:1:33: padding: unknown value \"FULL\" (valid: VALID, SAME)"},
        BadText{"device: \"CPU\"",
                "tiny.textproto:1:9: device: expected one of its values, without quotes, got "
                "\"CPU\""},
        BadText{"training {\n  lanes: 2\n  epochs: three }",
                "tiny.textproto:3:11: epochs: expected a whole number, got three"},
        BadText{"training { epochs: 3.5 }",
                "tiny.textproto:1:20: epochs: expected a whole number, got 3.5"},
        BadText{"optimizer { adam { beta1: -none } }",
                "tiny.textproto:1:28: beta1: expected a number, got none"},
        BadText{"training { epochs: 99999999999 }",
                "tiny.textproto:1:20: epochs: out of range (99999999999); expected a whole number "
                "of at most 2147483647"},
        BadText{"seed: 18446744073709551616",
                "tiny.textproto:1:7: seed: out of range (18446744073709551616); expected a whole "
                "number from 0 to 18446744073709551615"},
        BadText{"seed: -1\nname: \"a\"",
                "tiny.textproto:1:7: seed: out of range (-1); expected a whole number from 0 to "
                "18446744073709551615"},
        BadText{"optimizer { adam { learning_rate: fast } }",
                "tiny.textproto:1:35: learning_rate: expected a number, got fast"},
        BadText{"name: digits",
                "tiny.textproto:1:7: name: expected a string in double quotes, got digits"},
        BadText{"data { validation { stratified: maybe } }",
                "tiny.textproto:1:33: stratified: expected true or false, got maybe"},
        BadText{"data { validation { stratified: \"true\" } }",
                "tiny.textproto:1:33: stratified: expected true or false, got \"true\""},
        BadText{"seed: 1\nseed: 2",
                "tiny.textproto:2:1: Non-repeated field \"seed\" is specified multiple times."},
        BadText{"optimizer {\n  adam {}\n  sgd {}\n}",
                "tiny.textproto:3:3: Field \"sgd\" is specified along with field \"adam\", another "
                "member of oneof \"kind\"."},
        BadText{"training {\n  epochs: 3\n", "tiny.textproto:3:1: Expected identifier, got: "}));

TEST(LoadTest, NamesAFileThatIsNotThere) {
  try {
    load_experiment("no/such.textproto", {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("no/such.textproto"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
