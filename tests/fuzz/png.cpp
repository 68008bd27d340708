// The reader of PNG files.

#include "fuzz/image_file.h"

namespace lockstep::fuzz {

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check_image_file(text_of(data, size), ImageFormat::kPng);
  return 0;
}

}  // namespace lockstep::fuzz
