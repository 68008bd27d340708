// What a file of rows says of its rows as a whole. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/batch.h"
#include "lockstep/data/pixel_values.h"

namespace lockstep {

inline constexpr std::size_t kMostFactsBytes = 16u << 20;
inline constexpr int kMostRowExtent = 65536;  // of the height, width and channels of a row

struct RowsFacts {
  ImageShape shape;
  PixelType type = PixelType::kByte;
  ValueRange range;                              // the lowest and highest of all pixels
  std::vector<std::string> label_names;          // where the labels are indexes of them
  std::string source;                            // what the rows were made of: a path
  std::string source_digest;                     // tells another source of that path
  std::map<std::string, std::string> made_with;  // the settings that decide what they are

  std::uint64_t row_bytes() const;
  bool operator==(const RowsFacts&) const = default;
};

// Error (2) for a name of a label that is not UTF-8.
std::string to_json(const RowsFacts& facts);

// Error (2), without the name of a file, for what to_json() does not give.
RowsFacts rows_facts_of(std::string_view json);

}  // namespace lockstep
