// The reader of LIBSVM's text: the parts have the rows of the whole, as many as were counted.

#include "data/libsvm.h"

#include <vector>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

constexpr std::int64_t kMostValues = 1000;

std::vector<double> read(std::string_view file, const LibsvmExtent& extent, FilePart part) {
  const std::string name = "a.svm";
  std::vector<double> all;
  std::vector<float> values(static_cast<std::size_t>(extent.last_index + 1 - extent.first_index));
  LibsvmRows rows(file, name, part);
  while (rows.next()) {
    rows.read(extent.first_index, values);
    all.push_back(rows.label());
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file = text_of(data, size);
  is_libsvm(file);
  const auto extent = value_of([&] { return measure_libsvm(file, "a.svm"); });
  if (!extent || extent->last_index > kMostValues) return 0;
  const auto whole = value_of([&] { return read(file, *extent, {0, 1}); });
  if (!whole) return 0;
  const auto values = static_cast<std::size_t>(extent->last_index + 2 - extent->first_index);
  expect_equal(whole->size(), static_cast<std::size_t>(extent->rows) * values, "sizes");
  std::vector<double> parts;
  for (int part = 0; part < 3; ++part) {
    const auto each = value_of([&] { return read(file, *extent, {part, 3}); });
    if (!each) fail("a part that cannot be read");
    parts.insert(parts.end(), each->begin(), each->end());
  }
  expect_equal(parts, *whole, "rows");
  return 0;
}

}  // namespace lockstep::fuzz
