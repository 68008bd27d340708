// load_rows of CSV sources whose numbers have leading zeros, on every number of ranks.

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "data/samples.h"
#include "lockstep/data/row_share.h"
#include "support/rank_test.h"

namespace lockstep {

namespace {

// One rule for labels and pixels, wherever in the file they stand.
TEST(CsvZeros, FieldsMayHaveAnyNumberOfLeadingZeros) {
  const samples::SharedFolder folder(test_comm());
  constexpr int kPixels = 40;
  DataOptions options = samples::options();
  options.shape = {1, kPixels, 1};
  const auto value = [](int row, int pixel) { return (row * 37 + pixel * 11) % 256; };
  int number = 0;
  for (const std::size_t width : {4, 12, 700}) {
    for (const char* const end : {"", "\n", "\r\n"}) {
      for (const int label_place : {0, 17, kPixels}) {
        SCOPED_TRACE(number);
        std::vector<std::string> lines(1 + 6);
        for (int field = 0, pixel = 0; field <= kPixels; ++field) {
          const bool is_label = field == label_place;
          const char* const comma = field == 0 ? "" : ",";
          lines[0] += fmt::format("{}{}{}", comma, is_label ? "label" : "p",
                                  is_label ? "" : std::to_string(field));
          for (int row = 0; row < 6; ++row) {
            // Every other row is as usual.
            lines[static_cast<std::size_t>(row) + 1] += fmt::format(
                "{}{:0{}}", comma, is_label ? row : value(row, pixel), row % 2 == 0 ? width : 1);
          }
          if (!is_label) ++pixel;
        }
        const std::string text = fmt::format("{}{}", fmt::join(lines, "\n"), end);
        const std::string path = folder.write(fmt::format("{}.csv", number++), text);
        const RowShare share = load_rows(test_comm(), {path, "", ""}, options, Labels::kRequired);
        ASSERT_EQ(share.total, 6);
        if (share.size() == 0) continue;  // a chunk has more rows than the file
        ASSERT_EQ(share.labels, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
        for (int i = 0; i < 6 * kPixels; ++i) {
          ASSERT_EQ(samples::pixels_of(share)[static_cast<std::size_t>(i)],
                    value(i / kPixels, i % kPixels));
        }
      }
    }
  }
}

}  // namespace

}  // namespace lockstep
