#include "data/packed_file.h"

#include <array>

namespace lockstep {

namespace {

constexpr std::array kPackings = {&kZip, &kGzip};

}  // namespace

std::unique_ptr<PackedFile> open_packed(const std::string& path, const std::string& member,
                                        const MappedFile& file) {
  for (const Packing* packing : kPackings) {
    if (packing->recognizes(file.text(), member)) return packing->open(path, member, file);
  }
  return nullptr;
}

}  // namespace lockstep
