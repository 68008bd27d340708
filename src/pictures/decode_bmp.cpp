// BMP of Windows and OS/2: levels, palettes, or fields of 16 and 32 bits; not compressed.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "pictures/colours.h"
#include "pictures/image_readers.h"

namespace lockstep {

namespace {

constexpr std::size_t kFileHeaderBytes = 14;
constexpr std::size_t kOs2Bytes = 12;      // the smallest header after that one
constexpr std::size_t kOs2LongBytes = 64;  // of another meaning of `compression`
constexpr std::size_t kWindowsBytes = 40;  // the smallest one of Windows
constexpr std::size_t kWithOpacityBytes = 56;

constexpr std::uint32_t kPlain = 0;
constexpr std::uint32_t kRunLengths8 = 1;
constexpr std::uint32_t kRunLengths4 = 2;
constexpr std::uint32_t kFields = 3;
constexpr std::uint32_t kFieldsWithOpacity = 6;

bool is_header_size(std::uint32_t bytes) {
  constexpr std::array<std::uint32_t, 7> kKnown = {12, 40, 52, 56, 64, 108, 124};
  return std::find(kKnown.begin(), kKnown.end(), bytes) != kKnown.end();
}

std::uint32_t number_at(std::string_view file, std::size_t place, std::size_t bytes) {
  if (file.size() < place + bytes) {
    fail_usage("not a whole BMP file: {}, cut short in its header", count_of(file.size(), "byte"));
  }
  std::uint32_t number = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    number = number << 8 | static_cast<std::uint8_t>(file[place + i]);
  }
  return number;
}

// Bits of a pixel that hold one of its levels.
struct Field {
  std::uint32_t mask = 0;
  int shift = 0;

