// The reader of lists of image files: each line is an image that is there, or the Error names
// the list.

#include "data/image_list.h"
#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

const std::string kName = "list.csv";

// A folder with the files a.png, b.pgm and c/d.bmp, which nobody opens.
const std::string& folder() {
  static const std::string path = [] {
    std::filesystem::create_directories(scratch() / "c");
    for (const char* name : {"a.png", "b.pgm", "c/d.bmp"}) scratch_file(name, "");
    return scratch().string();
  }();
  return path;
}

std::size_t lines_of(std::string_view text) {
  return 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  value_of([&] { return is_image_list(text, kName); });
  const auto list = value_of([&] { return read_image_list(text, kName, folder()); });
  if (!list) return 0;
  if (list->found.empty()) fail("nothing said of what was found");
  if (list->entries.size() > lines_of(text)) fail("more images than lines");
  for (const ImageEntry& entry : list->entries) {
    if (!std::filesystem::is_regular_file(std::filesystem::path(folder()) / entry.name)) {
      fail("an image that is not there");
    }
    if (entry.label && entry.label->empty()) fail("an empty label");
    expect_equal(entry.label.has_value(), list->entries[0].label.has_value(), "labels");
    expect_equal(entry.use.has_value(), list->entries[0].use.has_value(), "uses");
    expect_equal(entry.crop.has_value(), list->entries[0].crop.has_value(), "crops");
  }
  return 0;
}

}  // namespace lockstep::fuzz
