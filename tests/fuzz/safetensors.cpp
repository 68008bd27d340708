// The reader of weights: what it accepts, written and read again, is the same.

#include "lockstep/checkpoint/safetensors.h"

#include <cstring>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

void expect_same(const SafetensorsFile& a, const SafetensorsFile& b) {
  expect_equal(a.metadata(), b.metadata(), "metadata");
  expect_equal(a.tensors().size(), b.tensors().size(), "numbers of tensors");
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    const TensorView& x = a.tensors()[i];
    const TensorView& y = b.tensors()[i];
    expect_equal(x.name, y.name, "names");
    expect_equal(x.shape, y.shape, "shapes");
    expect_equal(x.values.size(), y.values.size(), "sizes");
    if (x.values.empty()) continue;
    expect_equal(std::memcmp(x.values.data(), y.values.data(), x.values.size_bytes()), 0, "values");
  }
}

// Floats of every width are written as fp32.
void read(std::string_view content, Dtypes dtypes) {
  const auto file = value_of([&] { return SafetensorsFile(std::string(content), "file", dtypes); });
  if (!file) return;
  const std::string written = to_safetensors(file->tensors(), file->metadata());
  expect_same(*file, SafetensorsFile(written, "what was written"));
}

// Whatever the length before the header says, most inputs end there. So the input is
// also read as header and data, parted by the first 0, with a length that is right.
std::string with_length(std::string_view input) {
  const std::uint64_t length = std::min(input.find('\0'), input.size());
  std::string content(sizeof(length), '\0');
  std::memcpy(content.data(), &length, sizeof(length));
  content += input.substr(0, length);
  if (length < input.size()) content += input.substr(length + 1);
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::string& content :
       {std::string(text_of(data, size)), with_length(text_of(data, size))}) {
    read(content, Dtypes::kF32);
    read(content, Dtypes::kAny);
  }
  return 0;
}

}  // namespace lockstep::fuzz