  explicit Field(std::uint32_t bits = 0)
      : mask(bits), shift(bits == 0 ? 0 : std::countr_zero(bits)) {
    const std::uint64_t field = mask >> shift;
    if ((field & (field + 1)) != 0) fail_usage("a BMP's field of levels, {:#x}, has gaps", mask);
  }
  int level(std::uint32_t pixel) const { return level_of((pixel & mask) >> shift, mask >> shift); }
};

struct Colour {
  std::uint8_t red, green, blue;
};

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file), header_bytes_(number_at(file, 14, 4)) {
    if (!is_header_size(header_bytes_)) {
      fail_usage("a BMP's header of {} bytes; expected 12, 40, 52, 56, 64, 108 or 124",
                 header_bytes_);
    }
    read_size();
    read_kind();
    if (bits_ <= 8) {
      read_palette();
    } else if (bits_ != 24) {
      read_fields();
    }
    check_bytes();
  }

  ImageHeader header() const {
    const bool grey = bits_ <= 8 && std::all_of(palette_.begin(), palette_.end(), [](Colour c) {
                        return c.red == c.green && c.green == c.blue;
                      });
    return {ImageFormat::kBmp, width_, height_, grey ? 1 : 3};
  }

  ReducedPicture read(int channels, int background) const {
    ReducedPicture whole = blank_picture(width_, height_, channels);
    PixelWriter writer{whole.picture.pixels.data(), channels};
    for (int y = 0; y < height_; ++y) {
      const auto row = static_cast<std::size_t>(is_top_down_ ? y : height_ - 1 - y);
      const char* bytes = file_.data() + data_ + row * row_bytes();
      for (int x = 0; x < width_; ++x) write_pixel(bytes, x, background, writer);
    }
    return whole;
  }

 private:
  bool is_os2() const { return header_bytes_ == kOs2Bytes; }

  void read_size() {
    std::int64_t width = 0;
    std::int64_t height = 0;
    if (is_os2()) {
      width = number_at(file_, 18, 2);
      height = number_at(file_, 20, 2);
    } else {
      width = static_cast<std::int32_t>(number_at(file_, 18, 4));
      height = static_cast<std::int32_t>(number_at(file_, 22, 4));
    }
    is_top_down_ = height < 0;
    if (is_top_down_) height = -height;
    if (width <= 0 || height == 0) fail_usage("a BMP of {} x {} pixels", width, height);
    check_size(width, height);
    width_ = static_cast<int>(width);
    height_ = static_cast<int>(height);
  }

  void read_kind() {
    const std::size_t place = is_os2() ? 22 : 26;
    const std::uint32_t planes = number_at(file_, place, 2);
    const std::uint32_t bits = number_at(file_, place + 2, 2);
    compression_ = is_os2() ? kPlain : number_at(file_, 30, 4);
    if (planes != 1) fail_usage("a BMP of {} planes; expected 1", planes);
    if (compression_ == kRunLengths8 || compression_ == kRunLengths4) {
      fail_usage("a BMP compressed by run lengths (RLE); expected one that is not compressed");
    }
    constexpr std::array<std::uint32_t, 6> kBits = {1, 4, 8, 16, 24, 32};
    if (std::find(kBits.begin(), kBits.end(), bits) == kBits.end()) {
      fail_usage("a BMP of {} bits a pixel; expected 1, 4, 8, 16, 24 or 32", bits);
    }
    bits_ = static_cast<int>(bits);
    const bool in_fields = compression_ == kFields || compression_ == kFieldsWithOpacity;
    const bool may_be_in_fields = (bits_ == 16 || bits_ == 32) && header_bytes_ != kOs2LongBytes;
    if (compression_ != kPlain && !(in_fields && may_be_in_fields)) {
      fail_usage(
          "a BMP of {} bits a pixel with compression {}; expected one that is not compressed",
          bits_, compression_);
    }
    data_ = number_at(file_, 10, 4);
    if (data_ < kFileHeaderBytes + header_bytes_ || data_ > file_.size()) {
      fail_usage("a BMP whose pixels begin at byte {} of {}", data_, file_.size());
    }
  }

  void read_palette() {
    const std::size_t entry_bytes = is_os2() ? 3 : 4;
    const std::size_t begin = kFileHeaderBytes + header_bytes_;
    const std::size_t room = (data_ - begin) / entry_bytes;
    std::size_t entries = is_os2() ? 0 : number_at(file_, 46, 4);
    if (entries == 0) entries = std::size_t{1} << bits_;
    entries = std::min({entries, room, std::size_t{1} << bits_});
    if (entries == 0) fail_usage("a BMP without its palette");
    for (std::size_t i = 0; i < entries; ++i) {
      const std::uint32_t entry = number_at(file_, begin + i * entry_bytes, 3);
      palette_.push_back({static_cast<std::uint8_t>(entry >> 16),
                          static_cast<std::uint8_t>(entry >> 8), static_cast<std::uint8_t>(entry)});
    }
  }

  void read_fields() {
    if (compression_ == kPlain) {
      red_ = Field(bits_ == 16 ? 0x7c00 : 0xff0000);
      green_ = Field(bits_ == 16 ? 0x3e0 : 0xff00);
      blue_ = Field(bits_ == 16 ? 0x1f : 0xff);
      return;
    }
    // They are a part of the later headers, and follow the first one.
    const std::size_t place = kFileHeaderBytes + kWindowsBytes;
    red_ = Field(number_at(file_, place, 4));
    green_ = Field(number_at(file_, place + 4, 4));
    blue_ = Field(number_at(file_, place + 8, 4));
    if (header_bytes_ >= kWithOpacityBytes || compression_ == kFieldsWithOpacity) {
      opacity_ = Field(number_at(file_, place + 12, 4));
    }
    if (red_.mask == 0 || green_.mask == 0 || blue_.mask == 0) {
      fail_usage("a BMP without a field for each of red, green and blue");
    }
  }

  // Rows end at whole words of 4 bytes.
  std::size_t row_bytes() const {
    return (static_cast<std::size_t>(width_) * static_cast<std::size_t>(bits_) + 31) / 32 * 4;
  }

  void check_bytes() const {
    const std::size_t bytes = row_bytes() * static_cast<std::size_t>(height_);
    if (file_.size() - data_ < bytes) {
      fail_usage("not a whole BMP file: it is cut short, {} of pixels; {} x {} take {}",
                 count_of(file_.size() - data_, "byte"), width_, height_, bytes);
    }
  }

  void write_pixel(const char* row, int x, int background, PixelWriter& writer) const {
    const auto byte = [&](int place) -> std::uint32_t {
      return static_cast<std::uint8_t>(row[place]);
    };
    if (bits_ <= 8) {
      const int first_bit = x * bits_;
      const std::size_t index =
          byte(first_bit / 8) >> (8 - bits_ - first_bit % 8) & ((1U << bits_) - 1);
      if (index >= palette_.size()) {
        fail_usage("a BMP with colour {} of a palette of {}", index, palette_.size());
      }
      const Colour& colour = palette_[index];
      writer.colour(colour.red, colour.green, colour.blue);
      return;
    }
    const int at = x * (bits_ / 8);
    if (bits_ == 24) {
      writer.colour(static_cast<int>(byte(at + 2)), static_cast<int>(byte(at + 1)),
                    static_cast<int>(byte(at)));
      return;
    }
    std::uint32_t pixel = byte(at) | byte(at + 1) << 8;
    if (bits_ == 32) pixel |= byte(at + 2) << 16 | byte(at + 3) << 24;
    const int opacity = opacity_.mask == 0 ? 255 : opacity_.level(pixel);
    writer.colour(over(background, red_.level(pixel), opacity),
                  over(background, green_.level(pixel), opacity),
                  over(background, blue_.level(pixel), opacity));
  }

  std::string_view file_;
  std::uint32_t header_bytes_;
  std::uint32_t compression_ = kPlain;
  std::size_t data_ = 0;  // where the pixels begin
  int width_ = 0;
  int height_ = 0;
  int bits_ = 0;  // of a pixel
  bool is_top_down_ = false;
  std::vector<Colour> palette_;
  Field red_;
  Field green_;
  Field blue_;
  Field opacity_;
};

}  // namespace

bool is_bmp(std::string_view head) {
  return head.size() >= kFileHeaderBytes + 4 && head.starts_with("BM") &&
         is_header_size(number_at(head, kFileHeaderBytes, 4));
}

ImageHeader read_bmp_header(std::string_view file) { return Reader(file).header(); }

ReducedPicture decode_bmp(std::string_view file, const DecodeRequest& request) {
  return Reader(file).read(request.channels, request.background);
}

}  // namespace lockstep
