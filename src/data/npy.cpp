#include "data/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

constexpr std::string_view kMark{"\x93NUMPY", 6};
constexpr std::size_t kVersionBytes = 2;

struct Header {
  std::string type;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } and blanks.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse();

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void want(std::string_view word) {
    if (!take(word)) fail(word);
  }
  [[noreturn]] void fail(std::string_view expected) const;
  std::string_view quoted();
  std::string_view type();
  bool truth();
  std::vector<std::int64_t> shape();

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

void HeaderParser::fail(std::string_view expected) const {
  constexpr std::size_t kShown = 20;
  fail_usage("{}: its header has \"{}\" at its byte {}; expected {}", name_,
             text_.substr(at_, kShown), at_ + 1, expected);
}

std::string_view HeaderParser::quoted() {
  skip_blanks();
  const char quote = at_ < text_.size() ? text_[at_] : '\0';
  const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : text_.npos;
  if (end == text_.npos) fail("a word in quotes");
  const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 1;
  return word;
}

std::string_view HeaderParser::type() {
  skip_blanks();
  if (text_.substr(at_).starts_with('[')) {
    fail_usage("{}: holds records of several fields; expected an array of numbers", name_);
  }
  return quoted();
}

bool HeaderParser::truth() {
  if (take("True")) return true;
  if (take("False")) return false;
  fail("True or False");
}

std::vector<std::int64_t> HeaderParser::shape() {
  std::vector<std::int64_t> sizes;
  want("(");
  while (!take(")")) {
    if (sizes.size() == kMostNpyDimensions) {
      fail_usage("{}: an array of more than {} dimensions", name_, kMostNpyDimensions);
    }
    skip_blanks();
    std::int64_t size = 0;
    const auto [end, fault] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
    if (fault != std::errc() || size < 0) fail("a size");
    at_ = static_cast<std::size_t>(end - text_.data());
    take("L");  // as Python 2 wrote them
    sizes.push_back(size);
    if (take(")")) break;
    want(",");
  }
  return sizes;
}

Header HeaderParser::parse() {
  Header header;
  bool typed = false;
  bool ordered = false;
  bool shaped = false;
  want("{");
  while (!take("}")) {
    const std::string_view key = quoted();
    want(":");
    if (key == "descr" && !typed) {
      header.type = type();
      typed = true;
    } else if (key == "fortran_order" && !ordered) {
      header.fortran_order = truth();
      ordered = true;
    } else if (key == "shape" && !shaped) {
      header.shape = shape();
      shaped = true;
    } else {
      fail_usage(
          "{}: its header has the entry \"{}\"; expected descr, fortran_order and shape once",
          name_, key);
    }
    if (take("}")) break;
    want(",");
  }
  skip_blanks();
  if (at_ != text_.size()) fail("blanks to its end");
  if (!typed || !ordered || !shaped) {
    fail_usage("{}: its header lacks {}", name_,
               !typed ? "descr" : (!ordered ? "fortran_order" : "shape"));
  }
  return header;
}

void set_type(const std::string& type, NpyArray& array) {
  array.type = type;
  constexpr std::array<std::string_view, 12> kTypes = {"b1", "u1", "u2", "u4", "u8", "i1",
                                                       "i2", "i4", "i8", "f2", "f4", "f8"};
  const std::string_view kind =
      type.empty() ? std::string_view() : std::string_view(type).substr(1);
  const bool known = std::ranges::find(kTypes, kind) != kTypes.end();
  const char order = type.empty() ? '\0' : type[0];
  const bool one_byte = known && kind[1] == '1';
  if (!known || (order != '<' && order != '>' && order != '=' && !(order == '|' && one_byte))) {
    const char* what = kind.starts_with('O')                            ? " (Python objects)"
                       : kind.starts_with('U') || kind.starts_with('S') ? " (text)"
                                                                        : "";
    fail_usage("{}: values of type \"{}\"{}; expected numbers: u1 to u8, i1 to i8, f2 to f8 or b1",
               array.name, type, what);
  }
  array.kind = kind[0] == 'f'   ? NpyKind::kFloat
               : kind[0] == 'i' ? NpyKind::kSigned
                                : NpyKind::kUnsigned;
  array.item_bytes = static_cast<std::size_t>(kind[1] - '0');
  array.order = order == '>' ? ByteOrder::kBig : ByteOrder::kLittle;
}

// Strides in elements; the product of the sizes, none where it does not fit.
void set_shape(const Header& header, std::string_view values, NpyArray& array) {
  array.shape = header.shape;
  array.strides.assign(header.shape.size(), 0);
  const bool empty = std::ranges::find(header.shape, 0) != header.shape.end();
  std::int64_t product = empty ? 0 : 1;
  bool fits = true;
  for (std::size_t i = 0; i < header.shape.size() && !empty; ++i) {
    const std::size_t axis = header.fortran_order ? i : header.shape.size() - 1 - i;
    array.strides[axis] = product;
    fits = fits && !__builtin_mul_overflow(product, header.shape[axis], &product);
  }
  std::uint64_t bytes = 0;
  fits = fits &&
         !__builtin_mul_overflow(static_cast<std::uint64_t>(product), array.item_bytes, &bytes);
  if (!fits || bytes != values.size()) {
    fail_usage("{}: its header says {} of {} bytes each; that does not agree with the {} behind it",
               array.name, array.shape_text(), array.item_bytes, values.size());
  }
  array.size = product;
  array.values = values;
}

