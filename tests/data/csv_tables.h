// CSV files of any dialect, by formula, for the tests of the data room.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

namespace lockstep::tables {

inline constexpr int kClasses = 7;

// As a scan has it: dark corners, and neighbours that are alike.
inline int pixel(int row, int index, int pixels) {
  const bool corner = index < 2 || index > pixels - 3;
  return corner ? 0 : (row * 37 + index * index * 3 + (row % 11) * index) % 256;
}
inline int label(int row) { return (row * row + 3 * row) % kClasses; }

using Cell = std::function<std::string(int row)>;
using Pixel = std::function<std::string(int row, int index)>;

struct Column {
  std::string name;
  Cell cell;
};

struct Table {
  int rows = 200;
  int pixels = 49;
  std::vector<Column> before = {};  // the pixels
  std::vector<Column> after = {};
  Pixel value = {};                           // of a pixel
  std::function<std::string(int)> name = {};  // of a pixel
  std::string separator = ",";
  std::string end = "\n";
  bool header = true;
};

inline Column labels(const std::string& name = "label") {
  return {name, [](int row) { return std::to_string(label(row)); }};
}
inline Column counts(const std::string& name) {
  return {name, [](int row) { return std::to_string(row); }};
}

inline std::string text(const Table& table) {
  const auto line = [&](int row) {
    std::string all;
    const auto add = [&](const std::string& field) { all += field + table.separator; };
    const auto add_columns = [&](const std::vector<Column>& columns) {
      for (const Column& column : columns) add(row < 0 ? column.name : column.cell(row));
    };
    add_columns(table.before);
    for (int i = 0; i < table.pixels; ++i) {
      if (row < 0) {
        add(table.name ? table.name(i) : fmt::format("pixel{}", i));
      } else {
        add(table.value ? table.value(row, i) : std::to_string(pixel(row, i, table.pixels)));
      }
    }
    add_columns(table.after);
    return all.substr(0, all.size() - table.separator.size()) + table.end;
  };
  std::string all = table.header ? line(-1) : "";
  for (int row = 0; row < table.rows; ++row) all += line(row);
  return all;
}

// All pixels of a row in one field.
inline Column list(const std::string& name, int pixels, const std::string& quote = "") {
  return {name, [=](int row) {
            std::string all;
            for (int i = 0; i < pixels; ++i) all += fmt::format(" {}", pixel(row, i, pixels));
            return quote + all.substr(1) + quote;
          }};
}

}  // namespace lockstep::tables
