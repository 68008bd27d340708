// Rows by formula, and the file of rows that they make, put together piece by piece.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "data/file_rows.h"
#include "data/rows_facts.h"
#include "lockstep/core/digest.h"

namespace lockstep::samples {

inline constexpr ImageShape kRowsShape{5, 7, 3};
inline const std::vector<std::string> kRowNames = {"", "ant", "bee, \"big\"", "z\xc3\xa9"};

enum class Columns { kLabelsOnly, kAll, kNone };

inline std::string id_of_row(std::int64_t row) {
  return row % 5 == 0 ? "" : "id" + std::to_string(row * row);
}
inline RowUse use_of_row(std::int64_t row) { return static_cast<RowUse>(row * row % 3); }
inline std::size_t name_of_row(std::int64_t row) { return static_cast<std::size_t>(row * 7 % 4); }
inline std::int32_t number_of_row(std::int64_t row) {
  return static_cast<std::int32_t>(row % 11) - 3;
}

inline std::string pixels_of_row(std::int64_t row, PixelType type) {
  std::string bytes;
  for (int p = 0; p < kRowsShape.pixels(); ++p) {
    const auto level = static_cast<std::uint8_t>(row * 37 + p * p);
    const float value = static_cast<float>(level) / 4 - 2;
    if (type == PixelType::kByte) bytes += static_cast<char>(level);
    if (type == PixelType::kFloat) bytes.append(reinterpret_cast<const char*>(&value), 4);
  }
  return bytes;
}

inline RowsFacts facts(PixelType type) {
  RowsFacts facts;
  facts.shape = kRowsShape;
  facts.type = type;
  facts.source = "folder/of \"pictures\"";
  facts.source_digest = "0123456789abcdef";
  facts.made_with = {{"fit", "CROP"}, {"layout", "PLANAR"}};
  return facts;
}

// Rows from `first` on, as a source gives them: their labels' names in an order of their own.
inline FileRows rows_from(std::int64_t first, std::int64_t count, PixelType type, Columns columns) {
  FileRows rows;
  rows.count = count;
  rows.type = type;
  rows.pixels_per_row = kRowsShape.pixels();
  rows.pixels = ZeroedPages(static_cast<std::size_t>(count) * rows.row_bytes());
  rows.labelled = columns != Columns::kNone;
  const std::size_t names = kRowNames.size();
  for (std::size_t i = 0; columns == Columns::kAll && i < names; ++i) {
    rows.label_names.push_back(kRowNames[(i + static_cast<std::size_t>(first)) % names]);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = first + i;
    const std::string pixels = pixels_of_row(row, type);
    std::memcpy(rows.bytes_of_row(i), pixels.data(), pixels.size());
    rows.add_digest_of(i);
    if (columns == Columns::kLabelsOnly) rows.labels.push_back(number_of_row(row));
    if (columns != Columns::kAll) continue;
    const std::size_t rotated = name_of_row(row) + names - static_cast<std::size_t>(first) % names;
    rows.labels.push_back(static_cast<std::int32_t>(rotated % names));
    rows.ids.push_back(id_of_row(row));
    rows.uses.push_back(use_of_row(row));
  }
  return rows;
}

// The bytes of a file of these rows, by what data/rows_layout.h says and none of its code.
class RowsBytes {
 public:
  RowsBytes(std::int64_t rows, PixelType type, Columns columns, const std::string& range) {
    const bool all = columns == Columns::kAll;
    std::string names;
    for (std::size_t i = 0; all && i < kRowNames.size(); ++i) {
      names += i == 0   ? "\"\""
               : i == 1 ? ",\"ant\""
               : i == 2 ? ",\"bee, \\\"big\\\"\""
                        : ",\"z\xc3\xa9\"";
    }
    const std::string json =
        std::string(R"({"height":5,"width":7,"channels":3,"pixels":")") +
        (type == PixelType::kByte ? "byte" : "float") + "\"," + range + ",\"label_names\":[" +
        names +
        R"(],"source":"folder/of \"pictures\"","source_digest":"0123456789abcdef",)"
        R"("made_with":{"fit":"CROP","layout":"PLANAR"}})";
    std::string pixels, labels, uses, id_ends, ids, digests;
    for (std::int64_t row = 0; row < rows; ++row) {
      pixels += pixels_of_row(row, type);
      const Digest digest = digest_of(pixels_of_row(row, type));
      digests += number<std::uint64_t>(digest.high) + number<std::uint64_t>(digest.low);
      const auto name = static_cast<std::int32_t>(name_of_row(row));
      if (columns != Columns::kNone) labels += number(all ? name : number_of_row(row));
      if (!all) continue;
      uses += static_cast<char>(use_of_row(row));
      ids += id_of_row(row);
      id_ends += number<std::uint64_t>(ids.size());
    }
    bytes_.resize(4096, '\0');
    std::string places;
    for (const std::string& section : {pixels, json, labels, uses, id_ends, ids, digests}) {
      if (!section.empty()) bytes_.resize((bytes_.size() + 63) / 64 * 64, '\0');
      places += number<std::uint64_t>(section.empty() ? 0 : bytes_.size());
      places += number<std::uint64_t>(section.size());
      bytes_ += section;
    }
    places += number<std::uint64_t>(bytes_.size());
    const std::string sizes =
        number<std::uint64_t>(static_cast<std::uint64_t>(rows)) +
        number<std::uint64_t>(pixels.size() / static_cast<std::size_t>(rows)) +
        number<std::uint64_t>(json.size()) + number<std::uint64_t>(ids.size()) +
        number<std::uint64_t>(columns != Columns::kNone) + number<std::uint64_t>(all) +
        number<std::uint64_t>(all);
    const std::string head = std::string("\x89ROWS\r\n\x1a") + number<std::uint32_t>(1) +
                             number<std::uint32_t>(0) + std::string(16, '\0') + sizes + places;
    bytes_.replace(0, head.size(), head);
    seal(bytes_);
  }

  const std::string& bytes() const { return bytes_; }

  // Gives a file the digest that belongs to it, whatever it says.
  static void seal(std::string& bytes) {
    std::uint64_t pixels[2];
    std::memcpy(pixels, bytes.data() + 88, sizeof(pixels));
    if (pixels[0] + pixels[1] > bytes.size() || pixels[0] > bytes.size()) return;
    const Digest digest = digest_of(bytes.substr(32, 176) +
                                    bytes.substr(static_cast<std::size_t>(pixels[0] + pixels[1])));
    bytes.replace(16, 16, number(digest.high) + number(digest.low));
  }

  template <typename Value>
  static std::string number(Value value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
  }

 private:
  std::string bytes_;
};

}  // namespace lockstep::samples
