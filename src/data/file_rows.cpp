#include "data/file_rows.h"

#include "data/rows_file.h"

namespace lockstep {

PixelView FileRows::row_in_file(std::uint64_t number) const {
  const auto values = file->pixels(static_cast<std::int64_t>(number) - first + first_in_file);
  return {type, values.data(), static_cast<std::size_t>(pixels_per_row)};
}

}  // namespace lockstep
