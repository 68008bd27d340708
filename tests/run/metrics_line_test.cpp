#include "lockstep/run/metrics_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lockstep {
namespace {

TEST(MetricsLineTest, AStepIsReadAsItWasWritten) {
  StepEvent event;
  event.epoch = 2;
  event.step = 19;
  event.train_loss = 1.0 / 3.0;
  event.train_accuracy = 0.875;
  event.learning_rate = 0.5;
  event.images_per_second = 200;
  event.seconds = 0.1;
  const auto point = read_metrics_line(metrics_line(event));
  ASSERT_TRUE(point);
  EXPECT_EQ(point->kind, "step");
  EXPECT_EQ(point->epoch, 3);
  EXPECT_EQ(point->step, 19);
  EXPECT_EQ(point->train_loss, 1.0 / 3.0);
  EXPECT_EQ(point->train_accuracy, 0.875);
  EXPECT_EQ(point->learning_rate, 0.5);
  EXPECT_EQ(point->images_per_second, 200);
  EXPECT_EQ(point->seconds, 0.1);
  EXPECT_TRUE(std::isnan(point->val_loss));
  EXPECT_EQ(point->weights_digest, "");
}

TEST(MetricsLineTest, AnEpochIsReadAsItWasWritten) {
  EpochEvent event;
  event.epoch = 0;
  event.step = 8;
  event.train_loss = std::numeric_limits<double>::infinity();
  event.val_loss = 0.25;
  event.val_accuracy = 0.75;
  event.weights_digest = digest_of("weights");
  const auto point = read_metrics_line(metrics_line(event));
  ASSERT_TRUE(point);
  EXPECT_EQ(point->kind, "epoch");
  EXPECT_EQ(point->epoch, 1);
  EXPECT_EQ(point->step, 8);
  EXPECT_TRUE(std::isnan(point->train_loss));
  EXPECT_EQ(point->val_loss, 0.25);
  EXPECT_EQ(point->val_accuracy, 0.75);
  EXPECT_EQ(point->weights_digest, event.weights_digest.hex());
}

TEST(MetricsLineTest, TellsTheTopKAccuracyWhereThereIsOne) {
  EpochEvent event;
  EXPECT_EQ(metrics_line(event).find("top_k"), std::string::npos);
  event.top_k = 5;
  event.val_top_k_accuracy = 0.875;
  EXPECT_NE(metrics_line(event).find(R"("top_k":5,"val_top_k_accuracy":0.875,)"),
            std::string::npos);
}

TEST(MetricsLineTest, OtherTextsAreNoLines) {
  for (const char* text :
       {"", "7", "[]", "{\"kind\":\"step\",\"epoch\":1,\"st", R"({"epoch":1,"step":2})",
        R"({"kind":"step","epoch":1})", R"({"kind":"step","epoch":1.5,"step":2})"}) {
    EXPECT_FALSE(read_metrics_line(text)) << text;
  }
}

}  // namespace
}  // namespace lockstep
