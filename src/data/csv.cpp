#include "data/csv.h"

#include <emmintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>

#include "data/clones.h"
#include "data/csv_header.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

static_assert(std::endian::native == std::endian::little, "the parser reads fields as words");

// The most that a good row takes, and what the loads read beyond it.
constexpr std::size_t kMostPixelBytes = 4;  // three digits and a separator
constexpr std::size_t kMostLabelBytes = 11;
constexpr std::size_t kLookAheadBytes = 64;

constexpr int kBlockBytes = 64;
constexpr int kMostBlockFields = kBlockBytes / 2;

template <typename Word>
Word load(const char* text) {
  Word word;
  std::memcpy(&word, text, sizeof(word));
  return word;
}

struct Number {
  std::uint32_t value;   // right where there is no fault
  std::uint32_t faults;  // not 0 unless the field is 1 to 3 digits of at most 255
};

// The field of `bytes` bytes at `text`. Without branches: the number of digits is
// as good as random.
inline Number parse_number(const char* text, int bytes) {
  // One digit a byte, the last one in the upper byte.
  const auto word = std::uint64_t{load<std::uint32_t>(text) ^ 0x30303030U};
  const auto digits = static_cast<std::uint32_t>(word << ((32 - 8 * bytes) & 63));
  const std::uint32_t others = ((digits + 0x76767676U) | digits) & 0x80808080U;
  const std::uint32_t value =
      (digits >> 8 & 0xFF) * 100 + (digits >> 16 & 0xFF) * 10 + (digits >> 24);
  const std::uint32_t wrong_size = static_cast<std::uint32_t>(bytes - 1) > 2 ? 1 : 0;
  return {value, others | wrong_size | value >> 8};
}

// The number of digits at `text`, at most 4.
inline int leading_digits(const char* text) {
  const std::uint32_t word = load<std::uint32_t>(text) ^ 0x30303030U;
  // The upper bit of each byte that is not a digit; right up to the first one.
  return std::countr_zero(((word + 0x76767676U) | word) & 0x80808080U) / 8;
}

// Where the bytes of a block are equal to `byte`, as bits.
inline std::uint64_t positions_of(const char* block, char byte) {
  const __m128i wanted = _mm_set1_epi8(byte);
  std::uint64_t bits = 0;
  for (int i = 0; i < kBlockBytes; i += 16) {
    const __m128i part = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + i));
    const int equal = _mm_movemask_epi8(_mm_cmpeq_epi8(part, wanted));
    bits |= std::uint64_t{static_cast<std::uint32_t>(equal)} << i;
  }
  return bits;
}

// Parses `count` pixels, each followed by a comma, into `out`, which is zero.
// The text after them, or null where one is not as it should be.
//
// Most pixels are 0. So a block of text is turned into bits, and of its fields
// only those other than "0" are looked at one by one.
LOCKSTEP_CLONES const char* parse_pixels(const char* text, std::uint8_t* out, int count) {
  std::uint8_t* const last = out + count;
  std::uint32_t faults = 0;
  while (last - out >= kMostBlockFields) {
    const std::uint64_t commas = positions_of(text, ',');
    if (commas == 0) return nullptr;
    const int last_comma = 63 - std::countl_zero(commas);
    const std::uint64_t starts = (commas << 1 | 1) & ((std::uint64_t{2} << last_comma) - 1);
    std::uint64_t others = starts & ~(positions_of(text, '0') & commas >> 1);
    for (; others != 0; others &= others - 1) {
      const int start = std::countr_zero(others);
      const int digits = std::countr_zero(commas >> start);
      const Number number = parse_number(text + start, digits);
      faults |= number.faults;
      out[std::popcount(commas & ((std::uint64_t{1} << start) - 1))] =
          static_cast<std::uint8_t>(number.value);
    }
    text += last_comma + 1;
    out += std::popcount(commas);
  }
  for (; out < last; ++out) {
    const int digits = leading_digits(text);
    const Number number = parse_number(text, digits);
    if (text[digits] != ',') return nullptr;
    faults |= number.faults;
    *out = static_cast<std::uint8_t>(number.value);
    text += digits + 1;
  }
  return faults == 0 ? text : nullptr;
}

class RowParser {
 public:
  RowParser(const CsvHeader& header, const DataOptions& options)
      : pixels_(options.shape.pixels()),
        before_(header.label_column < 0 ? pixels_ - 1 : header.label_column),
        labelled_(header.label_column >= 0),
        classes_(static_cast<std::uint32_t>(options.classes)) {}

  // Parses the row at `text`, which must go on for row_bytes(); the start of the
  // next row, or null for a row that is not as it should be.
  const char* parse(const char* text, std::uint8_t* pixels, std::int32_t* label) const;

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(pixels_) * kMostPixelBytes + kMostLabelBytes + kLookAheadBytes;
  }

 private:
  // The start of the line after the line end at `text`, or null where there is none.
  static const char* skip_line_end(const char* text) {
    if (*text == '\r') ++text;
    return *text == '\n' ? text + 1 : nullptr;
  }

  int pixels_;
  int before_;  // pixels before the label, or all but the last
  bool labelled_;
  std::uint32_t classes_;
};

