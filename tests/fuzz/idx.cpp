// The reader of IDX files, plain or gzipped: what it accepts are the bytes after the
// headers.

#include <vector>

#include "data/source_text.h"
#include "fuzz/fuzz.h"
#include "lockstep/data/row_share.h"

namespace lockstep::fuzz {

namespace {

// The first byte says how many of the others are the labels' file; the rest are the
// images' file.
struct Input {
  std::string_view labels;
  std::string_view images;
};

Input input_of(std::string_view bytes) {
  const std::size_t labels =
      std::min<std::size_t>(static_cast<std::uint8_t>(bytes[0]), bytes.size() - 1);
  return {bytes.substr(1, labels), bytes.substr(1 + labels)};
}

// The bytes of a file without the IDX header of `dimensions` sizes, inflated.
std::string body_of(const std::string& path, std::size_t dimensions) {
  const auto comm = connect_self();
  return std::string(SourceText(*comm, path, "").text().substr(4 + 4 * dimensions));
}

void check(const SourceOptions& source, const ImageShape& shape) {
  const auto comm = connect_self();
  DataOptions options;
  options.shape = shape;
  options.classes = 10;
  const auto rows = value_of([&] { return load_rows(*comm, source, options, Labels::kOptional); });
  if (!rows) return;
  if (rows->total == 0) fail("accepted without a row");
  const std::string images = body_of(source.path, shape.channels == 1 ? 3 : 4);
  expect_equal(std::string(reinterpret_cast<const char*>(rows->values.data()), rows->values.size()),
               images, "pixels");
  expect_equal(rows->total * shape.pixels(), static_cast<std::int64_t>(images.size()), "sizes");
  if (source.labels.empty()) return;
  const std::string labels = body_of(source.labels, 1);
  expect_equal(std::string(rows->labels.begin(), rows->labels.end()), labels, "labels");
  if (*std::max_element(labels.begin(), labels.end()) >= options.classes) fail("a label too large");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Input input = input_of(text_of(data, size));
  SourceOptions source{scratch_file("images", input.images), "", ""};
  if (!input.images.starts_with(std::string_view("\0", 1)) && !input.images.starts_with("\x1f")) {
    return 0;  // not IDX, so it would be read as CSV
  }
  if (!input.labels.empty()) source.labels = scratch_file("labels", input.labels);
  check(source, {2, 3, 1});
  check(source, {1, 2, 3});
  return 0;
}

}  // namespace lockstep::fuzz
