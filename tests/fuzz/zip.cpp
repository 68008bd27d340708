// The reader of zip members: what it accepts is what libzip's own reader gives.

#include <zip.h>

#include <memory>
#include <vector>

#include "data/zip_member.h"
#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

constexpr const char* kMember = "a.csv";

std::string read_by_libzip(const std::string& path, std::size_t bytes) {
  const std::unique_ptr<zip_t, decltype(&zip_discard)> archive(
      zip_open(path.c_str(), ZIP_RDONLY, nullptr), &zip_discard);
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(
      zip_fopen(archive.get(), kMember, 0), &zip_fclose);
  std::string content(bytes + 1, '\0');  // one more, to see that there is no more
  const zip_int64_t got = file ? zip_fread(file.get(), content.data(), content.size()) : -1;
  if (got < 0) fail("libzip cannot read what was accepted");
  content.resize(static_cast<std::size_t>(got));
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = scratch_file("a.zip", text_of(data, size));
  const auto content = value_of([&] {
    const ZipMember member(path, kMember);
    std::vector<std::byte> out(member.bytes());
    member.inflate(out);
    return std::string(reinterpret_cast<const char*>(out.data()), out.size());
  });
  if (content) expect_equal(*content, read_by_libzip(path, content->size()), "contents");
  value_of([&] { return zip_member_names(path); });
  return 0;
}

}  // namespace lockstep::fuzz
