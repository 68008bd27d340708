// Rows of CSV files of any dialect, read in one part and in many.

#include "data/csv_rows.h"

#include <gtest/gtest.h>

#include "data/csv_look.h"
#include "data/csv_tables.h"
#include "data/samples.h"

namespace lockstep {

namespace {

const std::string kName = "rows.csv";
constexpr ImageShape kShape = {5, 7, 3};
constexpr int kPixels = 105;
constexpr int kRows = 997;

using tables::Column;
using tables::labels;
using tables::Table;
using tables::text;

// The pixel of row, column and channel that stands at `index` of [height, width, channels].
int pixel(int row, int index) { return tables::pixel(row, index, kPixels); }

CsvFound look(const std::string& content, const CsvOptions& csv = {}) {
  return look_at_csv({content, kName, csv, "label", kShape, Labels::kOptional});
}

FileRows read(const std::string& content, const CsvFound& found, FilePart part) {
  return read_csv_rows({csv_content(content, kName), kName, found.reading, 0}, kShape, part);
}

float value_of(const FileRows& rows, std::int64_t row, std::size_t index) {
  const PixelView view = rows.row(row);
  return view.type == PixelType::kByte ? view.bytes()[index] : view.floats()[index];
}

// Expects the rows by formula, with pixels times `scale`, in however many parts.
void expect_rows(const std::string& content, const CsvOptions& csv = {}, float scale = 1) {
  const CsvFound found = look(content, csv);
  for (const int parts : {1, 2, 7, 997, 2000}) {
    int row = 0;
    for (int part = 0; part < parts; ++part) {
      const FileRows rows = read(content, found, {part, parts});
      ASSERT_EQ(rows.pixels_per_row, kPixels);
      ASSERT_EQ(rows.digests.size(), static_cast<std::size_t>(rows.count));
      for (std::int64_t i = 0; i < rows.count; ++i, ++row) {
        const std::string label = rows.label_names.empty()
                                      ? std::to_string(rows.label(i))
                                      : rows.label_names[static_cast<std::size_t>(rows.label(i))];
        ASSERT_EQ(label, std::to_string(tables::label(row))) << row;
        ASSERT_EQ(rows.digests[static_cast<std::size_t>(i)], digest_of(rows.row(i).raw()));
        for (int p = 0; p < kPixels; ++p) {
          ASSERT_EQ(value_of(rows, i, static_cast<std::size_t>(p)),
                    static_cast<float>(pixel(row, p)) * scale)
              << row << " " << p;
        }
      }
    }
    ASSERT_EQ(row, kRows);
  }
}

TEST(CsvRows, EverySeparatorAndEnd) {
  for (const char* separator : {",", ";", "\t", " "}) {
    for (const char* end : {"\n", "\r\n"}) {
      for (const bool header : {false, true}) {
        SCOPED_TRACE(fmt::format("'{}', header {}", separator, header));
        const Table table = {.rows = kRows,
                             .pixels = kPixels,
                             .before = {labels()},
                             .separator = separator,
                             .end = end,
                             .header = header};
        const std::string content = text(table);
        expect_rows(content);
        expect_rows("\xEF\xBB\xBF" + content + "\n\n");
        expect_rows(content.substr(0, content.find_last_not_of("\r\n") + 1));
      }
    }
  }
}

TEST(CsvRows, BlanksAroundTheFields) {
  const auto value = [](int row, int i) { return fmt::format("{:3}", pixel(row, i)); };
  Table table = {.rows = kRows, .pixels = kPixels, .before = {labels()}, .value = value};
  expect_rows(text(table));
  table.separator = "  ";
  table.header = false;
  expect_rows(text(table));
  table.end = "  \n";
  expect_rows(text(table));
}

TEST(CsvRows, QuotedFields) {
  const auto value = [](int row, int i) { return fmt::format("\"{}\"", pixel(row, i)); };
  const Column label = {"\"label\"",
                        [](int row) { return fmt::format("\"{}\"", tables::label(row)); }};
  expect_rows(text({.rows = kRows, .pixels = kPixels, .after = {label}, .value = value}));
  const Column note = {
      "note", [](int row) { return row % 3 == 0 ? std::string("\"a \"\"b\"\", c\"") : "d"; }};
  expect_rows(text({.rows = kRows, .pixels = kPixels, .before = {note}, .after = {labels()}}));
}

TEST(CsvRows, LeadingZerosAndTexts) {
  const auto value = [](int row, int i) {
    return fmt::format("{:0{}}", pixel(row, i), row % 7 == i % 7 ? 5 : 1);
  };
  expect_rows(text({.rows = kRows, .pixels = kPixels, .before = {labels()}, .value = value}));
  CsvOptions csv;
  csv.label_kind = LabelKind::kText;
  expect_rows(text({.rows = kRows, .pixels = kPixels, .before = {labels()}}), csv);
}

TEST(CsvRows, RealPixels) {
  const auto as = [](const char* format, float scale) {
    return [=](int row, int i) {
      return fmt::format(fmt::runtime(format), static_cast<float>(pixel(row, i)) * scale);
    };
  };
  const Table plain = {.rows = kRows, .pixels = kPixels, .before = {labels()}};
  for (const char* format : {"{:.9g}", "{:.9e}", "{:.60f}"}) {
    Table table = plain;
    table.value = as(format, -0.25F);
    expect_rows(text(table), {}, -0.25F);
    table.separator = " ";
    expect_rows(text(table), {}, -0.25F);
  }
  Table table = plain;
  table.value = as("{:.1f}", 1);
  expect_rows(text(table));
  table.value = as("{:.0f}", 257);
  expect_rows(text(table), {}, 257);
}

TEST(CsvRows, PixelLists) {
  for (const char* quote : {"", "\""}) {
    for (const char* separator : {",", ";", "\t"}) {
      const Column list = {"pixels", [=](int row) {
                             std::string all;
                             for (int i = 0; i < kPixels; ++i) {
                               all += fmt::format(" {}", pixel(row, i));
                             }
                             return quote + all.substr(1) + quote;
                           }};
      const Column use = {
          "Usage", [](int row) { return std::string(row % 2 == 0 ? "Training" : "PrivateTest"); }};
      for (const bool last : {false, true}) {
        Table table = {
            .rows = kRows,
            .pixels = 0,
            .before = last ? std::vector{labels(), use, list} : std::vector{list, labels(), use},
            .separator = separator};
        const std::string content = text(table);
        expect_rows(content);
        const FileRows rows = read(content, look(content), {0, 1});
        ASSERT_EQ(rows.uses.size(), static_cast<std::size_t>(kRows));
        EXPECT_EQ(rows.use(4), RowUse::kTraining);
        EXPECT_EQ(rows.use(5), RowUse::kTest);
      }
    }
  }
}

TEST(CsvRows, Layouts) {
  const auto planar = [](int row, int i) {
    const int channel = i / 35;
    return std::to_string(pixel(row, i % 35 * 3 + channel));
  };
  CsvOptions csv;
  csv.layout = PixelLayout::kPlanar;
  expect_rows(text({.rows = kRows, .pixels = kPixels, .before = {labels()}, .value = planar}), csv);
  const auto transposed = [](int row, int i) {
    const int x = i / 15;
    const int y = i / 3 % 5;
    return std::to_string(pixel(row, (y * 7 + x) * 3 + i % 3));
  };
  csv.layout = PixelLayout::kTransposed;
  expect_rows(text({.rows = kRows, .pixels = kPixels, .before = {labels()}, .value = transposed}),
              csv);
}

TEST(CsvRows, OneHotLabels) {
  std::vector<Column> hot;
  for (int k = 0; k < tables::kClasses; ++k) {
    hot.push_back({fmt::format("is{}", k),
                   [k](int row) { return std::string(tables::label(row) == k ? "1" : "0"); }});
  }
  CsvOptions csv;
  csv.label_kind = LabelKind::kOneHot;
  const std::string content =
      text({.rows = kRows, .pixels = kPixels, .after = hot, .header = false});
  expect_rows(content, csv);
  std::string two = content;
  two.replace(two.find('\n') - 13, 13, "1,1,0,0,0,0,0");
  const CsvFound found = look(content, csv);
  EXPECT_TRUE(samples::error_of([&] {
                read(two, found, {0, 1});
              })
                  .ends_with(": column 107: a second 1; expected 0 or 1, and one 1 in all columns "
                             "of the label"));
  two.replace(two.find('\n') - 13, 13, "0,0,0,0,0,0,0");
  EXPECT_TRUE(samples::error_of([&] {
                read(two, found, {0, 1});
              })
                  .ends_with(": column 106: no 1; expected 0 or 1, and one 1 in all columns of the "
                             "label"));
}

TEST(CsvRows, FaultsNameTheirPlace) {
  const auto error = [](const char* row, const CsvOptions& csv = {}) {
    std::string content = "id,label,p\n";
    for (int i = 0; i < 40; ++i) content += fmt::format("{},{},{}\n", i, i % 3, i);
    content += std::string(row) + "\n40,1,1\n";
    const ImageShape shape = {1, 1, 1};
    return samples::error_of([&] {
      const CsvFound found = look_at_csv({content, kName, csv, "label", shape, Labels::kRequired});
      read_csv_rows({csv_content(content, kName), kName, found.reading, 3}, shape, {0, 1});
    });
  };
  EXPECT_EQ(error("0,1"), "rows.csv:42:4: 2 columns, without \"p\"; expected 3, as in the header");
  EXPECT_EQ(error("0,1,2,"),
            "rows.csv:42:7: 4 columns, beyond \"p\"; expected 3, as in the header");
  EXPECT_EQ(error("  "), "rows.csv:42:1: blank line; expected 3 columns");
  EXPECT_EQ(error("0,one,2"),
            "rows.csv:42:3: column \"label\": \"one\" is not a whole number; expected a label from "
            "0 to 2");
  EXPECT_EQ(error("\"0,1,2"),
            "rows.csv:42:1: column \"id\": \"\"0,1,2\" has a quote that is not closed in its line, "
            "or text beside one; expected an id");
  EXPECT_EQ(
      error("0,1,2 3"),
      "rows.csv:42:5: column \"p\": \"2 3\" contains a space; expected a pixel from 0 to 255");
  CsvOptions csv;
  csv.pixels = PixelKind::kReal;
  for (const char* bad : {"nan", "inf", "1e99", "0x1", "1,5"}) {
    EXPECT_TRUE(error(fmt::format("0,1,{}", bad).c_str(), csv).starts_with("rows.csv:42:")) << bad;
  }
  EXPECT_EQ(error("0,1,1e-60", csv), "");
}

}  // namespace

}  // namespace lockstep
