// PGM (P2, P5) and PPM (P3, P6): a header of numbers, then samples of [0, largest].

#include <cstddef>
#include <cstdint>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "pictures/colours.h"
#include "pictures/image_readers.h"

namespace lockstep {

namespace {

constexpr int kMostSample = 65'535;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file), kind_(file[1]) {
    width_ = number("a width");
    height_ = number("a height");
    check_size(width_, height_);
    most_ = number("the largest sample");
    if (width_ == 0 || height_ == 0) fail_usage("{} x {} pixels", width_, height_);
    if (most_ == 0 || most_ > kMostSample) {
      fail_usage("the largest sample is {}; expected one from 1 to {}", most_, kMostSample);
    }
    if (is_binary()) {
      skip_comment();
      if (place_ == file_.size() || !is_space(file_[place_])) {
        fail_usage("no blank after the header, at byte {}", place_);
      }
      ++place_;
    }
  }

  ImageHeader header() const {
    return {ImageFormat::kNetpbm, width_, height_, samples_per_pixel()};
  }

  ReducedPicture read(int channels) {
    check_bytes();
    ReducedPicture whole = blank_picture(width_, height_, channels);
    PixelWriter writer{whole.picture.pixels.data(), channels};
    const std::int64_t pixels = std::int64_t{width_} * height_;
    for (std::int64_t i = 0; i < pixels; ++i) {
      if (samples_per_pixel() == 1) {
        writer.grey(level());
      } else {
        const int red = level();
        const int green = level();
        writer.colour(red, green, level());
      }
    }
    while (place_ < file_.size() && is_space(file_[place_])) ++place_;
    if (place_ < file_.size()) {
      fail_usage("{} after the pixels; the header says {} x {} pixels",
                 count_of(file_.size() - place_, "byte"), width_, height_);
    }
    return whole;
  }

 private:
  bool is_binary() const { return kind_ == '5' || kind_ == '6'; }
  int samples_per_pixel() const { return kind_ == '3' || kind_ == '6' ? 3 : 1; }
  std::size_t bytes_per_sample() const { return most_ < 256 ? 1 : 2; }

  // A picture is not begun that the file cannot fill: a sample is a digit and a blank at least.
  void check_bytes() const {
    const std::size_t samples = static_cast<std::size_t>(width_) *
                                static_cast<std::size_t>(height_) *
                                static_cast<std::size_t>(samples_per_pixel());
    const std::size_t least = is_binary() ? samples * bytes_per_sample() : 2 * samples - 1;
    const std::size_t left = file_.size() - place_;
    if (left < least) {
      fail_usage("it is cut short: {} of pixels; {} x {} take {} at least", count_of(left, "byte"),
                 width_, height_, least);
    }
  }

  void skip_comment() {
    if (place_ == file_.size() || file_[place_] != '#') return;
    while (place_ < file_.size() && file_[place_] != '\n' && file_[place_] != '\r') ++place_;
  }

  // Comments stand in the header alone, as most readers have it.
  int number(const char* what) {
    while (place_ < file_.size() && (is_space(file_[place_]) || file_[place_] == '#')) {
      skip_comment();
      if (place_ < file_.size()) ++place_;
    }
    return digits(what);
  }

  int digits(const char* what) {
    constexpr int kMost = 100'000'000;  // beyond every limit
    const std::size_t begin = place_;
    int value = 0;
    for (; place_ < file_.size() && is_digit(file_[place_]) && value < kMost; ++place_) {
      value = 10 * value + (file_[place_] - '0');
    }
    if (begin == file_.size()) fail_usage("it is cut short: {} is missing", what);
    if (place_ == begin || value >= kMost) {
      fail_usage("byte {}: {}; expected {}", begin, printable(file_.substr(begin, 8)), what);
    }
    return value;
  }

  int level() {
    int sample = 0;
    if (is_binary()) {
      for (std::size_t i = 0; i < bytes_per_sample(); ++i) {
        sample = 256 * sample + static_cast<std::uint8_t>(file_[place_++]);
      }
    } else {
      while (place_ < file_.size() && is_space(file_[place_])) ++place_;
      sample = digits("a sample");
    }
    if (sample > most_) {
      fail_usage("a sample of {} before byte {}; the header says that the largest is {}", sample,
                 place_, most_);
    }
    return most_ == 255 ? sample : level_of(sample, most_);
  }

  std::string_view file_;
  char kind_;
  std::size_t place_ = 2;
  int width_ = 0;
  int height_ = 0;
  int most_ = 0;
};

}  // namespace

bool is_netpbm(std::string_view head) {
  if (head.size() < 4 || head[0] != 'P') return false;
  if (head[1] != '2' && head[1] != '3' && head[1] != '5' && head[1] != '6') return false;
  std::size_t place = 2;
  while (place < head.size() && is_space(head[place])) ++place;
  // All but blanks may be seen where a file begins with many of them.
  return (place > 2 || head[2] == '#') &&
         (place == head.size() || is_digit(head[place]) || head[place] == '#');
}

ImageHeader read_netpbm_header(std::string_view file) { return Reader(file).header(); }

ReducedPicture decode_netpbm(std::string_view file, const DecodeRequest& request) {
  return Reader(file).read(request.channels);
}

}  // namespace lockstep