const char* RowParser::parse(const char* text, std::uint8_t* pixels, std::int32_t* label) const {
  text = parse_pixels(text, pixels, before_);
  if (text == nullptr) return nullptr;
  if (labelled_) {
    std::uint32_t value = 0;
    const auto [end, fault] = std::from_chars(text, text + kMostLabelBytes, value);
    if (fault != std::errc() || value >= classes_) return nullptr;
    *label = static_cast<std::int32_t>(value);
    if (before_ == pixels_) return skip_line_end(end);
    if (*end != ',') return nullptr;
    text = parse_pixels(end + 1, pixels + before_, pixels_ - before_ - 1);
    if (text == nullptr) return nullptr;
  }
  const int digits = leading_digits(text);
  const Number last = parse_number(text, digits);
  if (last.faults != 0) return nullptr;
  pixels[pixels_ - 1] = static_cast<std::uint8_t>(last.value);
  return skip_line_end(text + digits);
}

// The first row start at or past `cut` in [first, last].
std::size_t row_start(std::string_view text, std::size_t first, std::size_t last, std::size_t cut) {
  if (cut <= first) return first;
  const std::size_t line_end = text.find('\n', cut - 1);
  return std::min(line_end == std::string_view::npos ? last : line_end + 1, last);
}

// One call instead of a page fault for each 64 KiB; only a hint.
void map_ahead(std::string_view text) {
  constexpr std::uintptr_t kPageBytes = 4096;
  const auto first = reinterpret_cast<std::uintptr_t>(text.data()) & ~(kPageBytes - 1);
  const auto last = reinterpret_cast<std::uintptr_t>(text.data() + text.size());
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_POPULATE_READ);
}

// Empty rows for a part of `bytes` bytes; the most that fit. A field takes two
// bytes at least, which bounds the memory by the size of the file.
FileRows room_for(std::size_t bytes, const CsvHeader& header, const DataOptions& options) {
  FileRows rows;
  rows.pixels_per_row = options.shape.pixels();
  rows.labelled = header.label_column >= 0;
  const std::size_t most = (bytes + 1) / (2 * header.names.size()) + 1;
  rows.pixels = ZeroedPages(most * static_cast<std::size_t>(rows.pixels_per_row));
  rows.labels.resize(most);
  return rows;
}

// Appends the rows that start in [at, end); where the next one would start, or
// before `end` where a row is not as it should be.
const char* append_rows(const RowParser& parser, const char* at, const char* end, FileRows& rows) {
  const auto most = static_cast<std::int64_t>(rows.labels.size());
  while (at < end && rows.count < most) {
    const char* next = parser.parse(at, rows.pixels.data() + rows.count * rows.pixels_per_row,
                                    &rows.labels[static_cast<std::size_t>(rows.count)]);
    if (next == nullptr) break;
    ++rows.count;
    at = next;
  }
  return at;
}

}  // namespace

FileRows parse_csv(const SourceText& source, const DataOptions& options, Labels labels,
                   FilePart part) {
  const CsvHeader header = parse_csv_header(source.text(), source.name(), options, labels);
  const std::string_view text = header.text;
  const auto start_of = [&](int index) {
    const auto body = static_cast<std::int64_t>(header.body_last - header.body_first);
    const auto cut = static_cast<std::size_t>(share_of(body, part.count, index).first);
    return row_start(text, header.body_first, header.body_last, header.body_first + cut);
  };
  const std::size_t first = start_of(part.index);
  const std::size_t last =
      part.index + 1 == part.count ? header.body_last : start_of(part.index + 1);
  FileRows rows = room_for(last - first, header, options);
  map_ahead(text.substr(first, last - first));

  const RowParser parser(header, options);
  const std::size_t direct_last =
      std::max(first, std::min(last, text.size() - std::min(text.size(), parser.row_bytes())));
  const char* const begin = text.data();
  const char* at = append_rows(parser, begin + first, begin + direct_last, rows);
  auto done = static_cast<std::size_t>(at - begin);
  if (done < direct_last) fail_csv_row(header, source.name(), options, done);

  // The last rows, where the parser would read beyond the file, from a copy.
  std::string tail(done < last ? text.substr(done, last - done) : "");
  const std::size_t tail_bytes = tail.size();
  tail += '\n';
  tail.append(parser.row_bytes(), '\0');
  at = append_rows(parser, tail.data(), tail.data() + tail_bytes, rows);
  if (at < tail.data() + tail_bytes) {
    fail_csv_row(header, source.name(), options, done + static_cast<std::size_t>(at - tail.data()));
  }
  rows.labels.resize(rows.labelled ? static_cast<std::size_t>(rows.count) : 0);
  return rows;
}

}  // namespace lockstep
