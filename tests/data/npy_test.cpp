// Arrays that NumPy writes, of each type, order and version; and files that lie.

#include "data/npy.h"

#include <cmath>

#include "data/written_files.h"
#include "lockstep/core/files.h"

namespace lockstep {

namespace {

const std::vector<std::vector<std::int64_t>> kShapes = {{},        {7},          {3, 5},
                                                        {2, 5, 7}, {2, 3, 5, 7}, {2, 3, 1, 5, 2}};

const samples::Folder& files() {
  static const samples::Folder folder;
  static const bool written = [] {
    samples::run_script("write_arrays.py", folder.path(""));
    return true;
  }();
  EXPECT_TRUE(written);
  return folder;
}

// Element `i` in C order of an array of type "u1", "f4", ...
double value_of(const std::string& type, std::int64_t i) {
  const auto base = static_cast<double>((37 * i + 11) % 251);
  if (type[0] == 'b') return std::fmod(base, 2);
  if (type[0] == 'f') return (base - 125) / 8;
  const double scale = type[1] == '1' ? 1 : type[1] == '2' ? 200 : type[1] == '4' ? 0x1p20 : 0x1p40;
  return (type[0] == 'i' ? base - 125 : base) * scale;
}

void expect_range(const NpyArray& array, const std::string& type, Range range) {
  std::vector<double> values(static_cast<std::size_t>(range.size()));
  read_npy(array, range, values);
  for (std::int64_t i = range.first; i < range.last; ++i) {
    ASSERT_EQ(values[static_cast<std::size_t>(i - range.first)], value_of(type, i))
        << array.name << " element " << i;
  }
}

TEST(Npy, EachTypeShapeOrderAndVersion) {
  int seen = 0;
  for (const std::string type :
       {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"}) {
    for (const std::string end : {"little", "big"}) {
      if (type[1] == '1' && end == "big") continue;
      for (const auto& shape : kShapes) {
        for (const char order : {'C', 'F'}) {
          for (int version = 1; version <= 3; ++version) {
            const std::string path = files().path(
                fmt::format("{}-{}-{}-{}-{}.npy", end, type, shape.size(), order, version));
            const std::string file = read_file(path);
            const NpyArray array = parse_npy(file, path);
            ASSERT_EQ(array.shape, shape) << path;
            expect_range(array, type, {0, array.size});
            expect_range(array, type, {array.size / 3, (2 * array.size + 2) / 3});
            ++seen;
          }
        }
      }
    }
  }
  EXPECT_EQ(seen, (3 + 2 * 9) * 6 * 2 * 3);
}

TEST(Npy, BytesAreSeenWhereTheyLie) {
  const auto bytes_of = [](const char* name, std::string& file) {
    file = read_file(files().path(name));
    const NpyArray array = parse_npy(file, name);
    return npy_bytes(array, {2, array.size - 1});
  };
  std::string file;
  const std::string_view bytes = bytes_of("little-u1-3-C-1.npy", file);
  ASSERT_EQ(bytes.size(), 67u);
  EXPECT_EQ(bytes.data(), file.data() + file.size() - 68);
  EXPECT_TRUE(bytes_of("little-u1-3-F-1.npy", file).empty());
  EXPECT_TRUE(bytes_of("little-i1-3-C-1.npy", file).empty());
  EXPECT_TRUE(bytes_of("little-u2-3-C-1.npy", file).empty());
}

std::string file_of(const std::string& header, std::size_t bytes) {
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header +
         std::string(bytes, '\0');
}

std::string error_of_file(const std::string& file) {
  return samples::error_of([&] { parse_npy(file, "a.npy"); });
}

std::string error_of_shape(const std::string& shape, const std::string& type = "|u1") {
  return error_of_file(
      file_of("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n", 12));
}

TEST(Npy, AShapeMustAgreeWithTheBytes) {
  const std::string end = "; that does not agree with the 12 behind it";
  EXPECT_EQ(error_of_shape("(3, 4)"), "");
  EXPECT_EQ(error_of_shape("(3L, 4L)"), "");
  EXPECT_EQ(error_of_shape("(3, 2)", "<u2"), "");
  EXPECT_EQ(error_of_shape("(3, 5)"), "a.npy: its header says (3, 5) of 1 bytes each" + end);
  EXPECT_EQ(error_of_shape("(11,)"), "a.npy: its header says (11,) of 1 bytes each" + end);
  EXPECT_EQ(error_of_shape("(0, 12)"), "a.npy: its header says (0, 12) of 1 bytes each" + end);
  EXPECT_EQ(error_of_shape("(1099511627776,)", "<f8"),
            "a.npy: its header says (1099511627776,) of 8 bytes each" + end);
  // Products that are 12 in 64 bits.
  EXPECT_EQ(error_of_shape("(4611686018427387907, 4)"),
            "a.npy: its header says (4611686018427387907, 4) of 1 bytes each" + end);
  EXPECT_EQ(error_of_shape("(4611686018427387905, 3)", "<u4"),
            "a.npy: its header says (4611686018427387905, 3) of 4 bytes each" + end);
  EXPECT_EQ(error_of_shape("(12, 0, 4611686018427387905, 4)").find("a.npy: its header says"), 0u);
  EXPECT_EQ(error_of_shape("(99999999999999999999,)"),
            "a.npy: its header has \"99999999999999999999\" at its byte 52; expected a size");
  EXPECT_EQ(error_of_shape("(-3, -4)"),
            "a.npy: its header has \"-3, -4), }\\x0a\" at its byte 52; expected a size");
}

TEST(Npy, WhatIsRefused) {
  const auto error = [](const char* name) {
    const std::string file = read_file(files().path(name));
    return samples::error_of([&] { parse_npy(file, name); });
  };
  const std::string numbers = "; expected numbers: u1 to u8, i1 to i8, f2 to f8 or b1";
  EXPECT_EQ(error("text.npy"), "text.npy: values of type \"<U2\" (text)" + numbers);
  EXPECT_EQ(error("objects.npy"), "objects.npy: values of type \"|O\" (Python objects)" + numbers);
  EXPECT_EQ(error("complex.npy"), "complex.npy: values of type \"<c16\"" + numbers);
  EXPECT_EQ(error("records.npy"),
            "records.npy: holds records of several fields; expected an array of numbers");
  EXPECT_EQ(error("six.npy"), "six.npy: an array of more than 5 dimensions");
  EXPECT_EQ(error("empty.npy"), "");
  EXPECT_EQ(error_of_file("PK\3\4"), "a.npy: does not begin as a .npy file does");
  EXPECT_EQ(error_of_file(std::string("\x93NUMPY\x04\x00\0\0\0\0", 12)),
            "a.npy: a .npy file of version 4.0; expected 1 to 3");
  EXPECT_EQ(error_of_file(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)),
            "a.npy: a header of 4294967295 bytes; expected at most 65536");
  EXPECT_EQ(error_of_file(file_of("{'descr': __import__('os'), }", 0)),
            "a.npy: its header has \"__import__('os'), }\" at its byte 11; expected a word in "
            "quotes");
  EXPECT_EQ(error_of_file(file_of("{'shape': (1,), 'shape': (1,), }", 0)),
            "a.npy: its header has the entry \"shape\"; expected descr, fortran_order and shape "
            "once");
  EXPECT_EQ(error_of_file(file_of("{'descr': '|u1', 'shape': (0,)}", 0)),
            "a.npy: its header lacks fortran_order");
}

TEST(Npy, ACutFileIsRefused) {
  const std::string whole = read_file(files().path("little-f4-3-C-1.npy"));
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_EQ(error_of_file(whole.substr(0, bytes)).find("a.npy: "), 0u) << bytes;
  }
  EXPECT_NE(error_of_file(whole + "x"), "");
}

}  // namespace

}  // namespace lockstep