double from_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const int fraction = bits & 0x3FF;
  double value =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 0x1F) value = fraction == 0 ? HUGE_VAL : std::nan("");
  return (bits & 0x8000) != 0 ? -value : value;
}

template <typename Word>
Word load_word(const char* from, ByteOrder order) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (sizeof word > 1) {
    if (order == ByteOrder::kBig) {
      auto* const bytes = reinterpret_cast<char*>(&word);
      std::reverse(bytes, bytes + sizeof word);
    }
  }
  return word;
}

// `count` elements, `step` bytes from one to the next.
template <typename Word, typename Value>
void read_run(const char* from, std::ptrdiff_t step, ByteOrder order, std::span<double> out) {
  for (double& value : out) {
    const auto word = load_word<Word>(from, order);
    if constexpr (sizeof(Word) == 2 && std::is_same_v<Value, float>) {
      value = from_half(word);
    } else {
      value = static_cast<double>(std::bit_cast<Value>(word));
    }
    from += step;
  }
}

using ReadRun = void (*)(const char*, std::ptrdiff_t, ByteOrder, std::span<double>);

template <typename Word, typename Signed, typename Float>
ReadRun reader_of_kind(NpyKind kind) {
  switch (kind) {
    case NpyKind::kUnsigned:
      return &read_run<Word, Word>;
    case NpyKind::kSigned:
      return &read_run<Word, Signed>;
    case NpyKind::kFloat:
      return &read_run<Word, Float>;
  }
  fail_internal("a kind of numbers {}", static_cast<int>(kind));
}

ReadRun reader_of(const NpyArray& array) {
  switch (array.item_bytes) {
    case 1:
      return reader_of_kind<std::uint8_t, std::int8_t, std::uint8_t>(array.kind);
    case 2:
      return reader_of_kind<std::uint16_t, std::int16_t, float>(array.kind);
    case 4:
      return reader_of_kind<std::uint32_t, std::int32_t, float>(array.kind);
    default:
      return reader_of_kind<std::uint64_t, std::int64_t, double>(array.kind);
  }
}

// The length of the header, and where it begins.
std::pair<std::size_t, std::size_t> header_place(std::string_view file, const std::string& name) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(file[i]); };
  const std::size_t length_at = kMark.size() + kVersionBytes;
  if (!is_npy(file)) fail_usage("{}: does not begin as a .npy file does", name);
  if (file.size() < length_at) fail_usage("{}: cut within its first bytes", name);
  const int version = byte(kMark.size());
  if (version < 1 || version > 3) {
    fail_usage("{}: a .npy file of version {}.{}; expected 1 to 3", name, version,
               byte(kMark.size() + 1));
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::size_t begin = length_at + length_bytes;
  if (file.size() < begin) fail_usage("{}: cut within its first bytes", name);
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) length = length << 8 | byte(length_at + i);
  if (length > kMostNpyHeaderBytes) {
    fail_usage("{}: a header of {} bytes; expected at most {}", name, length, kMostNpyHeaderBytes);
  }
  if (length > file.size() - begin) {
    fail_usage("{}: cut: a header of {} bytes, of which there are {}", name, length,
               file.size() - begin);
  }
  return {length, begin};
}

}  // namespace

std::string NpyArray::shape_text() const {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

bool is_npy(std::string_view file) { return file.starts_with(kMark); }

NpyArray parse_npy(std::string_view file, const std::string& name) {
  const auto [length, begin] = header_place(file, name);
  const Header header = HeaderParser(file.substr(begin, length), name).parse();
  NpyArray array;
  array.name = name;
  set_type(header.type, array);
  set_shape(header, file.substr(begin + length), array);
  return array;
}

void read_npy(const NpyArray& array, Range range, std::span<double> out) {
  const ReadRun read = reader_of(array);
  const std::size_t dimensions = array.shape.size();
  const std::int64_t width = dimensions == 0 ? 1 : array.shape.back();
  const auto item = static_cast<std::int64_t>(array.item_bytes);
  const std::int64_t step = dimensions == 0 ? 0 : array.strides.back() * item;
  for (std::int64_t at = range.first; at < range.last;) {
    const std::int64_t column = at % width;
    std::int64_t offset = column * step;
    std::int64_t rest = at / width;
    for (std::size_t axis = dimensions; axis-- > 1;) {
      const std::int64_t size = array.shape[axis - 1];
      offset += rest % size * array.strides[axis - 1] * item;
      rest /= size;
    }
    const std::int64_t count = std::min(width - column, range.last - at);
    read(array.values.data() + offset, step, array.order,
         out.subspan(static_cast<std::size_t>(at - range.first), static_cast<std::size_t>(count)));
    at += count;
  }
}

std::string_view npy_bytes(const NpyArray& array, Range range) {
  std::int64_t stride = 1;
  bool in_order = array.kind == NpyKind::kUnsigned && array.item_bytes == 1;
  for (std::size_t axis = array.shape.size(); axis-- > 0;) {
    in_order = in_order && (array.shape[axis] == 1 || array.strides[axis] == stride);
    stride *= array.shape[axis];
  }
  if (!in_order) return {};
  return array.values.substr(static_cast<std::size_t>(range.first),
                             static_cast<std::size_t>(range.size()));
}

}  // namespace lockstep
