// What a look at a CSV file finds, for the layouts of well-known sets and for those that
// could be read in two ways.

#include "data/csv_look.h"

#include <gtest/gtest.h>

#include "data/csv_tables.h"
#include "data/samples.h"

namespace lockstep {

namespace {

const std::string kName = "rows.csv";
constexpr ImageShape kShape = {7, 7, 1};

struct Asked {
  CsvOptions csv = {};
  std::string label_column = "label";
  std::optional<ImageShape> shape = kShape;
  Labels labels = Labels::kRequired;
};

CsvFound look(const std::string& text, const Asked& asked = {}) {
  return look_at_csv({text, kName, asked.csv, asked.label_column, asked.shape, asked.labels});
}

// What is said of a file, when its shape is known and when it is not; and what was found, told
// as settings, gives the same again.
std::string said(const std::string& text, const Asked& asked = {}) {
  const CsvFound found = look(text, asked);
  for (const std::optional<ImageShape>& shape : {asked.shape, std::optional<ImageShape>()}) {
    Asked again = asked;
    again.csv = found.options;
    again.shape = shape;
    EXPECT_EQ(look(text, again).said, found.said);
  }
  Asked unknown = asked;
  unknown.shape.reset();
  EXPECT_EQ(look(text, unknown).said, found.said);
  EXPECT_EQ(look(text, unknown).reading.pixels, found.reading.pixels);
  return found.said;
}

std::string error(const std::string& text, const Asked& asked = {}) {
  return samples::error_of([&] { look(text, asked); });
}

using tables::counts;
using tables::label;
using tables::labels;
using tables::list;
using tables::Table;
using tables::text;

TEST(CsvLook, LabelFirstOrLastWithAHeader) {
  EXPECT_EQ(said(text({.before = {labels()}})), "header; label: column \"label\"; pixels 0 to 255");
  EXPECT_EQ(said(text({.after = {labels()}})), "header; label: column \"label\"; pixels 0 to 255");
  EXPECT_EQ(said(text({.before = {labels("\"label\"")},
                       .name = [](int i) { return fmt::format("\"{}\"", i); }})),
            "header; label: column \"label\"; pixels 0 to 255");
  EXPECT_EQ(said(text({.before = {labels()}, .end = "\r\n"})),
            "header; label: column \"label\"; pixels 0 to 255");
}

TEST(CsvLook, LabelFirstOrLastWithoutAHeader) {
  EXPECT_EQ(said(text({.before = {labels()}, .header = false})),
            "no header; label: the first column; pixels 0 to 255");
  EXPECT_EQ(said(text({.after = {labels()}, .header = false})),
            "no header; label: the last column; pixels 0 to 255");
  const auto few = [](int row, int i) { return std::to_string(tables::pixel(row, i, 49) / 15); };
  EXPECT_EQ(said(text({.after = {labels()}, .value = few, .header = false})),
            "no header; label: the last column; pixels 0 to 255");
}

// Labels of few kinds beside pixels of many.
TEST(CsvLook, NoisyCorners) {
  const auto noise = [](int row, int i) { return std::to_string((row * 131 + i * 77) % 160); };
  EXPECT_EQ(said(text({.rows = 997, .before = {labels()}, .value = noise, .header = false})),
            "no header; label: the first column; pixels 0 to 255");
  EXPECT_EQ(said(text({.rows = 997, .after = {labels()}, .value = noise, .header = false})),
            "no header; label: the last column; pixels 0 to 255");
}

// Sorted by class: the beginning shows one label alone.
TEST(CsvLook, ASortedFile) {
  const tables::Column sorted = {"label", [](int row) { return std::to_string(row / 1000); }};
  EXPECT_EQ(said(text({.rows = 26000, .before = {sorted}, .header = false})),
            "no header; label: the first column; pixels 0 to 255");
}

TEST(CsvLook, OneRowIsEnoughWithAHeader) {
  EXPECT_EQ(said(text({.rows = 1, .before = {labels()}})),
            "header; label: column \"label\"; pixels 0 to 255");
  EXPECT_EQ(error(text({.rows = 0, .before = {labels()}})),
            "rows.csv:2:1: no row follows the header; expected at least one");
  EXPECT_EQ(error("\n\r\n"),
            "rows.csv:1:1: the file is empty; expected rows of a label and pixels");
}

TEST(CsvLook, Separators) {
  for (const auto& [separator, words] :
       {std::pair{";", "; ';' between"}, {"\t", "; tabs between"}, {" ", "; blanks between"}}) {
    EXPECT_EQ(said(text({.before = {labels()}, .separator = separator})),
              fmt::format("header{}; label: column \"label\"; pixels 0 to 255", words));
  }
  const auto real = [](int row, int i) {
    return fmt::format("{:.4f}", tables::pixel(row, i, 49) / 127.5 - 1);
  };
  const tables::Column dotted = {"", [](int row) { return fmt::format("{}.0000", label(row)); }};
  EXPECT_EQ(said(text({.before = {dotted}, .value = real, .separator = " ", .header = false})),
            "no header; blanks between; label: the first column; real pixels");
  EXPECT_EQ(error("0;1,2;3\n4;5,6;7\n"),
            "rows.csv:1:1: 2 pixel columns besides column 2; expected 49 for images of 7x7x1");
  EXPECT_EQ(error("a;b,c\na;b,c\n"),
            "rows.csv:1:1: the fields may be separated by ',' or ';'; set data.csv.separator");
}

TEST(CsvLook, TextLabels) {
  const tables::Column words = {
      "character", [](int row) { return fmt::format("character_{:02}_ka", label(row)); }};
  EXPECT_EQ(said(text({.after = {words}})),
            "header; label: column \"character\", text; pixels 0 to 255");
  EXPECT_EQ(said(text({.after = {words}, .header = false})),
            "no header; label: the last column, text; pixels 0 to 255");
  EXPECT_EQ(error(text({.before = {{"what", words.cell}}})),
            "rows.csv:1:1: no column \"label\" in the header; it may be column \"what\"; its first "
            "of 50 columns is \"what\"; set data.csv.label");
  // The same label once more.
  EXPECT_EQ(said(text({.after = {labels(), words}})),
            "header; label: column \"label\"; ignored: column \"character\"; pixels 0 to 255");
  Asked asked;
  asked.csv.label = "character";
  EXPECT_EQ(said(text({.after = {labels(), words}}), asked),
            "header; label: column \"character\", text; ignored: column \"label\"; pixels 0 to "
            "255");
}

TEST(CsvLook, Ids) {
  EXPECT_EQ(said(text({.before = {counts("id"), labels()}})),
            "header; label: column \"label\"; id: column \"id\"; pixels 0 to 255");
  EXPECT_EQ(said(text({.before = {counts(""), labels()}})),
            "header; label: column \"label\"; id: the first column; pixels 0 to 255");
  EXPECT_EQ(said(text({.before = {counts(""), labels()}, .header = false})),
            "no header; label: column 2; id: the first column; pixels 0 to 255");
  Asked test;
  test.labels = Labels::kOptional;
  EXPECT_EQ(said(text({.before = {counts("id")}}), test),
            "header; no label; id: column \"id\"; pixels 0 to 255");
  EXPECT_EQ(said(text({}), test), "header; no label; pixels 0 to 255");
  const tables::Column names = {"image_id", [](int row) { return fmt::format("Train_{}", row); }};
  EXPECT_EQ(said(text({.before = {names, labels()}})),
            "header; label: column \"label\"; id: column \"image_id\"; pixels 0 to 255");
  // The names of the columns are digits, and the id has none.
  const auto digits = [](int i) { return std::to_string(i); };
  const CsvFound found = look(text({.before = {counts("")}, .after = {labels()}, .name = digits}));
  EXPECT_EQ(found.said, "header; label: column \"label\"; id: the first column; pixels 0 to 255");
  EXPECT_EQ(found.options.id, "#0");
}

TEST(CsvLook, PixelLists) {
  const tables::Column use = {"Usage", [](int row) {
                                return std::string(row % 6 != 0    ? "Training"
                                                   : row % 12 != 0 ? "PublicTest"
                                                                   : "PrivateTest");
                              }};
  for (const char* quote : {"", "\""}) {
    EXPECT_EQ(
        said(text({.pixels = 0, .before = {labels("emotion"), list("pixels", 49, quote), use}})),
        "header; label: column \"emotion\"; split: column \"Usage\"; all pixels: column "
        "\"pixels\"; pixels 0 to 255");
    EXPECT_EQ(said(text({.pixels = 0,
                         .before = {labels("emotion"), use, list("pixels", 49, quote)},
                         .header = false})),
              "no header; label: the first column; split: column 2; all pixels: the last column; "
              "pixels 0 to 255");
  }
  EXPECT_EQ(said(text({.pixels = 0, .before = {labels("emotion"), use, list(" pixels", 49)}})),
            "header; label: column \"emotion\"; split: column \"Usage\"; all pixels: column "
            "\"pixels\"; pixels 0 to 255");
}

TEST(CsvLook, RealPixels) {
  const auto as = [](const char* format, double scale) {
    return [=](int row, int i) {
      return fmt::format(fmt::runtime(format), tables::pixel(row, i, 49) * scale);
    };
  };
  EXPECT_EQ(said(text({.before = {labels()}, .value = as("{:.6g}", 1 / 255.0)})),
            "header; label: column \"label\"; real pixels");
  EXPECT_EQ(said(text({.before = {labels()}, .value = as("{:.1f}", 1)})),
            "header; label: column \"label\"; real pixels");
  EXPECT_EQ(said(text({.before = {labels()}, .value = as("{:.0f}", 257)})),
            "header; label: column \"label\"; real pixels");
  EXPECT_EQ(said(text({.before = {labels()}, .value = as("{:.2e}", -0.5)})),
            "header; label: column \"label\"; real pixels");
  // In few lines it is a fault of those.
  const auto faulty = [](int row, int i) {
    return row == 3 || row == 90 ? "256" : std::to_string(tables::pixel(row, i, 49));
  };
  EXPECT_EQ(said(text({.before = {labels()}, .value = faulty})),
            "header; label: column \"label\"; pixels 0 to 255");
}

TEST(CsvLook, ColourAndOddShapes) {
  Asked asked;
  asked.shape = {8, 8, 3};
  EXPECT_EQ(said(text({.pixels = 192, .after = {labels()}, .header = false}), asked),
            "no header; label: the last column; pixels 0 to 255");
  asked.shape = {5, 7, 3};
  asked.csv.layout = PixelLayout::kPlanar;
  EXPECT_EQ(look(text({.pixels = 105, .before = {labels()}, .header = false}), asked).said,
            "no header; label: the first column; pixels 0 to 255, planes of channels");
}

TEST(CsvLook, OneHotLabels) {
  std::vector<tables::Column> hot;
  for (int k = 0; k < tables::kClasses; ++k) {
    hot.push_back({fmt::format("is{}", k),
                   [k](int row) { return std::string(label(row) == k ? "1" : "0"); }});
  }
  Asked asked;
  asked.csv.label_kind = LabelKind::kOneHot;
  EXPECT_EQ(said(text({.after = hot, .header = false}), asked),
            "no header; label: column 50 and on, one-hot; pixels 0 to 255");
  EXPECT_EQ(said(text({.before = hot, .separator = " ", .header = false}), asked),
            "no header; blanks between; label: the first column and on, one-hot; pixels 0 to 255");
  asked.csv.label = "is0";
  EXPECT_EQ(said(text({.after = hot}), asked),
            "header; label: column \"is0\" and on, one-hot; pixels 0 to 255");
}

TEST(CsvLook, NamesThatCount) {
  const auto from = [](int first) { return [=](int i) { return std::to_string(i + first); }; };
  const Table named = {.before = {labels()}, .name = from(0)};
  EXPECT_EQ(said(text(named)), "header; label: column \"label\"; pixels 0 to 255");
  const Table counted = {.before = {labels("0")}, .name = from(1)};
  EXPECT_EQ(error(text(counted)),
            "rows.csv:1:1: the first line (\"0\", ...) may be a header or a row: its numbers count "
            "on; set data.csv.header to YES or NO");
  Asked asked;
  asked.csv.header = Header::kYes;
  EXPECT_EQ(said(text(counted), asked), "header; label: column \"0\"; pixels 0 to 255");
  // More names than a pixel has values.
  asked = {};
  asked.shape = {17, 17, 1};
  EXPECT_EQ(look(text({.pixels = 289, .before = {labels("0")}, .name = from(1)}), asked).said,
            "header; label: column \"0\"; pixels 0 to 255");
}

TEST(CsvLook, NamesThatWereARow) {
  const auto name = [](int i) { return i == 0 ? "0" : fmt::format("0.{}", i); };
  const Table table = {.before = {labels("3")}, .name = name};
  EXPECT_EQ(error(text(table)),
            "rows.csv:1:1: the first line (\"3\", ...) may be a header or a row: its numbers look "
            "like a row that was taken for names once; set data.csv.header to YES or NO");
  Asked asked;
  asked.csv.header = Header::kYes;
  EXPECT_EQ(said(text(table), asked), "header; label: column \"3\"; pixels 0 to 255");
}

// The settings of a training are those of its test rows too.
TEST(CsvLook, WhatTheTestRowsLackIsNoFault) {
  Asked test;
  test.labels = Labels::kOptional;
  test.csv = look(text({.before = {labels()}})).options;
  EXPECT_EQ(said(text({.before = {counts("id")}}), test),
            "header; no label; id: column \"id\"; pixels 0 to 255");
  EXPECT_EQ(error(text({.header = false}), test),
            "rows.csv:1:1: the first line (\"0\", ...) is a row like those below, but "
            "data.csv.header says that it is a header");
  test.csv = look(text({.before = {labels()}, .header = false})).options;
  EXPECT_EQ(said(text({.before = {labels()}, .header = false}), test),
            "no header; label: the first column; pixels 0 to 255");
  EXPECT_EQ(look(text({.header = false}), test).said, "no header; no label; pixels 0 to 255");
}

// A fault in a row changes nothing of what is found.
TEST(CsvLook, FaultsAreLeftToTheReader) {
  std::string rows = text({.before = {labels()}, .header = false});
  const std::string found = "no header; label: the first column; pixels 0 to 255";
  const auto damaged = [&](std::size_t at, const char* with) {
    return std::string(rows).replace(at, 1, with);
  };
  EXPECT_EQ(said(damaged(0, "x")), found);
  EXPECT_EQ(said(damaged(0, "")), found);
  EXPECT_EQ(said(damaged(0, "0,0,0")), found);
  EXPECT_EQ(said(damaged(rows.find('\n') + 1, "x")), found);
  EXPECT_EQ(said(damaged(rows.find('\n') + 1, "\n")), found);
}

TEST(CsvLook, TwoReadingsAreRefused) {
  const tables::Column other = {"", [](int row) { return std::to_string(row % 5); }};
  EXPECT_EQ(error(text({.pixels = 48, .before = {labels()}, .after = {other}, .header = false})),
            "rows.csv:1:1: the label may be in the first column or the last column; set "
            "data.csv.label to 0, or 49");
  Asked asked;
  asked.csv.label = "LAST";
  EXPECT_EQ(
      said(text({.pixels = 48, .before = {labels()}, .after = {other}, .header = false}), asked),
      "no header; label: the last column; pixels 0 to 255");
  EXPECT_EQ(error(text({.before = {labels("a"), {"b", labels().cell}}})),
            "rows.csv:1:1: no column \"label\" in the header; it may be column \"a\" or column "
            "\"b\"; its first of 51 columns is \"a\"; set data.csv.label");
  asked = {};
  asked.labels = Labels::kOptional;
  EXPECT_EQ(said(text({.before = {labels("a"), {"b", labels().cell}}}), asked),
            "header; no label; ignored: column \"a\", column \"b\"; pixels 0 to 255");
}

TEST(CsvLook, NamesOfFilesAreNoPixels) {
  const tables::Column paths = {"filename", [](int row) { return fmt::format("{}.png", row); }};
  EXPECT_EQ(error(text({.pixels = 0, .before = {paths, labels()}})),
            "rows.csv:1:1: no column of pixels; column \"filename\" holds texts such as \"0.png\"; "
            "expected numbers");
}

TEST(CsvLook, WhatIsSaidMustBeThere) {
  const std::string headed = text({.before = {labels()}});
  Asked asked;
  asked.label_column = "lable";
  EXPECT_EQ(error(headed, asked),
            "rows.csv:1:1: no column \"lable\" in the header; did you mean \"label\"?; its first "
            "of 50 columns is \"label\"");
  asked = {};
  asked.csv.id = "id";
  EXPECT_EQ(error(headed, asked),
            "rows.csv:1:1: no column \"id\" in the header; its first of 50 columns is \"label\"");
  asked.csv.id = "label";
  EXPECT_EQ(error(headed, asked),
            "rows.csv:1:1: column \"label\" is the id and the label, as data.csv says; expected "
            "one of them");
  asked = {};
  asked.csv.label = "50";
  const std::string bare = text({.before = {labels()}, .header = false});
  EXPECT_EQ(error(bare, asked),
            "rows.csv:1:1: no header, so no column \"50\" for data.csv.label; expected an index "
            "from 0 to 49");
  asked.csv.label = "NONE";
  EXPECT_EQ(error(bare, asked),
            "rows.csv:1:1: no label in 50 columns without a header; set data.csv.label to its "
            "index");
  asked = {};
  asked.shape = {7, 8, 1};
  EXPECT_EQ(error(headed, asked),
            "rows.csv:1:1: 49 pixel columns besides column \"label\"; expected 56 for images of "
            "7x8x1");
  asked = {};
  asked.csv.separator = ",;";
  EXPECT_EQ(error(headed, asked),
            "data.csv.separator: \",;\"; expected \",\", \";\", a tab or a blank");
}

}  // namespace

}  // namespace lockstep
