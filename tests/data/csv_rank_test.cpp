// load_rows of CSV sources, on every number of ranks.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>

#include "data/samples.h"
#include "lockstep/data/row_share.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

RowShare load(const std::string& path, Labels labels = Labels::kRequired,
              const DataOptions& options = samples::options()) {
  return load_rows(test_comm(), {path, "", ""}, options, labels);
}

void expect_share(const RowShare& share, int rows, bool labelled) {
  Communicator& comm = test_comm();
  const std::int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  const std::int64_t first = chunks * comm.rank() / comm.world_size() * kChunkRows;
  const std::int64_t last =
      std::min<std::int64_t>(chunks * (comm.rank() + 1) / comm.world_size() * kChunkRows, rows);
  ASSERT_EQ(share.total, rows);
  ASSERT_EQ(share.size(), std::max<std::int64_t>(0, last - first));
  ASSERT_EQ(share.labelled(), labelled);
  const int pixels = share.shape.pixels();
  for (std::int64_t i = 0; i < share.size(); ++i) {
    const int row = static_cast<int>(first + i);
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ(share.numbers[at], static_cast<std::uint64_t>(row));
    if (labelled) {
      ASSERT_EQ(share.labels[at], samples::label_of(row));
    }
    for (int p = 0; p < pixels; ++p) {
      ASSERT_EQ(samples::pixels_of(
                    share)[at * static_cast<std::size_t>(pixels) + static_cast<std::size_t>(p)],
                samples::pixel_of(row, p))
          << "row " << row << " pixel " << p;
    }
  }
}

TEST(Csv, EveryStyleGivesTheSameRows) {
  const samples::SharedFolder folder(test_comm());
  const samples::Style styles[] = {
      {},
      {.line_end = "\r\n", .end = "\r\n"},
      {.begin = "\xEF\xBB\xBF"},
      {.end = ""},
      {.line_end = "\r\n", .begin = "\xEF\xBB\xBF", .end = ""},
      {.end = "\n\n"},
      {.line_end = "\r\n", .end = "\r\n\r\n"},
      {.label_column = 17},
      {.label_column = 45},
      {.line_end = "\r\n", .end = "", .label_column = 45},
  };
  int number = 0;
  for (const auto& style : styles) {
    SCOPED_TRACE(number);
    const std::string file = fmt::format("style-{}.csv", number++);
    expect_share(load(folder.write(file, samples::csv(samples::kRows, style))), samples::kRows,
                 true);
  }
}

TEST(Csv, FewRowsAreEnough) {
  const samples::SharedFolder folder(test_comm());
  for (const int rows : {1, 2, 3, 5, 127, 128, 129}) {
    SCOPED_TRACE(rows);
    expect_share(load(folder.write(fmt::format("{}.csv", rows), samples::csv(rows))), rows, true);
    expect_share(load(folder.write(fmt::format("{}-.csv", rows), samples::csv(rows, {.end = ""}))),
                 rows, true);
  }
}

TEST(Csv, UnlabelledRowsWhereLabelsAreOptional) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.write("test.csv", samples::csv(300, {.label_column = -1}));
  expect_share(load(path, Labels::kOptional), 300, false);
  expect_share(load(folder.write("train.csv", samples::csv(300)), Labels::kOptional), 300, true);
}

// Each field of one to three digits in each place of a parser's block.
TEST(Csv, EveryValueAtEveryPlace) {
  const samples::SharedFolder folder(test_comm());
  DataOptions options = samples::options();
  options.shape = {1, 131, 1};
  std::string text = "label";
  for (int i = 0; i < 131; ++i) text += fmt::format(",p{}", i);
  const auto value = [](int row, int i) {
    return (row % 5 == i % 7 || row % 3 == 0) ? (row + i) % 256 : 0;
  };
  for (int row = 0; row < 512; ++row) {
    text += fmt::format("\n{}", row % 7);
    for (int i = 0; i < 131; ++i) text += fmt::format(",{}", value(row, i));
  }
  const RowShare share = load(folder.write("values.csv", text), Labels::kRequired, options);
  for (std::size_t i = 0; i < samples::pixels_of(share).size(); ++i) {
    const int row = static_cast<int>(share.first) + static_cast<int>(i) / 131;
    ASSERT_EQ(samples::pixels_of(share)[i], value(row, static_cast<int>(i) % 131))
        << row << ' ' << i % 131;
  }
}

