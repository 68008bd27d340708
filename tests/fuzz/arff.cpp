// The reader of ARFF: each row has a field a column, and the parts of a text have the rows of the
// whole.

#include "data/arff.h"

#include <vector>

#include "fuzz/fuzz.h"

namespace lockstep::fuzz {

namespace {

using Fields = std::vector<std::string>;

Fields read(std::string_view file, const ArffHeader& header, FilePart part) {
  const std::string name = "a.arff";
  Fields fields;
  ArffRows rows(file, name, header, part);
  while (rows.next()) {
    if (rows.fields().size() != header.columns.size()) fail("another number of fields");
    for (std::size_t i = 0; i < rows.fields().size(); ++i) {
      fields.emplace_back(rows.fields()[i]);
      fields.push_back(rows.place(i));
    }
  }
  return fields;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file = text_of(data, size);
  is_arff(file);
  const auto header = value_of([&] { return parse_arff_header(file, "a.arff"); });
  if (!header) return 0;
  const auto whole = value_of([&] { return read(file, *header, {0, 1}); });
  if (!whole) return 0;
  Fields parts;
  for (int part = 0; part < 3; ++part) {
    const auto each = value_of([&] { return read(file, *header, {part, 3}); });
    if (!each) fail("a part that cannot be read");
    parts.insert(parts.end(), each->begin(), each->end());
  }
  expect_equal(parts, *whole, "fields");
  return 0;
}

}  // namespace lockstep::fuzz
