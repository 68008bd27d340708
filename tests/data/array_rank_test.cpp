// One set of rows as NumPy's arrays, ARFF and LIBSVM's text, on every number of ranks: the same
// rows, with the digests of the same bytes.

#include <numeric>

#include "data/source.h"
#include "data/written_files.h"
#include "lockstep/core/files.h"
#include "lockstep/core/share.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

DataOptions options_of(const ImageShape& shape) {
  DataOptions options = samples::options();
  options.shape = shape;
  return options;
}

// The labels of ARFF files are texts.
DataOptions options_of(const std::string& name, const ImageShape& shape) {
  DataOptions options = options_of(shape);
  for (int label = 0; name.ends_with(".arff") && label < options.classes; ++label) {
    options.labels.push_back(fmt::format("class {}", label));
  }
  return options;
}

const ImageShape kGrey{5, 9, 1};
const ImageShape kColour{5, 3, 3};

// Collective: the sets of one shape, written by rank 0.
class Sets {
 public:
  explicit Sets(const ImageShape& shape) : folder_(test_comm()) {
    const std::string rows = folder_.write("rows.csv", samples::csv(samples::kRows));
    if (test_comm().rank() == 0) {
      samples::run_script("write_sets.py", fmt::format("{} {} {} {} {}", rows, folder_.path(""),
                                                       shape.height, shape.width, shape.channels));
    }
    test_comm().barrier();
  }

  SourceOptions operator[](const std::string& name) const { return {folder_.path(name), "", ""}; }
  const samples::SharedFolder& folder() const { return folder_; }

 private:
  samples::SharedFolder folder_;
};

ReadRows read(const SourceOptions& source, const DataOptions& options,
              Labels labels = Labels::kRequired) {
  return read_rows(test_comm(), source, options, labels, Classes::kFound);
}

std::string error_of(const SourceOptions& source, const DataOptions& options,
                     Labels labels = Labels::kRequired) {
  return samples::error_of([&] { read(source, options, labels); });
}

// Value `index` of a row of samples, as the set has it.
using ValueOf = std::function<float(int row, int index)>;

float plain_value(int row, int index) { return static_cast<float>(samples::pixel_of(row, index)); }

void expect_rows(const FileRows& rows, PixelType type = PixelType::kByte,
                 const ValueOf& value_of = plain_value) {
  ASSERT_EQ(rows.total, samples::kRows);
  ASSERT_EQ(rows.type, type);
  for (std::int64_t i = 0; i < rows.count; ++i) {
    const int row = static_cast<int>(rows.first + i);
    std::vector<std::uint8_t> bytes;
    std::vector<float> floats;
    for (int p = 0; p < rows.pixels_per_row; ++p) {
      floats.push_back(value_of(row, p));
      if (type == PixelType::kByte) bytes.push_back(static_cast<std::uint8_t>(floats.back()));
    }
    const PixelView expected = type == PixelType::kByte
                                   ? PixelView(std::span<const std::uint8_t>(bytes))
                                   : PixelView(type, floats.data(), floats.size());
    ASSERT_EQ(rows.digests[static_cast<std::size_t>(i)], digest_of(expected.raw())) << row;
    ASSERT_EQ(digest_of(rows.row(i).raw()), digest_of(expected.raw())) << row;
    if (rows.labelled) {
      ASSERT_EQ(rows.labels[static_cast<std::size_t>(i)], samples::label_of(row)) << row;
    }
  }
  std::int64_t held = rows.count;
  test_comm().sum(std::span(&held, 1));
  ASSERT_EQ(held, samples::kRows);
}

TEST(Arrays, EachFileHasTheSameRows) {
  const Sets sets(kGrey);
  SourceOptions files = sets["images.npy"];
  files.labels = sets["labels.npy"].path;
  expect_rows(read(files, options_of(kGrey)).rows);
  SourceOptions archives = sets["images_alone.npz"];
  archives.labels = sets["labels_alone.npz"].path;
  expect_rows(read(archives, options_of(kGrey)).rows);
  for (const char* name : {"stored.npz", "one_hot.npz", "planes.npz", "flat.npz", "dense.arff",
                           "sparse.arff", "rows.svm"}) {
    SCOPED_TRACE(name);
    const ReadRows found = read(sets[name], options_of(name, kGrey));
    expect_rows(found.rows);
    EXPECT_TRUE(found.rows.labelled);
    EXPECT_NE(found.found, "");
  }
  const ReadRows alone = read(sets["images_alone.npz"], options_of(kGrey), Labels::kOptional);
  expect_rows(alone.rows);
  EXPECT_FALSE(alone.rows.labelled);
}

