// ARFF and LIBSVM texts, their parts, and what is refused in them.

#include "data/arff.h"

#include "data/libsvm.h"
#include "data/samples.h"

namespace lockstep {

namespace {

const std::string kHeader =
    "% A comment.\n"
    "\n"
    "@RELATION 'some digits'\n"
    "@Attribute pixel1 REAL\n"
    "@ATTRIBUTE\t'pixel 2' integer [0, 255] % with a range\r\n"
    "@attribute \"it's\" {a,'b c', \"d,}\" ,e\\f}\n"
    "@attribute name string\n"
    "@data\n";

std::vector<std::vector<std::string>> rows_of(const std::string& file, int parts = 1) {
  const ArffHeader header = parse_arff_header(file, "a.arff");
  const std::string name = "a.arff";
  std::vector<std::vector<std::string>> rows;
  for (int part = 0; part < parts; ++part) {
    ArffRows each(file, name, header, {part, parts});
    while (each.next()) {
      rows.emplace_back();
      for (const std::string_view field : each.fields()) {
        rows.back().emplace_back(field.data() == nullptr ? "(missing)" : field);
      }
    }
  }
  return rows;
}

std::string arff_error(const std::string& file) {
  return samples::error_of([&] { rows_of(file); });
}

TEST(Arff, ColumnsOfTheHeader) {
  const ArffHeader header = parse_arff_header(kHeader, "a.arff");
  EXPECT_EQ(header.relation, "some digits");
  ASSERT_EQ(header.columns.size(), 4u);
  EXPECT_EQ(header.columns[0].name, "pixel1");
  EXPECT_EQ(header.columns[0].kind, ArffKind::kNumber);
  EXPECT_EQ(header.columns[1].name, "pixel 2");
  EXPECT_EQ(header.columns[1].kind, ArffKind::kNumber);
  EXPECT_EQ(header.columns[2].name, "it's");
  EXPECT_EQ(header.columns[2].kind, ArffKind::kNominal);
  EXPECT_EQ(header.columns[2].values, (std::vector<std::string>{"a", "b c", "d,}", "e\\f"}));
  EXPECT_EQ(header.columns[3].kind, ArffKind::kText);
  EXPECT_EQ(header.data_first, kHeader.size());
}

TEST(Arff, DenseAndSparseRows) {
  const std::string file = kHeader +
                           "1.5,2,a,x\n"
                           "  -3e2 , 4 ,'b c', 'it\\'s'\r\n"
                           "% between\n"
                           "\n"
                           "5\t6 \"d,}\" ?\n"
                           "{0 7, 3 y}\n"
                           "{ 1 8 , 2 'b c' ,3 '?'}\n";
  const std::vector<std::vector<std::string>> expected = {{"1.5", "2", "a", "x"},
                                                          {"-3e2", "4", "b c", "it's"},
                                                          {"5", "6", "d,}", "(missing)"},
                                                          {"7", "0", "a", "y"},
                                                          {"0", "8", "b c", "?"}};
  for (int parts = 1; parts <= 9; ++parts) EXPECT_EQ(rows_of(file, parts), expected) << parts;
  EXPECT_EQ(rows_of(file.substr(0, file.size() - 1)), expected);
}

TEST(Arff, PlacesAreTold) {
  const std::string file = kHeader + "1,2,a,x\n{0 7, 3 y}\n";
  const std::string name = "a.arff";
  const ArffHeader header = parse_arff_header(file, name);
  ArffRows rows(file, name, header, {0, 1});
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.place(2), "a.arff:9:5");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.place(0), "a.arff:10:4");
  EXPECT_EQ(rows.place(1), "a.arff:10:1");
}

TEST(Arff, WhatIsRefused) {
  const std::string end = "@relation a\n@attribute x real\n@attribute y {0,1}\n@data\n";
  EXPECT_EQ(arff_error(end + "1,0\n"), "");
  EXPECT_EQ(arff_error("@relation a\n@attribute x real\n"), "a.arff: ends without @data");
  EXPECT_EQ(arff_error("@relation a\n@data\n"), "a.arff: @data without an @attribute before it");
  EXPECT_EQ(arff_error("@relation a\n@attribute x relational\n"),
            "a.arff:2:14: \"relational\" seen; expected numeric, real, integer, string, date or "
            "{values}");
  EXPECT_EQ(arff_error("@relation a\n@attribute x real\n@attribute x real\n@data\n"),
            "a.arff:3:12: \"x real\" seen; expected a name that no other column has");
  EXPECT_EQ(arff_error("@relation a\n@attribute x {a,b\n"), "a.arff:2:18: \"\" seen; expected }");
  EXPECT_EQ(arff_error("@relation a\n@attribute x {}\n"),
            "a.arff:2:15: \"}\" seen; expected a value of the column");
  EXPECT_EQ(arff_error("@relation a\n@attribute 'x real\n"),
            "a.arff:2:12: \"'x real\" seen; expected a closing quote on this line");
  EXPECT_EQ(arff_error("label,pixel0\n1,2\n"),
            "a.arff:1:1: \"label,pixel0\" seen; expected @relation, @attribute or @data");
  EXPECT_EQ(arff_error(end + "1\n"), "a.arff:5:1: 1 value; expected 2");
  EXPECT_EQ(arff_error(end + "1,0,2\n"),
            "a.arff:5:4: \",2\" seen; expected the end of the row behind 2 values");
  EXPECT_EQ(arff_error(end + "1,,2\n"), "a.arff:5:3: \",2\" seen; expected a value");
  EXPECT_EQ(arff_error(end + "1,'0\n"),
            "a.arff:5:3: \"'0\" seen; expected a closing quote on this line");
  EXPECT_EQ(arff_error(end + "{2 1}\n"),
            "a.arff:5:2: \"2 1}\" seen; expected the number of a column from 0 to 1");
  EXPECT_EQ(arff_error(end + "{1 1, 1 0}\n"),
            "a.arff:5:7: \"1 0}\" seen; expected the number of a column from 2 to 1");
  EXPECT_EQ(arff_error(end + "{1 1\n"), "a.arff:5:5: \"\" seen; expected }");
  EXPECT_EQ(arff_error(end + "{1 1} {5}\n"),
            "a.arff:5:6: \" {5}\" seen; expected the end of the row");
  EXPECT_EQ(arff_error(kHeader + "{0 1}\n"),
            "a.arff:9:1: \"{0 1}\" seen; expected a value of the text column \"name\"");
}

