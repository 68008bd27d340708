// The reader of files of rows: what it accepts is all there.

#include "data/rows_file.h"
#include "data/rows_samples.h"
#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

void read(std::string_view content) {
  const std::string path = scratch_file("rows", content);
  value_of([&] {
    const RowsFile file(path);
    const auto rows = static_cast<std::size_t>(file.rows());
    if (rows == 0) fail("accepted without a row");
    expect_equal(file.digests().size(), rows, "numbers of rows and digests");
    if (!file.labels().empty()) expect_equal(file.labels().size(), rows, "numbers of labels");
    if (!file.uses().empty()) expect_equal(file.uses().size(), rows, "numbers of uses");
    expect_equal(rows_facts_of(to_json(file.facts())), file.facts(), "facts written again");
    std::size_t bytes = 0;
    for (std::int64_t row = 0; row < file.rows(); ++row) {
      if (file.has_ids()) bytes += file.id(row).size();
      value_of([&] { return file.pixels(row)[0]; });
    }
    return bytes;
  });
}

// Most inputs end at the head's sizes. So the input is also read as what a head says: rows,
// columns, bytes of ids and of a row, then the facts up to a 0, then the other sections, under a
// digest that is right.
std::string with_head(std::string_view input) {
  constexpr std::size_t kNumbers = 4;
  if (input.size() < kNumbers) return {};
  const auto number = [&](std::size_t i) {
    return std::uint64_t{static_cast<std::uint8_t>(input[i])};
  };
  const std::string_view facts = input.substr(kNumbers, input.find('\0', kNumbers) - kNumbers);
  RowsHead head;
  head.sizes = {number(0),           number(3),           facts.size(),       number(2),
                number(1) >> 0 & 1u, number(1) >> 1 & 1u, number(1) >> 2 & 1u};
  const auto layout = rows_layout(head.sizes);
  if (!layout) return {};
  head.layout = *layout;
  std::string content(static_cast<std::size_t>(layout->file_bytes), '\0');
  content.replace(0, sizeof(head), reinterpret_cast<const char*>(&head), sizeof(head));
  content.replace(static_cast<std::size_t>(layout->facts.first), facts.size(), facts);
  const std::string_view others = input.substr(std::min(kNumbers + facts.size() + 1, input.size()));
  const auto first = static_cast<std::size_t>(layout->facts.last());
  const std::size_t taken = std::min(others.size(), content.size() - first);
  content.replace(first, taken, others.substr(0, taken));
  samples::RowsBytes::seal(content);
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read(text_of(data, size));
  read(with_head(text_of(data, size)));
  return 0;
}

}  // namespace lockstep::fuzz