TEST(Arrays, ColourIsReadInTheOrderOfRows) {
  const Sets sets(kColour);
  for (const char* name : {"stored.npz", "one_hot.npz", "planes.npz", "flat.npz", "dense.arff"}) {
    SCOPED_TRACE(name);
    expect_rows(read(sets[name], options_of(name, kColour)).rows);
  }
  // Value i of the rows, read as planes, is value c of pixel (y, x).
  for (const char* name : {"flat.npz", "dense.arff", "rows.svm"}) {
    SCOPED_TRACE(name);
    DataOptions planar = options_of(name, kColour);
    planar.csv.layout = PixelLayout::kPlanar;
    expect_rows(read(sets[name], planar).rows, PixelType::kByte,
                [](int row, int index) { return plain_value(row, index % 3 * 15 + index / 3); });
  }
}

TEST(Arrays, RealValuesStayAsTheyAre) {
  const Sets sets(kGrey);
  const ReadRows found = read(sets["real.npz"], options_of(kGrey));
  expect_rows(found.rows, PixelType::kFloat,
              [](int row, int index) { return plain_value(row, index) / 8 - 3; });
}

TEST(Arrays, AFileSaysWhatRowsAreFor) {
  const Sets sets(kGrey);
  const ReadRows found = read(sets["splits.npz"], options_of(kGrey));
  expect_rows(found.rows);
  ASSERT_EQ(std::ssize(found.rows.uses), found.rows.count);
  for (std::int64_t i = 0; i < found.rows.count; ++i) {
    const std::int64_t row = found.rows.first + i;
    const RowUse use = row < 598   ? RowUse::kTraining
                       : row < 797 ? RowUse::kValidation
                                   : RowUse::kTest;
    ASSERT_EQ(found.rows.use(i), use) << row;
  }
  EXPECT_EQ(found.options.arrays.images, "train_images");
  EXPECT_EQ(found.options.arrays.test_labels, "test_labels");
  const RowShare test =
      load_rows(test_comm(), sets["splits.npz"], found.options, Labels::kOptional);
  EXPECT_EQ(test.total, 200);
}

TEST(Arrays, WhatIsSaidCounts) {
  const Sets sets(kGrey);
  DataOptions options = options_of(kGrey);
  options.arrays.images = "val_images";
  options.arrays.labels = "val_labels";
  const ReadRows found = read(sets["splits.npz"], options);
  EXPECT_EQ(found.rows.total, 199);
  EXPECT_TRUE(found.rows.uses.empty());
  options.arrays.labels = "train_labels";
  const std::string file = sets["splits.npz"].path;
  EXPECT_EQ(error_of(sets["splits.npz"], options),
            file + ":train_labels.npy: (598, 1); expected a label for each of the 199 rows of " +
                file + ":val_images.npy");
  options.arrays.images = "val_image";
  EXPECT_EQ(error_of(sets["splits.npz"], options),
            file +
                ": has no array \"val_image\"; did you mean \"val_images\"?; its arrays: "
                "train_images, val_images, test_images, train_labels, val_labels, test_labels");
  options.arrays = {};
  options.shape = {9, 5, 1};
  EXPECT_EQ(error_of(sets["splits.npz"], options),
            file + ":train_images.npy: (598, 5, 9), images of 5x9x1; expected 9x5x1");
  options.shape = kGrey;
  EXPECT_EQ(error_of(sets["images_alone.npz"], options),
            sets["images_alone.npz"].path +
                ": no labels beside the array \"arr_0\"; expected their name in "
                "data.arrays.labels; its arrays: arr_0");
  options.shape = {7, 7, 1};
  EXPECT_EQ(error_of(sets["dense.arff"], options),
            sets["dense.arff"].path + ": 45 pixel columns; expected the 49 of 7x7x1");
  options.shape = {2, 2, 1};
  EXPECT_EQ(
      error_of(sets["rows.svm"], options),
      sets["rows.svm"].path + ": indexes from 1 to 45; expected at most the 4 values of 2x2x1");
}