TEST(Arff, IsRecognized) {
  EXPECT_TRUE(is_arff(kHeader));
  EXPECT_TRUE(is_arff("\xEF\xBB\xBF@relation x\n"));
  EXPECT_FALSE(is_arff("label,pixel0\n@relation x\n"));
  EXPECT_FALSE(is_arff(""));
}

// Row, value k of it: 0 where the formula says so, and then left out of the text.
float sparse_value(int row, int k) {
  return (row * 7 + k * 3) % 4 == 0 ? static_cast<float>((row * 31 + k * 17) % 199 - 99) / 4 : 0;
}

std::string libsvm_text(int rows, int values, int first_index) {
  std::string text = "# a comment\n";
  for (int row = 0; row < rows; ++row) {
    text += fmt::format("{}", row % 10 - 3);
    for (int k = 0; k < values; ++k) {
      if (sparse_value(row, k) != 0)
        text += fmt::format(" {}:{}", k + first_index, sparse_value(row, k));
    }
    text += row % 5 == 0 ? " # told\r\n" : "\n";
  }
  return text;
}

TEST(Libsvm, RowsInAnyNumberOfParts) {
  const std::string name = "a.svm";
  constexpr int kValues = 37;
  for (const int first_index : {0, 1}) {
    const std::string text = libsvm_text(97, kValues, first_index);
    EXPECT_TRUE(is_libsvm(text));
    const LibsvmExtent extent = measure_libsvm(text, name);
    EXPECT_EQ(extent.rows, 97);
    EXPECT_EQ(extent.first_index, first_index);
    EXPECT_EQ(extent.last_index, kValues - 1 + first_index);
    for (int parts = 1; parts <= 5; ++parts) {
      int row = 0;
      for (int part = 0; part < parts; ++part) {
        LibsvmRows rows(text, name, {part, parts});
        std::vector<float> values(kValues);
        for (; rows.next(); ++row) {
          rows.read(first_index, values);
          ASSERT_EQ(rows.label(), row % 10 - 3);
          for (int k = 0; k < kValues; ++k) {
            ASSERT_EQ(values[static_cast<std::size_t>(k)], sparse_value(row, k)) << row << " " << k;
          }
        }
      }
      ASSERT_EQ(row, 97) << parts;
    }
  }
}

TEST(Libsvm, WhatIsRefused) {
  const auto error = [](const std::string& text) {
    return samples::error_of([&] {
      const std::string name = "a.svm";
      const LibsvmExtent extent = measure_libsvm(text, name);
      LibsvmRows rows(text, name, {0, 1});
      std::vector<float> values(static_cast<std::size_t>(extent.last_index));
      while (rows.next()) {
        rows.label();
        rows.read(1, values);
      }
    });
  };
  EXPECT_EQ(error("+1 1:2 3:-.5e1\n-1\n"), "");
  EXPECT_EQ(error("# nothing\n"), "a.svm: no rows; expected lines of LABEL INDEX:VALUE ...");
  EXPECT_EQ(error("1 2:3 2:4\n"),
            "a.svm:1:7: \"2:4\" seen; expected INDEX:VALUE with an index from 3 to 2");
  EXPECT_EQ(error("1 2:3 1:4 5:1\n"),
            "a.svm:1:7: \"1:4 5:1\" seen; expected INDEX:VALUE with an index from 3 to 5");
  EXPECT_EQ(error("1 1:1\n1 1:x 2:1\n"), "a.svm:2:5: \"x 2:1\" seen; expected a number");
  EXPECT_EQ(error("1 1:nan\n"), "a.svm:1:5: \"nan\" seen; expected a number");
  EXPECT_EQ(error("1 1:1e39\n"), "a.svm:1:5: \"1e39\" seen; expected a number");
  EXPECT_EQ(error("1,2 1:1\n"), "a.svm:1:1: \"1,2 1:1\" seen; expected one label");
  EXPECT_EQ(error("a 1:1\n"), "a.svm:1:1: \"a 1:1\" seen; expected a number as label");
  EXPECT_EQ(error("1 qid:3 1:1\n"),
            "a.svm:1:3: \"qid:3 1:1\" seen; expected INDEX:VALUE with an index from 0 to 16777216");
  EXPECT_EQ(error("1 1:1 999999999999:1\n"),
            "a.svm:1:7: \"999999999999:1\" seen; expected INDEX:VALUE with an index from 0 to "
            "16777216");
}

TEST(Libsvm, IsRecognized) {
  EXPECT_TRUE(is_libsvm("# a\n\n7 1:0.5\n"));
  EXPECT_FALSE(is_libsvm("7 0.5 1:2\n"));
  EXPECT_FALSE(is_libsvm("label,pixel0\n1,2\n"));
  EXPECT_FALSE(is_libsvm("7\n"));
  EXPECT_FALSE(is_libsvm(""));
}

}  // namespace

}  // namespace lockstep
