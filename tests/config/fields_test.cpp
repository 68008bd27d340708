#include <gtest/gtest.h>

#include "lockstep/config/experiment.h"

namespace lockstep {
namespace {

Experiment parse(const std::string& more) {
  return parse_experiment(
      R"(name: "a" data { train { path: "x.csv" } classes: 2 class_names: ["größte", 'b "c"'] }
model { layer { flatten {} } layer { dense { units: 2 } } })" +
          more,
      "text", {});
}

TEST(FieldsOf, NamesEveryFieldAsSetDoes) {
  const auto fields = fields_of(parse("training { epochs: 3 precision: BF16 }"));
  EXPECT_EQ(fields.at("name"), "a");
  EXPECT_EQ(fields.at("data.class_names[0]"), "größte");
  EXPECT_EQ(fields.at("data.class_names[1]"), "b \"c\"");
  EXPECT_EQ(fields.at("model.layer[0].flatten"), "{}");
  EXPECT_EQ(fields.at("model.layer[1].dense.units"), "2");
  EXPECT_EQ(fields.at("training.epochs"), "3");
  EXPECT_EQ(fields.at("training.precision"), "BF16");
  EXPECT_EQ(fields.at("optimizer.adam.learning_rate"), "0.001");
  EXPECT_EQ(fields.at("data.validation.stratified"), "true");
  EXPECT_FALSE(fields.contains("optimizer.sgd.momentum"));
}

TEST(FieldsOf, DifferWhereExperimentsDiffer) {
  const Experiment a = parse("");
  const Experiment b = parse("seed: 2 optimizer { adam { learning_rate: 0.01 } }");
  auto of_a = fields_of(a);
  auto of_b = fields_of(b);
  ASSERT_EQ(of_a.size(), of_b.size());
  std::vector<std::string> differing;
  for (const auto& [path, value] : of_a) {
    if (of_b.at(path) != value) differing.push_back(path);
  }
  EXPECT_EQ(differing, (std::vector<std::string>{"optimizer.adam.learning_rate", "seed"}));
}

}  // namespace
}  // namespace lockstep