TEST(Arrays, ALabelOfNoClassIsFound) {
  const Sets sets(kGrey);
  DataOptions options = options_of(kGrey);
  options.labels = {"0", "1", "2", "3", "4", "5", "9"};
  // Labels of samples are r^2 + 3r mod 7; the first that is 6 would be one of them.
  int first = 0;
  while (first < samples::kRows && samples::label_of(first) != 4) ++first;
  options.labels[4] = "8";
  const std::string svm = error_of(sets["rows.svm"], options);
  EXPECT_EQ(svm.find(fmt::format("{}:{}:1: \"4\" is no label", sets["rows.svm"].path, first + 1)),
            0U)
      << svm;
  const std::string npz = error_of(sets["stored.npz"], options);
  EXPECT_EQ(npz.find(fmt::format("{}:y_train.npy: row {}: \"4\" is no label",
                                 sets["stored.npz"].path, first)),
            0U)
      << npz;
}

TEST(Arrays, DamageIsNoticed) {
  const Sets sets(kGrey);
  for (const char* name : {"stored.npz", "splits.npz"}) {
    std::string bytes = read_file(sets[name].path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
    const std::string path = sets.folder().write("damaged.npz", bytes);
    const std::string error = error_of({path, "", ""}, options_of(kGrey));
    EXPECT_EQ(error.find(path + ":"), 0U) << error;
    EXPECT_NE(error.find("damaged"), std::string::npos) << error;
  }
}

std::string sixteen_bit(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) {
    text += static_cast<char>(value & 0xFF);
    text += static_cast<char>(value >> 8 & 0xFF);
  }
  return text;
}

std::string npy(const std::string& type, const std::string& shape, const std::string& values) {
  const std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}\n", type, shape);
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         values;
}

TEST(Arrays, WhatCannotBeTrainedIsSaid) {
  const samples::SharedFolder folder(test_comm());
  const auto error = [&](const std::string& images, const std::string& labels, ImageShape shape) {
    const SourceOptions source{folder.write("images.npy", images), "",
                               folder.write("labels.npy", labels)};
    const std::string text = error_of(source, options_of(shape));
    return text.substr(std::min(text.find("/images.npy"), text.find("/labels.npy")) + 1);
  };
  const std::string two = npy("|u1", "(2, 1, 2)", "abcd");
  const ImageShape pair{1, 2, 1};
  EXPECT_EQ(error(two, npy("<i2", "(2,)", sixteen_bit({0, 1})), pair), "");
  EXPECT_EQ(
      error(two, npy("|u1", "(2, 3)", std::string("\0\1\0\1\0\1", 6)), pair),
      "labels.npy: row 1 has 2 labels; expected one: rows of several classes are not trained");
  EXPECT_EQ(error(two, npy("|u1", "(2, 3)", std::string("\0\1\0\2\0\0", 6)), pair),
            "labels.npy: row 1 has other values than 0 and 1; expected one-hot labels");
  EXPECT_EQ(error(two, npy("<f2", "(2,)", sixteen_bit({0, 0x3800})), pair),
            "labels.npy: row 1 has the label 0.5; expected a whole number");
  EXPECT_EQ(error(two, npy("|u1", "(1,)", "\1"), pair).substr(0, 12), "labels.npy: ");
  EXPECT_EQ(error(npy("<f2", "(2, 1, 2)", sixteen_bit({0, 1, 2, 0x7c00})),
                  npy("|u1", "(2,)", "\1\1"), pair),
            "images.npy: row 1 has inf as its value 1; expected finite numbers");
  EXPECT_EQ(error(npy("<u4", "(1, 1, 2)", std::string("\1\0\0\0\1\0\0\1", 8)),
                  npy("|u1", "(1,)", "\1"), pair),
            "images.npy: row 0 has 16777217 as its value 1; expected whole numbers up to "
            "1.67772e+07");
  EXPECT_EQ(
      error(npy("|u1", "(1, 3, 3, 3)", std::string(27, 'a')), npy("|u1", "(1,)", "\1"), {3, 3, 3}),
      "images.npy: (1, 3, 3, 3) can be images of 3x3x3 or 3x3x3; expected sizes that tell "
      "channels from sides");
  EXPECT_EQ(error(npy("|u1", "(0, 1, 2)", ""), npy("|u1", "(0,)", ""), pair),
            "images.npy: no rows");
}

}  // namespace

}  // namespace lockstep
