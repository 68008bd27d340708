// The experiment's text with the origin of each value.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "config/sample.h"
#include "lockstep/core/files.h"

namespace lockstep {
namespace {

class OriginsTest : public testing::Test {
 protected:
  OriginsTest() {
    folder_ = fs::temp_directory_path() / ("lockstep-origins-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    file_ = (folder_ / "tiny.textproto").string();
    write_file_atomically(file_,
                          "name: \"tiny\"\n"
                          "data { train { path: \"a  # b.csv\" } class_names: \"a\"\n"
                          "  class_names: \"b\" classes: 2 }\n"
                          "model {\n"
                          "  layer { flatten {} }\n"
                          "  layer { dense { units: 2 } }\n"
                          "}\n");
  }
  ~OriginsTest() override { fs::remove_all(folder_); }

  std::string text(const std::vector<std::string>& overrides = {}) const {
    return to_text_with_origins(file_, overrides);
  }

  // The comments of the lines that hold just `line`, in order, joined by "; ".
  static std::string origin(const std::string& text, const std::string& line) {
    std::istringstream lines(text);
    std::string found;
    for (std::string each; std::getline(lines, each);) {
      const std::size_t comment = each.rfind("  # ");
      const std::size_t first = each.find_first_not_of(' ');
      if (comment == std::string::npos) continue;
      const std::size_t last = each.find_last_not_of(' ', comment);
      if (each.substr(first, last + 1 - first) != line) continue;
      found += (found.empty() ? "" : "; ") + each.substr(comment + 4);
    }
    return found;
  }

  fs::path folder_;
  std::string file_;
};

TEST_F(OriginsTest, ListsInBracketsAreFromTheLineWhereTheyBegin) {
  write_file_atomically(file_, read_file(file_) + "training { class_weights: [1,\n3] }\n");
  EXPECT_EQ(origin(text(), "class_weights: 3"), "tiny.textproto:8");
}

TEST_F(OriginsTest, FileLines) {
  const std::string seen = text();
  EXPECT_EQ(origin(seen, "name: \"tiny\""), "tiny.textproto:1");
  EXPECT_EQ(origin(seen, "path: \"a  # b.csv\""), "tiny.textproto:2");
  EXPECT_EQ(origin(seen, "class_names: \"a\""), "tiny.textproto:2");
  EXPECT_EQ(origin(seen, "class_names: \"b\""), "tiny.textproto:3");
  EXPECT_EQ(origin(seen, "layer {"), "tiny.textproto:5; tiny.textproto:6");
  EXPECT_EQ(origin(seen, "flatten {"), "tiny.textproto:5");
  EXPECT_EQ(origin(seen, "units: 2"), "tiny.textproto:6");
}

TEST_F(OriginsTest, Defaults) {
  const std::string seen = text();
  EXPECT_EQ(origin(seen, "seed: 1"), "default");
  EXPECT_EQ(origin(seen, "bias: true"), "default");
  EXPECT_EQ(origin(seen, "training {"), "default");
  EXPECT_EQ(origin(seen, "constant {"), "default");
}

TEST_F(OriginsTest, Overrides) {
  const std::string seen =
      text({"training.epochs=3", "model.layer.1.dense.units=3", "data.class_names=x,y,z",
            "data.classes=3", "optimizer.sgd.momentum=0.5", "schedule.one_cycle={}"});
  EXPECT_EQ(origin(seen, "epochs: 3"), "--set");
  EXPECT_EQ(origin(seen, "training {"), "--set");
  EXPECT_EQ(origin(seen, "units: 3"), "--set");
  EXPECT_EQ(origin(seen, "layer {"), "tiny.textproto:5; tiny.textproto:6");
  EXPECT_EQ(origin(seen, "class_names: \"x\""), "--set");
  EXPECT_EQ(origin(seen, "class_names: \"z\""), "--set");
  EXPECT_EQ(origin(seen, "momentum: 0.5"), "--set");
  EXPECT_EQ(origin(seen, "nesterov: false"), "default");
  EXPECT_EQ(origin(seen, "one_cycle {"), "--set");
  EXPECT_EQ(origin(seen, "warmup_fraction: 0.3"), "default");
}

TEST_F(OriginsTest, AFieldPutBackIsADefault) {
  EXPECT_EQ(origin(text({"seed=5", "seed="}), "seed: 1"), "default");
  EXPECT_EQ(
      origin(text({"optimizer.adam.beta2=0.5", "optimizer.sgd={}", "optimizer.adam.beta1=0.5"}),
             "beta2: 0.999"),
      "default");
}

TEST_F(OriginsTest, ReadsBackAsTheSameExperiment) {
  const std::vector<std::string> overrides = {"callbacks.early_stopping={patience: 7}",
                                              "data.augmentation.scale=0.1"};
  const std::string expected = to_text(load_experiment(file_, overrides));
  EXPECT_EQ(to_text(parse(text(overrides))), expected);
  EXPECT_NE(expected, text(overrides));
}

TEST_F(OriginsTest, CommentsAreAligned) {
  std::istringstream lines(text());
  std::map<std::size_t, int> columns;
  int braces = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t comment = line.rfind("  # ");
    if (comment == std::string::npos) {
      EXPECT_EQ(line.find_first_not_of(' '), line.find('}')) << line;
      ++braces;
    } else {
      ++columns[comment];
    }
  }
  EXPECT_EQ(columns.size(), 1U);
  EXPECT_GT(braces, 10);
}

}  // namespace
}  // namespace lockstep
