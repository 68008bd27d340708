// An experiment and its overrides, parted by zeros: what is accepted, written as text
// and read again, is the same.

#include "lockstep/config/experiment.h"

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

std::vector<std::string> split_at_zeros(std::string_view input) {
  std::vector<std::string> parts;
  for (std::size_t first = 0; first <= input.size();) {
    const std::size_t end = std::min(input.find('\0', first), input.size());
    parts.emplace_back(input.substr(first, end - first));
    first = end + 1;
  }
  return parts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string> parts = split_at_zeros(text_of(data, size));
  const auto experiment =
      value_of([&] { return parse_experiment(parts[0], "file", std::span(parts).subspan(1)); });
  if (!experiment) return 0;
  const std::string text = to_text(*experiment);
  const Experiment again = parse_experiment(text, "what was written", {});
  expect_equal(to_text(again), text, "texts");
  expect_equal(digest_of(again), digest_of(*experiment), "digests");
  expect_equal(differing_fields(again, *experiment).size(), 0U, "fields");
  return 0;
}

}  // namespace lockstep::fuzz