// A 1 x `pixels` image, and its header.
DataOptions strip(int pixels) {
  DataOptions options = samples::options();
  options.shape = {1, pixels, 1};
  return options;
}

std::string strip_header(int pixels) {
  std::string text;
  for (int i = 0; i < pixels; ++i) text += fmt::format(",p{}", i);
  return text;
}

TEST(Csv, RowsOfEveryLengthAtTheEndOfTheFile) {
  const samples::SharedFolder folder(test_comm());
  for (int pixels = 1; pixels <= 140; ++pixels) {
    SCOPED_TRACE(pixels);
    const DataOptions options = strip(pixels);
    std::string zeros;
    std::string mixed;
    for (int i = 0; i < pixels; ++i) {
      zeros += ",0";
      mixed += fmt::format(",{}", i * 37 % 256);
    }
    const std::string end = std::array{"", "\n", "\r\n"}[static_cast<std::size_t>(pixels % 3)];
    const std::string line_end = pixels % 3 == 2 ? "\r\n" : "\n";
    const bool label_first = pixels % 2 == 0;
    std::string text;
    for (const auto& [label, row] :
         {std::pair<std::string, std::string>{"label", strip_header(pixels)},
          {"3", zeros},
          {"6", mixed},
          {"0", zeros},
          {"5", mixed}}) {
      if (!text.empty()) text += line_end;
      text += label_first ? label + row : row.substr(1) + "," + label;
    }
    const RowShare share =
        load(folder.write(fmt::format("{}.csv", pixels), text + end), Labels::kRequired, options);
    ASSERT_EQ(share.total, 4);
    if (share.size() == 0) continue;  // a chunk has more rows than the file
    ASSERT_EQ(share.labels, (std::vector<std::int32_t>{3, 6, 0, 5}));
    for (int i = 0; i < 4 * pixels; ++i) {
      const int expected = i / pixels % 2 == 0 ? 0 : i % pixels * 37 % 256;
      ASSERT_EQ(samples::pixels_of(share)[static_cast<std::size_t>(i)], expected) << i;
    }
  }
}

// Headers shorter than what a parser looks back at.
TEST(Csv, TheShortestFiles) {
  const samples::SharedFolder folder(test_comm());
  const struct {
    const char* text;
    int pixels;
    std::vector<std::uint8_t> expected;
  } cases[] = {
      {"p\n7", 1, {7}},
      {"\n255\n0\n", 1, {255, 0}},
      {",\n1,20", 2, {1, 20}},
      {",\r\n1,20\r\n255,0\r\n", 2, {1, 20, 255, 0}},
      {"a,\n00,007\n", 2, {0, 7}},
      {"label,p\n6,255", 1, {255}},
      {"p,label\n0,6\n12,0\n", 1, {0, 12}},
  };
  int number = 0;
  for (const auto& each : cases) {
    SCOPED_TRACE(each.text);
    const RowShare share = load(folder.write(fmt::format("{}.csv", number++), each.text),
                                Labels::kOptional, strip(each.pixels));
    ASSERT_EQ(share.total, static_cast<std::int64_t>(each.expected.size()) / each.pixels);
    if (share.size() > 0) {
      EXPECT_TRUE(std::ranges::equal(samples::pixels_of(share), each.expected));
    }
  }
}

