// The reader of NumPy's arrays: the values are the last bytes of the file, as many as the shape
// says, and any range of the elements is what the whole has there.

#include "data/npy.h"

#include <cmath>
#include <vector>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

// As bits, in which what is not a number is equal to itself.
std::vector<std::uint64_t> read(const NpyArray& array, Range range) {
  std::vector<double> values(static_cast<std::size_t>(range.size()));
  read_npy(array, range, values);
  std::vector<std::uint64_t> bits;
  for (const double value : values) bits.push_back(std::bit_cast<std::uint64_t>(value));
  return bits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file = text_of(data, size);
  const auto array = value_of([&] { return parse_npy(file, "a.npy"); });
  if (!array) return 0;
  if (array->values.data() + array->values.size() != file.data() + file.size()) fail("a rest");
  std::int64_t product = 1;
  for (const std::int64_t each : array->shape) product *= each;
  if (product != array->size) fail("another size");
  const auto whole = read(*array, {0, array->size});
  std::vector<std::uint64_t> parts;
  for (int part = 0; part < 3; ++part) {
    const auto each = read(*array, share_of(array->size, 3, part));
    parts.insert(parts.end(), each.begin(), each.end());
  }
  expect_equal(parts, whole, "elements");
  const std::string_view bytes = npy_bytes(*array, {0, array->size});
  if (!bytes.empty()) expect_equal(bytes, array->values, "bytes");
  return 0;
}

}  // namespace lockstep::fuzz
