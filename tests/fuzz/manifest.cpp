// The reader of checkpoint folders: what it accepts, written and read again, is the
// same.

#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "lockstep/checkpoint/checkpoint_folder.h"
#include "lockstep/core/digest.h"

namespace lockstep::fuzz {

namespace {

void read(const std::string& manifest) {
  static const std::filesystem::path folder = [] {
    std::filesystem::create_directory(scratch() / "step-00000001");
    scratch_file("step-00000001/a", "content");
    scratch_file("step-00000001/empty", "");
    return scratch() / "step-00000001";
  }();
  scratch_file("step-00000001/manifest.json", manifest);
  const auto files = value_of([&] { return read_checkpoint(folder); });
  if (!files) return;
  write_checkpoint(scratch(), 2, *files);
  expect_equal(read_checkpoint(checkpoint_folder(scratch(), 2)), *files, "checkpoints");
}

// Most inputs end at the digest of the manifest itself. So the input is also read laid
// out as a manifest is, with a digest that is right.
std::string with_digest(std::string_view input) {
  auto json = nlohmann::ordered_json::parse(input, nullptr, false);
  if (!json.is_object()) return {};
  json.erase("xxh3");
  try {
    json["xxh3"] = lockstep::digest_of(std::string_view(json.dump(2))).hex();
    return json.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    return {};
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read(std::string(text_of(data, size)));
  read(with_digest(text_of(data, size)));
  return 0;
}

}  // namespace lockstep::fuzz