TEST(Csv, AFaultAtEachPlaceOfARunOfZeros) {
  const samples::SharedFolder folder(test_comm());
  constexpr int kPixels = 50;
  std::string zeros = "2";
  for (int i = 0; i < kPixels; ++i) zeros += ",0";
  const std::string rows = "label" + strip_header(kPixels) + "\n" + zeros + "\n" + zeros + "\n";
  // Enough that the line is not among those parsed from a copy, at least on 1 rank.
  std::string after;
  for (int i = 0; i < 9; ++i) after += zeros + "\n";
  const auto error = [&](const std::string& line) {
    const std::string path = folder.write("zeros.csv", rows + line + "\n" + after);
    const std::string message =
        samples::error_of([&] { load(path, Labels::kRequired, strip(kPixels)); });
    test_comm().barrier();  // the file is written anew
    return message.starts_with(path) ? message.substr(path.size()) : message;
  };
  for (std::size_t i = 0; i < kPixels; ++i) {
    const std::size_t place = 2 + 2 * i;
    const auto with = [&](const char* field) {
      return std::string(zeros).replace(place, 1, field);
    };
    const std::string where = fmt::format(":4:{}: column \"p{}\": ", place + 1, i);
    const std::string expected = "expected a pixel from 0 to 255";
    EXPECT_EQ(error(with("x")), where + "\"x\" is not a whole number; " + expected);
    EXPECT_EQ(error(with("0 ")), where + "\"0 \" contains a space; " + expected);
    EXPECT_EQ(error(with("256")), where + "\"256\" is out of range; " + expected);
    EXPECT_EQ(error(with("0256")), where + "\"0256\" is out of range; " + expected);
    EXPECT_EQ(error(with("")), where + "empty field; " + expected);
    EXPECT_EQ(error(with("00")), "");
    EXPECT_EQ(error(with("0000")), "");
    // The comma before the field gone, one too many, and the line cut there.
    EXPECT_NE(error(std::string(zeros).erase(place - 1, 1)), "");
    EXPECT_EQ(error(with("0,0")),
              fmt::format(":4:{}: 52 columns, beyond \"p49\"; expected 51, as in the header",
                          zeros.size() + 2));
    EXPECT_EQ(error(zeros.substr(0, place - 1)),
              fmt::format(":4:{}: {} column{}, without \"p{}\"; expected 51, as in the header",
                          place, i + 1, i == 0 ? "" : "s", i));
  }
}

// The text of `rows` rows with field `field` of row `row` replaced.
struct Damage {
  int row;
  int field;
  const char* text;
};

std::string damaged(const Damage& damage, int rows, std::size_t* column) {
  std::vector<std::string> lines;
  const std::string whole = samples::csv(rows);
  for (std::size_t first = 0; first < whole.size();) {
    const std::size_t end = whole.find('\n', first);
    lines.push_back(whole.substr(first, end - first));
    first = end + 1;
  }
  std::string& line = lines[static_cast<std::size_t>(damage.row) + 1];
  std::size_t first = 0;
  for (int i = 0; i < damage.field; ++i) first = line.find(',', first) + 1;
  line.replace(first, std::min(line.find(',', first), line.size()) - first, damage.text);
  *column = first + 1;
  std::string text;
  for (const auto& each : lines) text += each + "\n";
  return text;
}

TEST(Csv, EachFaultIsNamedWithItsPlace) {
  const samples::SharedFolder folder(test_comm());
  const std::string pixel = "expected a pixel from 0 to 255";
  const std::string bare_pixel = "expected a bare pixel from 0 to 255";
  const std::string label = "expected a label from 0 to 6";
  const struct {
    Damage damage;
    const char* column;
    const char* seen;
    const std::string& expected;
  } cases[] = {
      {{0, 1, "256"}, "pixel0", "\"256\" is out of range", pixel},
      {{996, 45, "999"}, "pixel44", "\"999\" is out of range", pixel},
      {{500, 20, "1234"}, "pixel19", "\"1234\" is out of range", pixel},
      {{500, 20, "-1"}, "pixel19", "\"-1\" is out of range", pixel},
      {{333, 44, "1.5"}, "pixel43", "\"1.5\" is not a whole number", pixel},
      {{333, 3, "x"}, "pixel2", "\"x\" is not a whole number", pixel},
      {{700, 2, "1\x01"}, "pixel1", "\"1\\x01\" is not a whole number", pixel},
      {{999 - 3, 1, ""}, "pixel0", "empty field", pixel},
      {{10, 45, ""}, "pixel44", "empty field", pixel},
      {{664, 30, "\"7\""}, "pixel29", "quoted field \"\"7\"\"", bare_pixel},
      {{664, 30, " 7"}, "pixel29", "\" 7\" contains a space", pixel},
      {{664, 45, "7 "}, "pixel44", "\"7 \" contains a space", pixel},
      {{401, 0, "7"}, "label", "\"7\" is out of range", label},
      {{401, 0, "-1"}, "label", "\"-1\" is out of range", label},
      {{401, 0, "99999999999999"}, "label", "\"99999999999999\" is out of range", label},
      {{401, 0, "cat"}, "label", "\"cat\" is not a whole number", label},
      {{401, 0, ""}, "label", "empty field", label},
  };
  int number = 0;
  for (const auto& each : cases) {
    std::size_t column = 0;
    const std::string text = damaged(each.damage, samples::kRows, &column);
    const std::string path = folder.write(fmt::format("fault-{}.csv", number++), text);
    EXPECT_EQ(samples::error_of([&] { load(path); }),
              fmt::format("{}:{}:{}: column \"{}\": {}; {}", path, each.damage.row + 2, column,
                          each.column, each.seen, each.expected));
  }
}

TEST(Csv, LeadingZerosAreNotTheFault) {
  const samples::SharedFolder folder(test_comm());
  const auto error = [&](const std::string& name, const std::string& row) {
    const std::string path = folder.write(name, "label,a,b\n" + row + "\n");
    return samples::error_of([&] { load(path, Labels::kRequired, strip(2)); }).substr(path.size());
  };
  EXPECT_EQ(error("zeros.csv", "006,0,256"),
            ":2:7: column \"b\": \"256\" is out of range; expected a pixel from 0 to 255");
  EXPECT_EQ(error("label.csv", "000007,0,0"),
            ":2:1: column \"label\": \"000007\" is out of range; expected a label from 0 to 6");
  EXPECT_EQ(error("pixel.csv", "6,0,0256"),
            ":2:5: column \"b\": \"0256\" is out of range; expected a pixel from 0 to 255");
  EXPECT_EQ(error("long.csv", "6,0,4294967296"),
            ":2:5: column \"b\": \"4294967296\" is out of range; expected a pixel from 0 to 255");
}

TEST(Csv, TheFirstFaultOfTheFileIsReported) {
  const samples::SharedFolder folder(test_comm());
  std::string text = samples::csv(40);
  text += "1,2,3\n" + samples::csv(200).substr(samples::csv(0).size()) + "4,5,6\n";
  const std::string path = folder.write("two.csv", text);
  EXPECT_EQ(samples::error_of([&] { load(path); }),
            path + ":42:6: 3 columns, without \"pixel2\"; expected 46, as in the header");
}

TEST(Csv, FaultsOfWholeLines) {
  const samples::SharedFolder folder(test_comm());
  const std::string rows = samples::csv(90);
  const std::string row = rows.substr(samples::csv(0).size());
  const auto error = [&](const std::string& name, const std::string& text) {
    const std::string path = folder.write(name, text);
    const std::string message = samples::error_of([&] { load(path); });
    return message.starts_with(path) ? message.substr(path.size()) : message;
  };
  EXPECT_EQ(error("blank.csv", rows + "\n" + row), ":92:1: blank line; expected 46 columns");
  std::string zeros = "0";
  for (int i = 0; i < 46; ++i) zeros += ",0";
  EXPECT_EQ(error("more.csv", rows + zeros + "\n" + row),
            ":92:93: 47 columns, beyond \"pixel44\"; expected 46, as in the header");
  EXPECT_EQ(error("fewer.csv", rows + zeros.substr(4) + "\n" + row),
            ":92:90: 45 columns, without \"pixel44\"; expected 46, as in the header");
  EXPECT_EQ(error("cut.csv", rows + "1,0,0"),
            ":92:6: 3 columns, without \"pixel2\"; expected 46, as in the header");
  EXPECT_EQ(error("empty.csv", ""), ":1:1: the file is empty; expected a header line and rows");
  EXPECT_EQ(error("newlines.csv", "\n\r\n"),
            ":1:1: the file is empty; expected a header line and rows");
  EXPECT_EQ(error("header.csv", samples::csv(0)),
            ":2:1: no row follows the header; expected at least one");
  EXPECT_EQ(error("quoted.csv", "label,\"pixel0\"\n1,2\n"),
            ":1:7: quoted field in the header; expected bare column names");
  EXPECT_EQ(error("narrow.csv", "label,pixel0\n1,2\n"),
            ":1:1: 1 pixel column besides column \"label\"; expected 45 for images of 5x9x1");
}

TEST(Csv, TheLabelColumnIsLookedUpByName) {
  const samples::SharedFolder folder(test_comm());
  const std::string path = folder.write("rows.csv", samples::csv(20));
  DataOptions options = samples::options();
  options.label_column = "lable";
  EXPECT_EQ(samples::error_of([&] { load(path, Labels::kRequired, options); }),
            path +
                ":1:1: no column \"lable\" in the header; did you mean \"label\"?; its first of "
                "46 columns is \"label\"");
}

TEST(Csv, ErrorsAreAgreed) {
  try {
    load("no-such-folder/rows.csv");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.reach(), Reach::kAgreed);
    EXPECT_NE(std::string(error.what()).find("no-such-folder/rows.csv"), std::string::npos);
  }
}

}  // namespace

}  // namespace lockstep
